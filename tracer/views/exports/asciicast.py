"""The run as a film for asciinema: what the command printed, where that was recorded (`--prove`), and its calls.

The format is asciicast version 2 (docs.asciinema.org/manual/asciicast/v2): a header, then `[seconds, kind, data]`: `o`
is output, `m` a marker that a player can jump to. A call that took a millisecond can't be seen in a film: after each
question and each answer the film holds on for a moment; the true time stands in the line.
"""

from __future__ import annotations

import codecs
import json
import re
import shlex
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from tracer.engine.meaning import meaning_of
from tracer.events import Output
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded
from tracer.views.exports.sequence import answer, question
from tracer.views.style import visible

HOLD = 0.4
"""Seconds that a question or an answer stays before anything else happens."""

IDLE = 3
"""Seconds: players shorten a longer pause to this."""

COLUMNS, ROWS = 100, 30
MOVES = re.compile(rb"\x1b(\[[0-9;?]*[A-HJLMPSTXdfhlr]|[78cDM])")
"""Escape sequences that move the cursor or change the screen (console_codes(4)): no line of ours may come between."""

PROMPT = "\x1b[1m$ {}\x1b[0m\r\n"
ASKED = "\x1b[36m▶ {}  {}\x1b[0m\x1b[2m{}\x1b[0m\r\n"
ANSWERED = "\x1b[36m◀ {}  {}\x1b[0m\r\n"
FAILED = "\x1b[31m◀ {}  {}\x1b[0m\r\n"
QUIET = "\x1b[2m{}\x1b[0m\r\n"


class _Shown(NamedTuple):
    """Something in the film: bytes that the command wrote, or a text of ours with the name of its marker, if any."""

    t: float
    what: bytes | str
    marker: str = ""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The header, then a line for each thing that is shown."""
    header = recorded.header
    outputs = [event for event in recorded.events() if isinstance(event, Output)]
    shown = [_Shown(event.t, _bytes(event)) for event in outputs]
    for exchange in recorded.exchanges:
        shown += _call(exchange)
    columns, rows = _terminal(recorded.exchanges)
    started = int(datetime.fromisoformat(header.started).timestamp()) if header.started else 0
    command = shlex.join(header.argv)
    yield _line(
        {
            "version": 2, "width": columns, "height": rows, "timestamp": started, "title": command,
            "command": command, "idle_time_limit": IDLE, "env": {"TERM": "xterm-256color"},
        }
    )  # fmt: skip
    film = _Film(between=not any(MOVES.search(event.payload or b"") for event in outputs))
    yield from film.text(0.0, PROMPT.format(visible(command)))
    for one in sorted(shown, key=lambda one: one.t):
        if isinstance(one.what, bytes):
            yield from film.output(one.t, one.what)
        else:
            yield from film.call(one.t, one.what, one.marker)
    if not header.evidence:
        yield from film.text(
            film.now, QUIET.format("(what it printed was not recorded: socktrace --prove -w FILE does)")
        )
    yield from film.end()


class _Film:
    """Times that only go on, and where the cursor is. `between` lets a call have a line of its own."""

    def __init__(self, *, between: bool) -> None:
        self.now = 0.0
        self._held = 0.0
        self._between = between
        self._at_start = True
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def output(self, t: float, data: bytes) -> Iterator[bytes]:
        """What the command wrote; a terminal puts CR before each LF (termios(3), ONLCR)."""
        text = re.sub(r"(?<!\r)\n", "\r\n", self._decoder.decode(data))
        if text:
            yield from self.text(t, text)

    def call(self, t: float, line: str, marker: str) -> Iterator[bytes]:
        """A marker, and a line where there may be one; then the film holds on."""
        if marker:
            yield self._event(t, "m", marker)
        if self._between:
            yield from self.text(t, line if self._at_start else f"\r\n{line}")
        self._held += HOLD

    def text(self, t: float, text: str) -> Iterator[bytes]:
        """Something on the screen."""
        self._at_start = text.endswith("\n")
        yield self._event(t, "o", text)

    def end(self) -> Iterator[bytes]:
        """A last moment to read."""
        yield self._event(self.now + HOLD, "o", "")

    def _event(self, t: float, kind: str, data: str) -> bytes:
        self.now = max(self.now, t + self._held)
        return _line([round(self.now, 6), kind, data])


def _call(exchange: Exchange) -> Iterator[_Shown]:
    """Its question and its answer, each when it was complete."""
    timing, number = exchange.timing, exchange.number
    asked, answered = question(exchange), answer(exchange)
    summary = meaning_of(exchange).summary
    begun = next((t for t in (timing.sent, timing.first_byte, timing.done) if t is not None), 0.0)
    yield _Shown(begun, ASKED.format(number, asked, f"  {summary}" if summary else ""), asked)
    form = FAILED if exchange.has_failed else ANSWERED
    yield _Shown(timing.done if timing.done is not None else begun, form.format(number, answered))


def _bytes(event: Output) -> bytes:
    return event.payload if event.payload is not None else f"({event.size} bytes that were not kept)\n".encode()


def _terminal(exchanges: list[Exchange]) -> tuple[int, int]:
    """Columns and rows: as docker told the daemon, else such that calls fit."""
    for exchange in exchanges:
        query = meaning_of(exchange).query
        if exchange.request is not None and "/resize" in exchange.request.head.target and {"h", "w"} <= query.keys():
            width, height = query["w"][0], query["h"][0]
            if width.isdigit() and height.isdigit() and int(width) and int(height):
                return int(width), int(height)
    return COLUMNS, ROWS


def _line(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
