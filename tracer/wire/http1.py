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

Headers: TypeAlias = list[tuple[str, str]]
"""In wire order, values decoded as latin-1 (obs-text survives, RFC 9110 section 5.5)."""

MAX_HEAD = 1 << 20
"""A head longer than this is not going to end."""

MAX_CHUNK_LINE = 16 << 10


class Head(Struct, frozen=True):
    """A request line or status line with its headers; `raw` is every byte of it, the blank line included."""

    at: int
    raw: bytes
    version: str
    headers: Headers
    method: str = ""
    target: str = ""
    status: int = 0
    reason: str = ""
    oddities: tuple[str, ...] = ()

    def values(self, name: str) -> list[str]:
        """All values of a header, by its lower-case name."""
        return [value for key, value in self.headers if key.lower() == name]

    def value(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def tokens(self, name: str) -> list[str]:
        """The comma-separated tokens of a header in lower case (`Connection: keep-alive, Upgrade`)."""
        return [token.strip().lower() for value in self.values(name) for token in value.split(",") if token.strip()]


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


WireEvent: TypeAlias = Head | Body | Trailers | Complete | Broken | Opaque

BodyKind: TypeAlias = Literal["none", "length", "chunked", "close"]


class Framing(Struct):
    """How the body of a message is delimited; `length` for kind `length`, `problem` if the headers contradict."""

    kind: BodyKind
    length: int = 0
    problem: str | None = None


_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VERSION = re.compile(r"HTTP/(\d\.\d)")
_CHUNK_SIZE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;|$)")
_DECIMAL = re.compile(r"\d{1,18}")


def request_framing(head: Head) -> Framing:
    """RFC 9112 section 6.3 for requests: without a length there is no body."""
    return _framing(head, Framing("none"))


def response_framing(head: Head, method: str) -> Framing:
    """RFC 9112 section 6.3 for the response to `method`: without a length the body lasts until the close."""
    if method == "HEAD" or head.status in (204, 304) or 100 <= head.status < 200:
        return Framing("none")
    return _framing(head, Framing("close"))


def _framing(head: Head, otherwise: Framing) -> Framing:
    codings = head.tokens("transfer-encoding")
    if codings:
        if codings[-1] == "chunked":
            return Framing("chunked")
        if head.method:
            return Framing("none", problem=f"the request's transfer coding {codings[-1]!r} gives its body no end")
        return Framing("close")
    lengths = {value.strip() for line in head.values("content-length") for value in line.split(",")}
    if not lengths:
        return otherwise
    if len(lengths) > 1:
        both = ", ".join(sorted(lengths))
        return Framing("none", problem=f"the Content-Length headers contradict each other: {both}")
    text = lengths.pop()
    if not _DECIMAL.fullmatch(text):
        return Framing("none", problem=f"the Content-Length {text!r} is not a number")
    return Framing("length", int(text))


class Reader:
    """One direction of one connection. `role` says whether heads are requests or responses."""

    __slots__ = ("_buffer", "_left", "_scanned", "_step", "offset", "role")

    def __init__(self, role: Literal["request", "response"]) -> None:
        self.role = role
        self.offset = 0
        """Offset in the stream of the first byte that has not become an event."""
        self._buffer = bytearray()
        self._scanned = 0
        self._left = 0
        self._step: Callable[[Reader], WireEvent | None] = _read_head

    def feed(self, data: bytes) -> None:
        """Add bytes of the stream."""
        self._buffer += data

    def next_event(self) -> WireEvent | None:
        """What comes next, or None until more is fed. After a Head, `expect` must be called before going on."""
        return self._step(self)

    def expect(self, framing: Framing) -> None:
        """Say how the body of the head just returned is delimited."""
        steps: dict[BodyKind, Callable[[Reader], WireEvent | None]] = {
            "none": _read_end,
            "length": _read_length,
            "chunked": _read_chunk_line,
            "close": _read_all,
        }
        self._left = framing.length
        self._step = steps[framing.kind]

    def end_of_stream(self) -> WireEvent | None:
        """The sender closed: Complete for a body that lasts until the close, Broken in mid-message, else None."""
        if self._step is _read_all:
            self._step = _read_head
            return Complete(self.offset)
        if self._step in (_read_nothing, _read_opaque) or (self._step is _read_head and not self._buffer.strip()):
            return None
        missing = f", {self._left:,} bytes short" if self._step in (_read_length, _read_chunk) else ""
        return self._break(f"the {self.role} was cut off after {self.offset + len(self._buffer):,} bytes{missing}")

    @property
    def between_messages(self) -> bool:
        """No byte of a next message has been read."""
        return self._step is _read_head and not self._buffer

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
    if buffer.startswith((b"\r", b"\n")):  # RFC 9112 section 2.2: ignore empty lines before a message
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


