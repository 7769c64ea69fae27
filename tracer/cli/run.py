"""`socktrace [OPTIONS] [--] COMMAND [ARG...]`: run a command and show what it said to the Docker daemon."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence

from tracer.cli.main import VARIABLE
from tracer.cli.messages import complain
from tracer.cli.options import Formatter, add_display_options, show_of
from tracer.cli.versions import ShowVersions
from tracer.pipeline.live import run, watch
from tracer.pipeline.settings import Trace

EXAMPLES = """\
examples:
  socktrace docker ps                          the calls behind a command
  socktrace -v docker run --rm alpine true     with their headers
  socktrace -w ps.jsonl docker ps              and keep a recording
  socktrace show ps.jsonl                      look at it again
  socktrace --json -o calls.json python app.py for jq and scripts
  socktrace demo                               without Docker, a recorded daemon

SOCKTRACE_OPTIONS in the environment holds options for every run.
exit status: that of COMMAND; 126 or 127 if it can't be run, 120 if socktrace failed, 2 for wrong options
"""


def parser() -> argparse.ArgumentParser:
    """The options of a traced run."""
    made = argparse.ArgumentParser(
        prog="socktrace",
        usage="socktrace [OPTIONS] [--] COMMAND [ARG...]\n       socktrace -p PID [OPTIONS]\n"
        "       socktrace show FILE [OPTIONS]\n"
        "       socktrace replay FILE [OPTIONS] [-- COMMAND [ARG...]]\n"
        "       socktrace diff A B\n"
        "       socktrace export FILE -f FORMAT [-o OUT]\n"
        "       socktrace view FILE\n"
        "       socktrace demo [NAME] [OPTIONS]\n"
        "       socktrace doctor",
        description="Run COMMAND and show what it says to the Docker daemon, call by call.",
        epilog=EXAMPLES,
        formatter_class=Formatter,
        allow_abbrev=False,
    )
    made.add_argument("--version", action=ShowVersions, nargs=0, help="ours, and what else a bug report should say")
    add_display_options(made)
    output = made.add_argument_group("when and where")
    output.add_argument("-w", "--write", metavar="FILE", help="also write a recording (.gz and .zst are compressed)")
    output.add_argument("--html", metavar="FILE", help="also write a report for browsers, in one page")
    output.add_argument("-q", "--quiet", action="store_true", help="no timeline (with -w: only the file)")
    output.add_argument("--live", action="store_true", help="print each exchange as soon as it is complete")
    output.add_argument(
        "--tui", action="store_true", help="the viewer: COMMAND in a pane of its own, its exchanges below"
    )
    output.add_argument("--no-redact", action="store_true", help="keep secrets in what is written and shown")
    output.add_argument(
        "-p", "--pid", metavar="PID", type=_pid, help="follow a program that is already running, until Ctrl-C"
    )
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


def _pid(text: str) -> int:
    if not text.isdigit() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a process id")
    return int(text)


def _watch(options: argparse.Namespace) -> int:
    if options.command:
        complain("give either -p PID or a COMMAND, not both")
        return 2
    if options.tui:
        complain("--tui needs a COMMAND; for a running program: socktrace -p PID -w FILE, and socktrace view FILE")
        return 2
    options.live = True
    return watch(options.pid, trace_of(options, ["-p", str(options.pid)]), show_of(options), complain)


def trace_of(options: argparse.Namespace, argv: Sequence[str]) -> Trace:
    """The options of a traced run as `pipeline` takes them."""
    return Trace(
        argv=argv,
        sockets=options.socket,
        all_sockets=options.all_sockets,
        redact=not options.no_redact,
        writes=[options.write] if options.write else [],
        html=options.html,
        evidence=options.prove,
        language=_language(options.lang) if options.html else "en",
    )


def _language(wanted: str | None) -> str:
    from tracer.words import language  # not imported in every run: it would come before the command's start

    return language(wanted, os.environ)


def main(argv: Sequence[str]) -> int:
    """Trace the command that follows the options."""
    made = parser()
    try:
        always = shlex.split(os.environ.get(VARIABLE, ""))
    except ValueError as error:
        complain(f"{VARIABLE} can't be read: {error}")
        return 2
    options = made.parse_args([*always, *argv])
    if options.pid is not None:
        return _watch(options)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        made.print_usage(sys.stderr)
        complain("name a command to run, such as: socktrace docker ps")
        return 2
    go = run
    if options.tui:
        if options.write == "-":
            complain("--tui has the terminal for itself: give -w the name of a file")
            return 2
        from tracer.pipeline.viewing import in_pane as go
    return go(trace_of(options, command), show_of(options), complain)
