"""The options that verbs share, and how they become what `pipeline` takes."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from tracer.pipeline import Show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange


def add_display_options(parser: argparse.ArgumentParser) -> None:
    """Options about what to see."""
    group = parser.add_argument_group("what to see")
    group.add_argument(
        "-v",
        dest="verbosity",
        action="count",
        default=0,
        help="headers; -vv: bodies too; -vvv: every syscall with its bytes",
    )
    group.add_argument("--json", action="store_true", help="one JSON object per exchange and line")
    group.add_argument(
        "--filter",
        metavar="EXPR",
        type=_filter,
        help="only some exchanges: 'method=POST and status>=400', 'path~/containers/*', 'time>100ms'",
    )
    group.add_argument("-o", "--output", metavar="FILE", help="write it to FILE")
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="NO_COLOR and FORCE_COLOR are honoured",
    )


def _filter(text: str) -> Callable[[Exchange], bool]:
    from tracer.views.filters import FilterError, parse

    try:
        return parse(text)
    except FilterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def show_of(options: argparse.Namespace) -> Show:
    """The display options as `pipeline` takes them."""
    return Show(
        verbosity=options.verbosity,
        live=getattr(options, "live", False),
        json=options.json,
        quiet=getattr(options, "quiet", False),
        output=options.output,
        color=options.color,
        filter=options.filter,
    )