def parse_head(role: str, raw: bytes, at: int = 0) -> Head | str:
    """A complete head from its bytes, or a sentence that says what is wrong with it."""
    lines = raw.decode("latin-1").replace("\r\n", "\n").split("\n")
    oddities: list[str] = []
    if b"\n" in raw.replace(b"\r\n", b""):
        oddities.append("a line of the head ends in LF alone")
    headers = _headers(lines[1:], oddities)
    if isinstance(headers, str):
        return headers
    parse = _request_line if role == "request" else _status_line
    return parse(lines[0], Head(at, raw, "", headers, oddities=tuple(oddities)))


def _request_line(line: str, head: Head) -> Head | str:
    parts = line.split(" ")
    if len(parts) < 3:
        return f"the request line {_shown(line)} does not have three parts"
    method, target, version = parts[0], " ".join(parts[1:-1]), _VERSION.fullmatch(parts[-1])
    if version is None or not _TOKEN.fullmatch(method):
        return f"the request line {_shown(line)} is not METHOD TARGET HTTP/1.x"
    return Head(head.at, head.raw, version[1], head.headers, method=method, target=target, oddities=head.oddities)


def _status_line(line: str, head: Head) -> Head | str:
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    found = _VERSION.fullmatch(version)
    if found is None or not re.fullmatch(r"[1-9]\d\d", code):
        return f"the status line {_shown(line)} is not HTTP/1.x CODE REASON"
    return Head(head.at, head.raw, found[1], head.headers, status=int(code), reason=reason, oddities=head.oddities)


def _headers(lines: list[str], oddities: list[str]) -> Headers | str:
    headers: Headers = []
    for line in lines:
        if not line:
            continue
        if line[0] in " \t":
            if not headers:
                return f"the header line {_shown(line)} continues nothing"
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            oddities.append(f"the header {name} is folded")
            continue
        name, colon, value = line.partition(":")
        if not colon or not name:
            return f"the header line {_shown(line)} has no name and colon"
        if not _TOKEN.fullmatch(name):
            oddities.append(f"the header name {_shown(name)} has characters that a name must not have")
        headers.append((name.strip(), value.strip(" \t")))
    return headers


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


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
        return reader._break(f"{_shown(line.decode('latin-1'))} is not the size of a chunk")
    reader._left = int(size[1], 16)
    reader._step = _read_chunk if reader._left else _read_trailers
    return reader._step(reader)


def _read_chunk(reader: Reader) -> WireEvent | None:
    if reader._left:
        return _read_piece(reader)
    reader._step = _read_chunk_end
    return _read_chunk_end(reader)


def _read_chunk_end(reader: Reader) -> WireEvent | None:
    line = reader._line(MAX_CHUNK_LINE)
    if line is None or isinstance(line, Broken):
        return line
    if line:
        return reader._break(f"a chunk is followed by {_shown(line.decode('latin-1'))} and not by the end of its line")
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
    headers = _headers(raw.decode("latin-1").replace("\r\n", "\n").split("\n"), [])
    if isinstance(headers, str):
        return reader._break(headers)
    reader._step = _read_end
    return Trailers(headers) if headers else _read_end(reader)


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
