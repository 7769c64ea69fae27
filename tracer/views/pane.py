"""A terminal in the viewer: what a command writes is shown by pyte's screen, and keys go to the command.

Keys are sent as xterm sends them (console_codes(4), terminfo's xterm-256color, which is what the command is told).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import cache
from typing import ClassVar

import pyte
import pyte.modes
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

TERM = "xterm-256color"
READ = 1 << 16
HISTORY = 2000
"""Lines that can be scrolled back to."""

APPLICATION_CURSOR = 1 << 5
"""How pyte writes DECCKM (private mode 1): cursor keys send SS3 and not CSI."""

KEYS = {
    "enter": "\r",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "escape": "\x1b",
    "backspace": "\x7f",
    "delete": "\x1b[3~",
    "insert": "\x1b[2~",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "ctrl+@": "\0",
    "ctrl+backslash": "\x1c",
    "ctrl+right_square_bracket": "\x1d",
    "ctrl+circumflex_accent": "\x1e",
    "ctrl+underscore": "\x1f",
    "f1": "\x1bOP",
    "f2": "\x1bOQ",
    "f3": "\x1bOR",
    "f4": "\x1bOS",
    "f5": "\x1b[15~",
    "f7": "\x1b[18~",
    "f8": "\x1b[19~",
    "f9": "\x1b[20~",
    "f10": "\x1b[21~",
    "f11": "\x1b[23~",
    "f12": "\x1b[24~",
}
"""F6 stays with the viewer: it is the way out of the pane."""

CURSOR_KEYS = {"up": "A", "down": "B", "right": "C", "left": "D", "home": "H", "end": "F"}


class _Screen(pyte.HistoryScreen):
    """A screen that answers what a program asks its terminal."""

    def __init__(self, answer: Callable[[str], None]) -> None:
        self._answer = answer
        super().__init__(80, 24, history=HISTORY)

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Lines below the cursor go first, then those at the top, which can be scrolled back to."""
        fewer = max(0, self.lines - (lines or self.lines))
        below = min(fewer, self.lines - 1 - self.cursor.y)
        for y in range(self.lines - below, self.lines):
            self.buffer.pop(y, None)
        self.lines -= below
        for y in range(self.lines):
            self.buffer[y]  # made, if it was not written to: pyte moves only lines that are there
        self.history.top.extend(self.buffer[y] for y in range(fewer - below))
        y = self.cursor.y - (fewer - below)
        super().resize(lines, columns)
        self.cursor.y = y  # pyte leaves it where it was
        self.ensure_hbounds()

    def write_process_input(self, data: str) -> None:
        """Device attributes, the place of the cursor."""
        self._answer(data)


class Pane(Widget, can_focus=True):
    """The terminal whose other side is `terminal`, a descriptor.

    `resized` takes its new rows and columns. Once the descriptor `done` can be read, the command has ended, and `ended`
    says how.
    """

    class Ended(Message):
        """The command in `pane` has ended."""

        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f6", "app.focus_next", "to the exchanges"),
        Binding("shift+pageup", "scroll_back", "scroll", show=False),
        Binding("shift+pagedown", "scroll_on", "scroll", show=False),
    ]

    def __init__(self, terminal: int, done: int, resized: Callable[[int, int], None], ended: Callable[[], str]) -> None:
        super().__init__(id="pane")
        self._terminal = terminal
        self._done = done
        self._resized = resized
        self._how_it_ended = ended
        self._screen = _Screen(self._send)
        self._stream = pyte.ByteStream(self._screen)
        self._listens = False
        self.ended = False

    def on_unmount(self) -> None:
        """Listen no more."""
        self._stop()

    def _stop(self) -> None:
        self.ended = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._terminal)
        loop.remove_reader(self._done)

    def _read(self) -> bool:
        """Show what was said; whether there was anything."""
        try:
            said = os.read(self._terminal, READ)
        except OSError:  # nothing now (EAGAIN), or nobody has the terminal open any more (EIO, pty(7))
            said = b""
        self._stream.feed(said)
        self.refresh()
        return bool(said)

    def _end(self) -> None:
        """The command has ended: show the rest."""
        while self._read():
            continue
        self._stop()
        self.border_subtitle = self._how_it_ended()
        self.post_message(self.Ended(self))

    def _send(self, text: str) -> None:
        if self.ended:
            return
        try:
            os.write(self._terminal, text.encode())
        except OSError:
            pass  # nobody reads, and the terminal's buffer is full

    def on_resize(self) -> None:
        """The command is told, as by any terminal; once there is a size, we listen."""
        inside = self.content_size
        rows, columns = max(1, inside.height), max(1, inside.width)
        self._screen.resize(rows, columns)
        if not self.ended:
            self._resized(rows, columns)
        if not self._listens:
            self._listens = True
            os.set_blocking(self._terminal, False)
            loop = asyncio.get_running_loop()
            loop.add_reader(self._terminal, self._read)
            loop.add_reader(self._done, self._end)

    def on_key(self, event: events.Key) -> None:
        """Every key but those bound here is the command's."""
        said = self._typed(event)
        if said is not None and not self.ended:
            event.stop()
            event.prevent_default()
            self._send(said)

    def on_paste(self, event: events.Paste) -> None:
        """Pasted text, line ends as the Enter key sends them."""
        event.stop()
        self._send(event.text.replace("\n", "\r"))

    def _typed(self, event: events.Key) -> str | None:
        key = event.key
        if key in CURSOR_KEYS:
            return ("\x1bO" if APPLICATION_CURSOR in self._screen.mode else "\x1b[") + CURSOR_KEYS[key]
        if key in KEYS:
            return KEYS[key]
        modifier, _, letter = key.rpartition("+")
        if modifier == "ctrl" and len(letter) == 1:
            return chr(ord(letter) & 0x1F)
        if modifier == "alt" and len(letter) == 1:
            return f"\x1b{letter}"
        return event.character if event.character and event.is_printable else None

    def action_scroll_back(self) -> None:
        """Half a screen up."""
        self._screen.prev_page()
        self.refresh()

    def action_scroll_on(self) -> None:
        """Half a screen down."""
        self._screen.next_page()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        """A line of the terminal, with its cursor while it has the keys."""
        screen = self._screen
        line, cursor = screen.buffer[y], screen.cursor
        has_cursor = self.has_focus and not cursor.hidden and not self.ended and y == cursor.y
        segments = []
        for x in range(screen.columns):
            char = line[x]
            if char.data:  # else the second column of a wide character
                segments.append(Segment(char.data, _style(char, has_cursor and x == cursor.x)))
        return Strip(segments).simplify()

    @property
    def text(self) -> str:
        """What it shows."""
        return "\n".join(self._screen.display)


@cache
def _color(name: str) -> str | None:
    """pyte's name of a colour, or its six hexadecimal digits, as rich has it."""
    if name == "default":
        return None
    plain = name.removeprefix("bright").removeprefix("bfight").replace("brown", "yellow")
    if plain in ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"):
        return plain if plain == name or name == "brown" else f"bright_{plain}"
    return f"#{name}"


def _style(char: pyte.screens.Char, is_cursor: bool) -> Style:
    return _style_of(
        char.fg, char.bg, char.bold, char.italics, char.underscore, char.strikethrough, char.reverse != is_cursor
    )


@cache
def _style_of(front: str, back: str, bold: bool, italic: bool, underline: bool, strike: bool, reverse: bool) -> Style:
    return Style(
        color=_color(front),
        bgcolor=_color(back),
        bold=bold,
        italic=italic,
        underline=underline,
        strike=strike,
        reverse=reverse,
    )
