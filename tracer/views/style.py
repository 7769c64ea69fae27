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
    check: str
    cross: str
    ellipsis: str
    note: str

    def fit(self, text: str) -> str:
        """A text of ours with only such signs as the output can show."""
        return text if self.note == UNICODE.note else text.translate(_STAND_INS)


_STAND_INS = str.maketrans({"…": "...", "·": "-", "×": "x", "→": "->"})


UNICODE = Symbols("──▶", "▶", "◀", "·", "✓", "✗", "…", "●")
ASCII = Symbols("-->", ">", "<", "-", "+", "x", "...", "*")


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


NARROW = 24
"""With less room than this for the left part, the right part gets a line of its own."""


class Spread:
    """One line with a left and a right part. Of several left parts, longest first, the first that fits is taken;
    the last one is shortened in its middle."""

    def __init__(self, lefts: list[Text], right: Text, ellipsis: str) -> None:
        self._lefts = lefts
        self._right = right
        self._ellipsis = ellipsis

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = min(options.max_width, WIDEST)
        beside = width - self._right.cell_len - 2 >= NARROW
        room = width - self._right.cell_len - 2 if beside else width
        fitting = next((left for left in self._lefts if left.cell_len <= room), self._lefts[-1])
        left = shortened(fitting, room, self._ellipsis)
        gap = " " * (width - left.cell_len - self._right.cell_len) if beside else "\n     "
        yield from left.render(console)
        if not self._right.plain:
            yield Segment("\n")
            return
        yield Segment(gap)
        yield from self._right.render(console, end="\n")


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
        fits = self._text.cell_len <= width and "\n" not in self._text.plain
        for number, line in enumerate([self._text] if fits else self._text.wrap(console, width)):
            line.rstrip()
            yield Segment(" " * (self._indent + (self._hanging if number else 0)))
            yield from line.render(console, end="\n")


def joined(parts: Iterable[Text], separator: str) -> Text:
    """The non-empty texts, with a separator between them."""
    return Text(separator).join(part for part in parts if part.plain)
