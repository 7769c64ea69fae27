"""The options that verbs share, and how they become what `pipeline` takes."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable

from tracer.pipeline.settings import Show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange


class Formatter(argparse.RawDescriptionHelpFormatter):
    """As wide as the terminal. argparse makes one for each option, and would import shutil to ask for the width."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_columns() - 2)


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    try:
        return os.get_terminal_size(1).columns or 80
    except OSError:
        return 80


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
    group.add_argument("--stories", action="store_true", help="group by story: all about one container together")
    group.add_argument("--waterfall", action="store_true", help="a bar for each exchange: what took how long")
    group.add_argument("--prove", action="store_true", help="a verdict with its evidence; exit status 121 if it fails")
    group.add_argument("--explain", action="store_true", help="teach: what each step is for, flag by flag")
    group.add_argument(
        "--lang", choices=("en", "vi"), help="the language of --explain, --prove and reports (default: by LANG)"
    )
    group.add_argument("-o", "--output", metavar="FILE", help="write it to FILE")
    group.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="NO_COLOR and FORCE_COLOR are honoured",
    )


def add_pace_options(parser: argparse.ArgumentParser) -> None:
    """Options about how fast a recording is shown."""
    group = parser.add_argument_group("how fast")
    group.add_argument(
        "--pace", metavar="N", type=_speed, nargs="?", const=1.0, help="at the recorded speed; 2 is twice as fast"
    )
    group.add_argument("--step", action="store_true", help="one exchange per key press; q ends it")


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e6:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: 1 is as recorded, 2 is twice as fast")
    return speed


def _filter(text: str) -> Callable[[Exchange], bool]:
    from tracer.views.filters import FilterError, parse

    try:
        return parse(text)
    except FilterError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _key_press() -> Callable[[], bool]:
    from tracer.cli.keys import go_on

    return go_on


def show_of(options: argparse.Namespace) -> Show:
    """The display options as `pipeline` takes them."""
    from tracer.words import language

    return Show(
        verbosity=options.verbosity,
        live=getattr(options, "live", False),
        json=options.json,
        quiet=getattr(options, "quiet", False),
        stories=options.stories,
        waterfall=options.waterfall,
        prove=options.prove,
        explain=options.explain,
        pace=getattr(options, "pace", None),
        go_on=_key_press() if getattr(options, "step", False) else None,
        language=language(options.lang, os.environ) if options.prove or options.explain else "en",
        output=options.output,
        color=options.color,
        filter=options.filter,
    )
