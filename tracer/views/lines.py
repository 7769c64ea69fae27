"""Lines of styled text: laid out by the width of the output, painted with the terminal's own sixteen colours.

A view yields blocks; a block has as many rows as the width makes of it. Written for speed: nearly every line of a
long timeline fits, and what has to be wrapped was often wrapped before. The widths of rare characters are rich's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise
from typing import Protocol, TypeAlias

WIDEST = 120
"""Wider lines are hard to follow from end to end."""

NARROW = 24
"""With less room than this for the left part, the right part gets a line of its own."""

TAB = 8
REMEMBERED = 1000
"""Characters: longer lines are wrapped anew each time."""

Part: TypeAlias = tuple[str, str]
"""A text and its style: attributes and a colour, as in `bold cyan`; empty for none."""

Line: TypeAlias = tuple[Part, ...]


class Block(Protocol):
    """Something of a view: its rows do not end in a newline."""

    def rows(self, width: int) -> Iterable[Line]:
        """The rows that it takes where a row has `width` cells."""


def styled(*parts: str | Part) -> Line:
    """A line of plain and of styled parts."""
    return tuple([(part, "") if isinstance(part, str) else part for part in parts])


def plain(parts: Line) -> str:
    """The text of a line."""
    return parts[0][0] if len(parts) == 1 else "".join([text for text, _ in parts])


_SINGLE = re.compile("[ -~\u00a0-\u02ff\u1e00-\u1eff\u2010-\u2027\u2190-\u21ff\u2500-\u25ff\u2713\u2717]*")
"""Characters of one cell: Latin, also Vietnamese, and the signs that the views use."""


def cells(text: str) -> int:
    """The columns that a text takes in a terminal."""
    if text.isascii() or _SINGLE.fullmatch(text):
        return len(text)
    from rich.cells import cell_len  # rare, and costs milliseconds

    return cell_len(text)


class Whole:
    """A line that is not wrapped: a link, say, which a terminal would not follow in two pieces."""

    def __init__(self, parts: Line = ()) -> None:
        self._row = parts

    def rows(self, width: int) -> Iterable[Line]:
        """The line as it is."""
        return (self._row,)


BLANK = Whole()


class Indented:
    """A line wrapped within the width, every row indented."""

    def __init__(self, parts: Line, indent: int = 0, hanging: int = 0) -> None:
        self._parts = parts
        self._indent = indent
        self._hanging = hanging

    def rows(self, width: int) -> Iterable[Line]:
        """One row, or more where it does not fit."""
        room = max(min(width, WIDEST) - self._indent - self._hanging, 20)
        text = plain(self._parts)
        first: Part = (" " * self._indent, "")
        if cells(text) <= room and "\n" not in text and "\t" not in text:
            return ((first, *self._parts),)
        rows = _wrapped_before(self._parts, room) if len(text) <= REMEMBERED else wrapped(self._parts, room)
        other: Part = (" " * (self._indent + self._hanging), "")
        return [(other if number else first, *row) for number, row in enumerate(rows)]


class Spread:
    """One line with a left and a right part. Of several left parts, longest first, the first that fits is taken;
    the last one is shortened in its middle."""

    def __init__(self, lefts: Sequence[Line], right: Line, ellipsis: str) -> None:
        self._lefts = lefts
        self._right = right
        self._ellipsis = ellipsis

    def rows(self, width: int) -> Iterable[Line]:
        """One row, or two where there is little room."""
        width = min(width, WIDEST)
        taken = cells(plain(self._right))
        beside = width - taken - 2 >= NARROW
        room = width - taken - 2 if beside else width
        left, used = self._left(room)
        if not taken:
            return (left,)
        if not beside:
            return left, (("     ", ""), *self._right)
        return ((*left, (" " * (width - used - taken), ""), *self._right),)

    def _left(self, room: int) -> tuple[Line, int]:
        """The left part that is taken, and its cells."""
        for form in self._lefts:
            used = cells(plain(form))
            if used <= room:
                return form, used
        form = shortened(self._lefts[-1], room, self._ellipsis)
        return form, cells(plain(form))


class Group:
    """Blocks that are shown in one go."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        self._blocks = tuple(blocks)

    def rows(self, width: int) -> Iterable[Line]:
        """Those of all of them."""
        return [row for block in self._blocks for row in block.rows(width)]


def shortened(parts: Line, room: int, ellipsis: str) -> Line:
    """The line, with characters of its middle left out so that it takes `room` cells."""
    text = plain(parts)
    if cells(text) <= room:
        return parts
    keep = room - len(ellipsis)
    head = keep * 2 // 3
    return (*cut(parts, 0, head), (ellipsis, "dim"), *cut(parts, len(text) - (keep - head), len(text)))


def joined(lines: Iterable[Line], separator: str) -> Line:
    """The non-empty lines as one, with a separator between them."""
    made: list[Part] = []
    for parts in lines:
        if parts:
            made += [(separator, ""), *parts] if made else parts
    return tuple(made)


def cut(parts: Line, start: int, end: int) -> Line:
    """The characters from `start` to `end` of a line."""
    made = []
    for text, style in parts:
        piece = text[max(start, 0) : max(end, 0)]
        if piece:
            made.append((piece, style))
        start -= len(text)
        end -= len(text)
    return tuple(made)


# Wrapping


def wrapped(parts: Line, room: int) -> tuple[Line, ...]:
    """A line in rows of at most `room` cells, broken between words where that is possible."""
    parts = tuple((text.expandtabs(TAB), style) for text, style in parts)
    text = plain(parts)
    rows = []
    start = 0
    for whole in text.split("\n"):
        breaks = [start, *(start + offset for offset in _breaks(whole, room)), start + len(whole)]
        rows += [_stripped(cut(parts, first, last)) for first, last in pairwise(breaks)]
        start += len(whole) + 1
    return tuple(rows)


_wrapped_before = lru_cache(2048)(wrapped)

_WORD = re.compile(r"\s*\S+\s*")


def _breaks(text: str, room: int) -> Iterator[int]:
    """Where the second and later rows begin."""
    used = 0
    for found in _WORD.finditer(text):
        word, start = found[0], found.start()
        if used + cells(word.rstrip()) <= room:
            used += cells(word)
            continue
        if used and start:
            yield start
        used = cells(word)
        if cells(word.rstrip()) > room:
            used = 0
            for number, character in enumerate(word):
                if used + cells(character) > room:
                    yield start + number
                    used = 0
                used += cells(character)


def _stripped(parts: Line) -> Line:
    """Without white space at the end."""
    kept = list(parts)
    while kept:
        text, style = kept.pop()
        text = text.rstrip()
        if text:
            return (*kept, (text, style))
    return ()


# Painting: ECMA-48 section 8.3.117, Select Graphic Rendition

_CODES = {
    "bold": 1,
    "dim": 2,
    "italic": 3,
    "underline": 4,
    "red": 31,
    "green": 32,
    "yellow": 33,
    "magenta": 35,
    "cyan": 36,
}


@cache
def _begin(style: str) -> str:
    return f"\x1b[{';'.join(str(_CODES[word]) for word in style.split())}m"


def painted(block: Block, width: int, *, color: bool) -> str:
    """A block as the terminal takes it: its rows, each with its end."""
    return "".join([_painted(row, color) + "\n" for row in block.rows(width)])


def _painted(row: Line, color: bool) -> str:
    if not color:
        return plain(row).rstrip()
    return "".join([f"{_begin(style)}{text}\x1b[0m" if style and text else text for text, style in row])
