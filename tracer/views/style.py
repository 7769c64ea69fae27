"""What the terminal views share: colours, symbols, and text made safe to print.

Colours are the terminal's own sixteen, so that they suit light and dark themes alike; nothing depends on colour
alone. Symbols have ASCII stand-ins for terminals that can't show them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.text import Text

WIDEST = 120
"""Wider lines are hard to follow from end to end."""

METHOD = "bold cyan"
TARGET = "bold"
QUIET = "dim"
PARTY = "bold magenta"
WORDS = "italic"
WRONG = "bold red"
WARN = "yellow"
GOOD = "green"


class Symbols(NamedTuple):
    """The signs of the timeline."""

    arrow: str
    sent: str
    received: str
    dot: str
    cross: str
    ellipsis: str
    note: str


UNICODE = Symbols("──▶", "▶", "◀", "·", "✗", "…", "●")
ASCII = Symbols("-->", ">", "<", "-", "x", "...", "*")


def symbols_for(encoding: str) -> Symbols:
    """The signs that an output of this encoding can show."""
    try:
        "".join(UNICODE).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Control characters made visible (`\x1b`), so that no recording can drive the terminal that shows it."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def status_style(status: int) -> str:
    """The colour of an HTTP status."""
    if status >= 400:
        return WRONG
    return WARN if 300 <= status < 400 else f"bold {GOOD}"


class Spread:
    """One line with a left and a right part; the left one is shortened in its middle where both don't fit."""

    def __init__(self, left: Text, right: Text, ellipsis: str) -> None:
        self._left = left
        self._right = right
        self._ellipsis = ellipsis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST)
        room = max(width - self._right.cell_len - 2, 20)
        left = shortened(self._left, room, self._ellipsis)
        gap = max(width - left.cell_len - self._right.cell_len, 2)
        line = Text.assemble(left, " " * gap, self._right, no_wrap=True, overflow="ignore", end="")
        yield line
        yield Segment.line()


def shortened(text: Text, room: int, ellipsis: str) -> Text:
    """The text, with characters of its middle left out so that it takes `room` cells."""
    if text.cell_len <= room:
        return text
    keep = room - len(ellipsis)
    head = keep * 2 // 3
    return Text.assemble(text[:head], (ellipsis, QUIET), text[len(text) - (keep - head) :])


class Indented:
    """A text wrapped within the width, every line indented."""

    def __init__(self, text: Text, indent: int, hanging: int = 0) -> None:
        self._text = text
        self._indent = indent
        self._hanging = hanging

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(min(options.max_width, WIDEST) - self._indent - self._hanging, 20)
        for number, line in enumerate(self._text.wrap(console, width)):
            line.rstrip()
            indent = self._indent + (self._hanging if number else 0)
            yield Text.assemble(" " * indent, line, no_wrap=True, overflow="ignore")


def joined(parts: Iterable[Text], separator: str) -> Text:
    """The non-empty texts, with a separator between them."""
    return Text(separator).join(part for part in parts if part.plain)
