"""Heads of HTTP/1.1 messages: request lines, status lines, header lines, and how the body that follows is delimited.

RFC 9112: request line section 3, status line section 4, field syntax section 5, body length section 6.3. Lenient in
what is accepted (bare LF, folded headers, any octet in a value), exact in what is said to be wrong.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import force_setattr

Headers: TypeAlias = list[tuple[str, str]]
"""In wire order, values decoded as latin-1 (obs-text survives, RFC 9110 section 5.5)."""


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
    names: dict[str, list[str]] = {}
    """The values of each header by its lower-case name: heads are asked for them often."""

    def __post_init__(self) -> None:
        if self.headers and not self.names:
            names: dict[str, list[str]] = {}
            for name, value in self.headers:
                names.setdefault(name.lower(), []).append(value)
            force_setattr(self, "names", names)

    def values(self, name: str) -> list[str]:
        """All values of a header, by its lower-case name."""
        return self.names.get(name) or []

    def value(self, name: str) -> str | None:
        """The first value of a header, by its lower-case name."""
        values = self.names.get(name)
        return values[0] if values else None

    def tokens(self, name: str) -> list[str]:
        """The comma-separated tokens of a header in lower case (`Connection: keep-alive, Upgrade`)."""
        if name not in self.names:
            return []
        return [token.strip().lower() for value in self.values(name) for token in value.split(",") if token.strip()]


BodyKind: TypeAlias = Literal["none", "length", "chunked", "close"]


class Framing(Struct, frozen=True):
    """How the body of a message is delimited; `length` for kind `length`, `problem` if the headers contradict."""

    kind: BodyKind
    length: int = 0
    problem: str | None = None


NO_BODY, UNTIL_CLOSE = Framing("none"), Framing("close")

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VERSION = re.compile(r"HTTP/(\d\.\d)")
_DECIMAL = re.compile(r"\d{1,18}")


def request_framing(head: Head) -> Framing:
    """RFC 9112 section 6.3 for requests: without a length there is no body."""
    return _framing(head, NO_BODY)


def response_framing(head: Head, method: str) -> Framing:
    """RFC 9112 section 6.3 for the response to `method`: without a length the body lasts until the close."""
    if method == "HEAD" or head.status in (204, 304) or 100 <= head.status < 200:
        return NO_BODY
    return _framing(head, UNTIL_CLOSE)


def _framing(head: Head, otherwise: Framing) -> Framing:
    codings = head.tokens("transfer-encoding")
    if codings:
        if codings[-1] == "chunked":
            return Framing("chunked")
        if head.method:
            return Framing("none", problem=f"the request's transfer coding {codings[-1]!r} gives its body no end")
        return UNTIL_CLOSE
    if "content-length" not in head.names:
        return otherwise
    lengths = {value.strip() for line in head.values("content-length") for value in line.split(",")}
    if len(lengths) > 1:
        both = ", ".join(sorted(lengths))
        return Framing("none", problem=f"the Content-Length headers contradict each other: {both}")
    text = lengths.pop()
    if not _DECIMAL.fullmatch(text):
        return Framing("none", problem=f"the Content-Length {text!r} is not a number")
    return Framing("length", int(text))


REMEMBERED = 4096
"""Bytes: longer heads are not kept in memory for another time."""


def parse_head(role: str, raw: bytes, at: int = 0) -> Head | str:
    """A complete head from its bytes, or a sentence that says what is wrong with it."""
    head = _parsed_before(role, raw) if len(raw) <= REMEMBERED else _parsed(role, raw)
    if not at or isinstance(head, str):
        return head
    return Head(
        at, head.raw, head.version, head.headers, head.method, head.target, head.status, head.reason, head.oddities,
        head.names,
    )  # fmt: skip


def _parsed(role: str, raw: bytes) -> Head | str:
    lines = raw.decode("latin-1").replace("\r\n", "\n").split("\n")
    oddities: list[str] = []
    if b"\n" in raw.replace(b"\r\n", b""):
        oddities.append("a line of the head ends in LF alone")
    headers = parse_headers(lines[1:], oddities)
    if isinstance(headers, str):
        return headers
    head = Head(0, raw, "", headers)
    if "content-length" in head.names and "transfer-encoding" in head.names:
        oddities.append("Content-Length and Transfer-Encoding are both there: the first does not count")
    parse = _request_line if role == "request" else _status_line
    return parse(lines[0], head, tuple(oddities))


_parsed_before = lru_cache(1024)(_parsed)
"""A client that polls says the same again and again."""


def _request_line(line: str, head: Head, oddities: tuple[str, ...]) -> Head | str:
    parts = line.split(" ")
    if len(parts) < 3:
        return f"the request line {shown(line)} does not have three parts"
    method, target, version = parts[0], " ".join(parts[1:-1]), _VERSION.fullmatch(parts[-1])
    if version is None or not _TOKEN.fullmatch(method):
        return f"the request line {shown(line)} is not METHOD TARGET HTTP/1.x"
    return Head(0, head.raw, version[1], head.headers, method, target, oddities=oddities, names=head.names)


def _status_line(line: str, head: Head, oddities: tuple[str, ...]) -> Head | str:
    version, _, rest = line.partition(" ")
    code, _, reason = rest.partition(" ")
    found = _VERSION.fullmatch(version)
    if found is None or not re.fullmatch(r"[1-9]\d\d", code):
        return f"the status line {shown(line)} is not HTTP/1.x CODE REASON"
    return Head(
        0, head.raw, found[1], head.headers, status=int(code), reason=reason, oddities=oddities, names=head.names
    )


def parse_headers(lines: list[str], oddities: list[str]) -> Headers | str:
    """Header lines without their ends, or a sentence that says what is wrong; `oddities` is added to."""
    headers: Headers = []
    for line in lines:
        if not line:
            continue
        if line[0] in " \t":
            if not headers:
                return f"the header line {shown(line)} continues nothing"
            name, value = headers[-1]
            headers[-1] = (name, f"{value} {line.strip()}".strip())
            oddities.append(f"the header {name} is folded")
            continue
        name, colon, value = line.partition(":")
        if not colon or not name:
            return f"the header line {shown(line)} has no name and colon"
        if not _TOKEN.fullmatch(name):
            oddities.append(f"the header name {shown(name)} has characters that a name must not have")
        headers.append((name.strip(), value.strip(" \t")))
    return headers


def shown(text: str) -> str:
    """A text in quotes, shortened, for a sentence about it."""
    return repr(text if len(text) <= 60 else text[:57] + "...")
