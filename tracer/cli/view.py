"""`socktrace view FILE`: look through a recording in the terminal."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.pipeline.viewing import view


def main(argv: Sequence[str]) -> int:
    """Open the viewer."""
    parser = argparse.ArgumentParser(
        prog="socktrace view",
        description="Look through a recording: a list, the chosen exchange in full, and a search. One that is being "
        "written (socktrace -w FILE COMMAND in another terminal) grows on the screen.",
        epilog="keys: arrows or j and k move, / searches (words, or an expression of --filter), Esc shows all, v more "
        "or less detail, Tab the other side, q quits",
        allow_abbrev=False,
    )
    parser.add_argument("file", metavar="FILE", help="a recording made with -w")
    return view(parser.parse_args(argv).file, complain)
