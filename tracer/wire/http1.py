"""HTTP/1.1 framing, read by a passive observer (RFC 9112; chunked coding: section 7.1; body length: section 6.3).

A reader is fed the bytes of one direction of one connection and yields what it has understood: the head, pieces of
the body with the transfer coding removed, the trailers, the end. Rules:

- it never raises on input: what can't be right becomes one `Broken`, and the rest of that direction is opaque;
- it is lenient in what it accepts (bare LF, folded headers, any octet in a value) and exact in what it reports;
- each step is a function that returns an event, or None for "need more data";
- `at` and `end` are offsets in the direction's byte stream, so that whoever needs the raw bytes can find them;
- it does not know the other direction: whoever owns both (see `connection`) says which method a response answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

from msgspec import Struct

from tracer.wire.heads import BodyKind, Framing, Head, Headers, parse_head, parse_headers, shown

MAX_HEAD = 1 << 20
"""A head longer than this is not going to end."""

MAX_CHUNK_LINE = 16 << 10


class Body(Struct, frozen=True):
    """A piece of the body. `data` is a run of the stream's own bytes that starts at `at`."""

    at: int
    data: bytes


class Trailers(Struct, frozen=True):
    """The header lines after the last chunk."""

    headers: Headers


class Complete(Struct, frozen=True):
    """The message ended before offset `end`."""

    end: int


class Broken(Struct, frozen=True):
    """What follows offset `at` is not what HTTP/1.1 allows there; `reason` is a sentence without its full stop."""

    at: int
    reason: str


class Opaque(Struct, frozen=True):
    """Bytes after a Broken or after a change of protocol."""

    at: int
    data: bytes


_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;|$)")

WireEvent: TypeAlias = Head | Body | Trailers | Complete | Broken | Opaque


