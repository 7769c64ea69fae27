"""`socktrace demo [NAME]`: a lesson that needs no Docker. A bundled recording plays the daemon for a real client."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.cli.options import add_display_options, show_of
from tracer.pipeline import Trace, demonstrate, lessons


def main(argv: Sequence[str]) -> int:
    """Run a real client against a recorded daemon, under the tracer."""
    parser = argparse.ArgumentParser(
        prog="socktrace demo",
        description="Trace a real Docker client while a bundled recording plays the daemon.",
        allow_abbrev=False,
    )
    names = lessons()
    parser.add_argument("name", nargs="?", default="ps", help=f"the lesson: {', '.join(names)} (default: ps)")
    add_display_options(parser)
    options = parser.parse_args(argv)
    if options.name not in names:
        complain(f"there is no lesson {options.name!r}: choose one of {', '.join(names)}")
        return 2
    sys.stderr.write("A bundled recording plays the daemon; the client and its syscalls are real.\n\n")
    return demonstrate(options.name, Trace(argv=_client()), show_of(options), complain)


def _client() -> list[str]:
    """The docker CLI where there is one, else the docker SDK for Python."""
    if shutil.which("docker"):
        return ["docker", "ps", "-a"]
    return [sys.executable, "-m", "tracer.replay.sdk_ps"]
