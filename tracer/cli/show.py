"""`socktrace show FILE`: the timeline of a recording."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.cli.options import add_display_options, add_pace_options, show_of
from tracer.pipeline.presenting import replayed


def main(argv: Sequence[str]) -> int:
    """Show a recording on stdout."""
    parser = argparse.ArgumentParser(
        prog="socktrace show", description="Show the timeline of a recording.", allow_abbrev=False
    )
    parser.add_argument("file", metavar="FILE", help="a recording made with -w; - is stdin")
    add_display_options(parser)
    add_pace_options(parser)
    options = parser.parse_args(argv)
    return replayed(options.file, show_of(options), complain)