class Reader:
    """One direction of one connection. `role` says whether heads are requests or responses."""

    __slots__ = ("_begun", "_buffer", "_left", "_scanned", "_step", "offset", "role")

    def __init__(self, role: Literal["request", "response"]) -> None:
        self.role = role
        self.offset = 0
        """Offset in the stream of the first byte that has not become an event."""
        self._begun = 0
        """Offset of the head whose body is read."""
        self._buffer = bytearray()
        self._scanned = 0
        self._left = 0
        self._step: Callable[[Reader], WireEvent | None] = _read_head

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream."""
        self._buffer += data

    def within(self, data: bytes) -> Body | None:
        """Take bytes of the stream that lie inside a body or chunk, which goes on; None, and nothing taken, if not.

        Nothing but this piece comes of them: what `feed` and `next_event` would tell as well, with less work.
        """
        if self._left <= len(data) or self._buffer or self._step not in _INSIDE:
            return None
        at = self.offset
        self.offset += len(data)
        self._left -= len(data)
        return Body(at, data)

    def next_event(self) -> WireEvent | None:
        """What comes next, or None until more is fed. After a Head, `expect` must be called before going on."""
        return self._step(self)

    def expect(self, framing: Framing) -> None:
        """Say how the body of the head just returned is delimited."""
        self._left = framing.length
        self._step = _STEPS[framing.kind]

    def end_of_stream(self) -> WireEvent | None:
        """The sender closed: Complete for a body that lasts until the close, Broken in mid-message, else None."""
        if self._step is _read_all:
            self._step = _read_head
            return Complete(self.offset)
        if self._step in (_read_nothing, _read_opaque) or (self._step is _read_head and not self._buffer.strip()):
            return None
        missing = f", {self._left:,} bytes short" if self._step in _INSIDE else ""
        begun = self.offset if self._step is _read_head else self._begun
        size = self.offset + len(self._buffer) - begun
        return self._break(f"the {self.role} was cut off after {size:,} bytes{missing}")

    @property
    def pending(self) -> bytearray:
        """Bytes that were fed and have not become an event."""
        return self._buffer

    @property
    def is_opaque(self) -> bool:
        """What comes is no longer understood as HTTP/1.1."""
        return self._step is _read_opaque

    def become_opaque(self) -> None:
        """The connection changed its protocol: all that follows is passed on as Opaque."""
        self._step = _read_opaque

    def pause(self) -> None:
        """Read nothing until `resume` or `become_opaque`: whether HTTP goes on is up to the other side."""
        self._step = _read_nothing

    def resume(self) -> None:
        """HTTP goes on: the next thing is a head."""
        self._step = _read_head

    # For the steps below

    def _take(self, size: int) -> bytes:
        if size >= len(self._buffer):
            taken = bytes(self._buffer)
            self._buffer.clear()
        else:
            taken = bytes(self._buffer[:size])
            del self._buffer[:size]  # cheap: a bytearray only moves its start
        self.offset += len(taken)
        self._scanned = 0
        return taken

    def _break(self, reason: str) -> Broken:
        self._step = _read_opaque
        return Broken(self.offset, reason)

    def _line(self, limit: int) -> bytes | Broken | None:
        """The next line without its end, taken from the buffer."""
        end = self._buffer.find(b"\n", self._scanned)
        if end < 0:
            self._scanned = len(self._buffer)
            return self._break(f"a line is longer than {limit:,} bytes") if len(self._buffer) > limit else None
        line = self._take(end + 1)[:-1]
        return line[:-1] if line.endswith(b"\r") else line


_BLANK_LINE = re.compile(rb"\n\r?\n")


def _read_head(reader: Reader) -> WireEvent | None:
    buffer = reader._buffer
    if not buffer:
        return None
    if buffer[0] in b"\r\n":  # RFC 9112 section 2.2: ignore empty lines before a message
        reader._take(len(buffer) - len(buffer.lstrip(b"\r\n")))
    if not buffer:
        return None
    wrong = _looks_wrong(reader.role, buffer)
    if wrong:
        return reader._break(wrong)
    found = _BLANK_LINE.search(buffer, max(0, reader._scanned - 2))
    if found is None:
        reader._scanned = len(buffer)
        return reader._break(f"the head is longer than {MAX_HEAD:,} bytes") if len(buffer) > MAX_HEAD else None
    at = reader.offset
    head = parse_head(reader.role, bytes(buffer[: found.end()]), at)
    if isinstance(head, str):
        return reader._break(head)
    reader._begun = at
    reader._take(found.end())
    return head


PREFACE = b"PRI * HTTP/2.0\r\n"
_METHOD_START = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]{0,40}( |$)")


def _looks_wrong(role: str, start: bytearray) -> str | None:
    """Tell from the first bytes, before a whole head is there, that this is not HTTP/1.1."""
    if start[0] in (0x14, 0x15, 0x16, 0x17) and (len(start) == 1 or start[1] == 3):
        return "these bytes are TLS, not plain HTTP" if len(start) > 1 else None
    if role == "request":
        if start.startswith(PREFACE):
            return "an HTTP/2 connection preface comes in the middle of HTTP/1.1"
        return None if _METHOD_START.match(start[:42]) else "the bytes do not begin with an HTTP method"
    expected = b"HTTP/"
    return None if start[:5] == expected[: len(start)] else "the bytes do not begin with an HTTP status line"


def _read_length(reader: Reader) -> WireEvent | None:
    return _read_piece(reader) if reader._left else _read_end(reader)


def _read_piece(reader: Reader) -> WireEvent | None:
    """As much as there is of the bytes that are still to come."""
    if not reader._buffer:
        return None
    at = reader.offset
    data = reader._take(reader._left)
    reader._left -= len(data)
    return Body(at, data)


def _read_chunk_line(reader: Reader) -> WireEvent | None:
    line = reader._line(MAX_CHUNK_LINE)
    if line is None or isinstance(line, Broken):
        return line
    size = _CHUNK_SIZE.match(line)
    if size is None:
        return reader._break(f"{shown(line.decode('latin-1'))} is not the size of a chunk")
    reader._left = int(size[1], 16)
    reader._step = _read_chunk if reader._left else _read_trailers
    return reader._step(reader)


def _read_chunk(reader: Reader) -> WireEvent | None:
    if reader._left:
        return _read_piece(reader)
    reader._step = _read_chunk_end
    return _read_chunk_end(reader)


_NEXT_CHUNK = re.compile(rb"\r\n(?!0)([0-9a-fA-F]{1,16})\r\n")
"""Between two chunks, as everybody writes it: not the last one, whose size is 0."""


def _read_chunk_end(reader: Reader) -> WireEvent | None:
    usual = _NEXT_CHUNK.match(reader._buffer)
    if usual is not None:
        reader._left, end = int(usual[1], 16), usual.end()
        del usual  # it keeps the buffer as it is
        reader._take(end)
        reader._step = _read_chunk
        return _read_chunk(reader)
    line = reader._line(MAX_CHUNK_LINE)
    if line is None or isinstance(line, Broken):
        return line
    if line:
        return reader._break(f"a chunk is followed by {shown(line.decode('latin-1'))} and not by the end of its line")
    reader._step = _read_chunk_line
    return _read_chunk_line(reader)


def _read_trailers(reader: Reader) -> WireEvent | None:
    buffer = reader._buffer
    ended = re.match(rb"\r?\n", buffer)
    if ended is None:
        ended = _BLANK_LINE.search(buffer, max(0, reader._scanned - 2))
        if ended is None:
            reader._scanned = len(buffer)
            return reader._break("the trailers are too long") if len(buffer) > MAX_HEAD else None
    raw = reader._take(ended.end())
    headers = parse_headers(raw.decode("latin-1").replace("\r\n", "\n").split("\n"), [])
    if isinstance(headers, str):
        return reader._break(headers)
    reader._step = _read_end
    return Trailers(headers) if headers else _read_end(reader)


_INSIDE = (_read_length, _read_chunk)


def _read_all(reader: Reader) -> WireEvent | None:
    if not reader._buffer:
        return None
    at = reader.offset
    return Body(at, reader._take(len(reader._buffer)))


def _read_end(reader: Reader) -> WireEvent | None:
    reader._step = _read_head
    return Complete(reader.offset)


def _read_opaque(reader: Reader) -> WireEvent | None:
    if not reader._buffer:
        return None
    at = reader.offset
    return Opaque(at, reader._take(len(reader._buffer)))


def _read_nothing(reader: Reader) -> WireEvent | None:
    return None


_STEPS: dict[BodyKind, Callable[[Reader], WireEvent | None]] = {
    "none": _read_end,
    "length": _read_length,
    "chunked": _read_chunk_line,
    "close": _read_all,
}
