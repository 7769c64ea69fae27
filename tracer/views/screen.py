"""The output of the terminal views: blocks as rows of the right width and colour, at once or held until the end.

Unless `at_once`, everything is rendered into a spool, which moves to disk when it grows, and comes out in one piece
when the command has ended: the timeline must never get into the middle of the command's own output. While it is small
its blocks are kept too: the user may have made the window larger or smaller meanwhile.
"""

from __future__ import annotations

import io
import os
from typing import IO, Literal, TextIO

from tracer.views.lines import Block, painted
from tracer.views.style import Symbols, symbols_for

Color = Literal["auto", "always", "never"]

PIPE_WIDTH = 100
"""Columns where there is no terminal to ask and COLUMNS is not set."""

SPOOL_IN_MEMORY = 2 << 20
"""Characters."""


COPIED = 1 << 16

SMALL = 1 << 18
"""Characters: so much is laid out again if the terminal has another width in the end."""


class _Spool:
    """Text that is held back: in memory at first, which tempfile's own spool can't do without 2 ms of imports."""

    def __init__(self) -> None:
        self._file: IO[str] = io.StringIO()
        self._room = SPOOL_IN_MEMORY

    def write(self, text: str) -> None:
        """Add text; once there is much of it, all moves to a file. Raises OSError if that can't be written."""
        self._file.write(text)
        if self._room > 0:
            self._room -= len(text)
            if self._room <= 0:
                self._move()

    def _move(self) -> None:
        import tempfile

        memory, self._file = self._file, tempfile.TemporaryFile("w+", encoding="utf-8", newline="")
        self._copy(memory, self._file)

    def pour(self, target: TextIO) -> None:
        """Write all of it to `target`, and be gone."""
        self._copy(self._file, target)

    @staticmethod
    def _copy(source: IO[str], target: IO[str]) -> None:
        source.seek(0)
        while piece := source.read(COPIED):
            target.write(piece)
        source.close()


class Screen:
    """Where a view's blocks go: stdout, stderr, or a file. With `prompt` what comes is brought out immediately."""

    def __init__(self, target: TextIO, color: Color, *, at_once: bool, prompt: bool = True) -> None:
        self._target = target
        self._spool = None if at_once else _Spool()
        self._blocks: list[Block] = []
        """All that is in the spool, as long as it is small."""
        self._room = SMALL
        self._terminal = target if target.isatty() else None
        self._flushes = at_once and (prompt or self._terminal is not None)
        self._color = color == "always" or (color == "auto" and _wants_color(self._terminal is not None))
        self._width = _width(self._terminal)
        self.symbols: Symbols = symbols_for(self._target.encoding or "utf-8")

    def show(self, piece: Block) -> None:
        """Print the rows of a block."""
        text = painted(piece, self._width, color=self._color)
        if self._spool is not None:
            self._keep(piece, len(text))
        self._write(text)

    def _keep(self, piece: Block, size: int) -> None:
        self._room -= size
        if self._room > 0:
            self._blocks.append(piece)
        else:
            self._blocks.clear()

    def write_line(self, line: str) -> None:
        """Print a line as it is, however long."""
        self._room = 0  # it has no block
        self._write(line + "\n")

    def _write(self, text: str) -> None:
        if self._spool is not None:
            self._spool.write(text)
            return
        self._target.write(text)
        if self._flushes:
            self._target.flush()

    def close(self) -> None:
        """Bring out what was held back. Raises OSError if it can't be written."""
        if self._spool is not None:
            width = _width(self._terminal)
            if self._room > 0 and width != self._width:
                self._target.writelines(painted(piece, width, color=self._color) for piece in self._blocks)
            else:
                self._spool.pour(self._target)
        self._target.flush()


def _wants_color(terminal: bool) -> bool:
    """NO_COLOR (no-color.org) wins over FORCE_COLOR, which wins over what the output is."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return terminal and os.environ.get("TERM") != "dumb"


def _width(terminal: TextIO | None) -> int:
    columns = os.environ.get("COLUMNS", "")
    if columns.isdigit() and int(columns) > 0:
        return int(columns)
    if terminal is None:
        return PIPE_WIDTH
    try:
        return os.get_terminal_size(terminal.fileno()).columns or PIPE_WIDTH
    except (OSError, ValueError):
        return PIPE_WIDTH
