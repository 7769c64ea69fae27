"""`socktrace [OPTIONS] [--] COMMAND [ARG...]`: run a command and show what it said to the Docker daemon."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from tracer import __version__
from tracer.cli.main import complain
from tracer.cli.options import add_display_options, show_of
from tracer.pipeline import Trace, run

EXAMPLES = """\
examples:
  socktrace docker ps                          the calls behind a command
  socktrace -v docker run --rm alpine true     with their headers
  socktrace -w ps.jsonl docker ps              and keep a recording
  socktrace show ps.jsonl                      look at it again
  socktrace --json -o calls.json python app.py for jq and scripts
  socktrace demo                               without Docker, a recorded daemon

exit status: that of COMMAND; 126 or 127 if it can't be run, 120 if socktrace failed, 2 for wrong options
"""


def parser() -> argparse.ArgumentParser:
    """The options of a traced run."""
    made = argparse.ArgumentParser(
        prog="socktrace",
        usage="socktrace [OPTIONS] [--] COMMAND [ARG...]\n       socktrace show FILE [OPTIONS]\n"
        "       socktrace demo [NAME] [OPTIONS]",
        description="Run COMMAND and show what it says to the Docker daemon, call by call.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action="version", version=f"socktrace {__version__}")
    add_display_options(made)
    output = made.add_argument_group("when and where")
    output.add_argument("-w", "--write", metavar="FILE", help="also write a recording (.gz and .zst are compressed)")
    output.add_argument("-q", "--quiet", action="store_true", help="no timeline (with -w: only the file)")
    output.add_argument("--live", action="store_true", help="print each exchange as soon as it is complete")
    output.add_argument("--no-redact", action="store_true", help="keep secrets in what is written and shown")
    sockets = made.add_argument_group("which connections")
    sockets.add_argument(
        "--socket",
        metavar="PATH",
        action="append",
        default=[],
        help="follow this socket as well (repeatable; a glob is allowed)",
    )
    sockets.add_argument("--all-sockets", action="store_true", help="follow every stream socket")
    made.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return made


def main(argv: Sequence[str]) -> int:
    """Trace the command that follows the options."""
    made = parser()
    options = made.parse_args(argv)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        made.print_usage(sys.stderr)
        complain("name a command to run, such as: socktrace docker ps")
        return 2
    trace = Trace(
        argv=command,
        sockets=options.socket,
        all_sockets=options.all_sockets,
        redact=not options.no_redact,
        write=options.write,
    )
    return run(trace, show_of(options), complain)
