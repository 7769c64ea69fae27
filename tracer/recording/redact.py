"""Masks secrets in the events themselves, one `*` per byte, before anything is shown or written.

Each connection is followed by a decoder of its own, which says where heads and bodies are in the byte streams. An
event is held back only while the decoder has not understood all of its bytes, that is, in the middle of a head or of
a chunk's size line; the order of events is kept. Secret are: the values of SECRET_HEADERS, what `json_mask` finds in
JSON bodies, and passwords in the arguments of commands.
"""

from __future__ import annotations

import re
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from functools import lru_cache

import msgspec.structs

from tracer.events import Close, Connect, Credentials, Data, Direction, End, Event, Exec, Header, Output, TlsSecret
from tracer.recording.json_mask import JsonMask
from tracer.wire import registry_auth
from tracer.wire.connection import HttpConnection, Step, Upgraded
from tracer.wire.heads import REMEMBERED, Head
from tracer.wire.http1 import Body, Opaque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.recording.http2_mask import Http2Mask, Span

SECRET_HEADERS = (
    "authorization",
    "proxy-authorization",
    "x-registry-auth",
    "x-registry-config",
    "cookie",
    "set-cookie",
)
_HEADER_VALUE = re.compile(
    rb"^(?:" + "|".join(SECRET_HEADERS).encode() + rb")[ \t]*:[ \t]*([^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_LINE = re.compile(rb"[^\r\n]+")
_BUILD_ARGUMENT = re.compile(
    rb"(?:%22|\")[A-Za-z0-9_]*(?:PASS|SECRET|TOKEN|KEY)[A-Za-z0-9_]*(?:%22|\")(?:%3A|:)(?:%22|\")(.+?)(?=%22|\"|[ &])",
    re.IGNORECASE,
)
"""In the query of POST /build: `buildargs={"NPM_TOKEN":"..."}`, percent-encoded."""
_SECRETS_PATH = re.compile(r"/secrets(/|$|\?)")
_HELD_EVENTS = 1000


class _Lane:
    """One direction of one connection: how far the decoder was fed, and what is to be masked."""

    def __init__(self) -> None:
        self.fed = 0
        self.spans: deque[Span] = deque()
        self.mask: JsonMask | None = None


class _Watched:
    """A connection with its decoder."""

    def __init__(self, *, midway: bool = False) -> None:
        self._wire = HttpConnection(midway=midway)
        self._lanes: dict[Direction, _Lane] = {"out": _Lane(), "in": _Lane()}
        self._secret_paths: dict[int, bool] = {}
        self._http2: Http2Mask | None = None
        self.logins: list[tuple[int, registry_auth.Login]] = []
        """What the masked headers of the heads just read say, with the offsets of the heads."""

    def feed(self, event: Data) -> int:
        """Let the decoder see the bytes; the offset of the event's first byte in its stream."""
        lane = self._lanes[event.dir]
        start = lane.fed
        lane.fed += event.size
        if lane.mask is None and event.payload and self._wire.passes(event.dir, event.payload):
            return start
        for step in self._wire.take(event.dir, event.size, event.payload):
            self._step(step)
        return start

    def understood(self, direction: Direction) -> int:
        """The offset up to which everything that has to be masked is known."""
        return self._wire.understood(direction) if self._http2 is None else self._http2.understood(direction)

    def _step(self, step: Step) -> None:
        lane = self._lanes[step.direction]
        happened = step.event
        if isinstance(happened, Head):
            at = happened.at
            lane.spans.extend([(at + first, at + last, b"*") for first, last in head_spans(happened.raw)])
            lane.mask = self._body_mask(step, happened)
            if step.direction == "out":
                self.logins += [(happened.at, login) for login in registry_auth.of_head(happened)]
        elif isinstance(happened, Body):
            if lane.mask is not None:
                spans = lane.mask.feed(happened.data)
                lane.spans.extend((happened.at + a, happened.at + b, b"*") for a, b in spans)
        elif isinstance(happened, Opaque):
            if self._http2 is not None:
                for direction, span in self._http2.feed(step.direction, happened):
                    self._lanes[direction].spans.append(span)
        elif isinstance(happened, Upgraded) and happened.protocol in ("h2", "h2c"):
            from tracer.recording.http2_mask import Http2Mask  # HTTP/2 is rare, and costs milliseconds

            self._http2 = Http2Mask(self._wire.understood, happened.first)

    def _body_mask(self, step: Step, head: Head) -> JsonMask | None:
        if step.direction == "out":
            self._secret_paths[step.number] = bool(_SECRETS_PATH.search(head.target))
        media_type = head.value("content-type") or ""
        if "json" not in media_type or head.values("content-encoding"):
            return None
        about_secrets = self._secret_paths.get(step.number, False)
        if step.direction == "in":
            self._secret_paths.pop(step.number, None)
        return JsonMask(frozenset({b"data"} if about_secrets else ()))

    def masked(self, event: Data, start: int) -> Data:
        """The event with its secret bytes replaced."""
        spans = self._lanes[event.dir].spans
        if event.payload is None:
            return event
        end = start + event.size
        payload = event.payload
        if start >= self.understood(event.dir):
            payload = _mask_all(payload, head_spans(payload))
        while spans and spans[0][0] < end:
            first, last, fill = spans[0]
            payload = _mask_all(payload, [(max(0, first - start), min(last, end) - start)], fill)
            if last > end:
                break
            spans.popleft()
        return event if payload is event.payload else msgspec.structs.replace(event, payload=payload)


def head_spans(raw: bytes) -> list[tuple[int, int]]:
    """Where the secret values are in the bytes of a head, in order."""
    return _spans_before(raw) if len(raw) <= REMEMBERED else _spans(raw)


def _spans(raw: bytes) -> list[tuple[int, int]]:
    spans = [found.span(1) for found in _BUILD_ARGUMENT.finditer(raw, 0, raw.find(b"\n") + 1 or len(raw))]
    for found in _HEADER_VALUE.finditer(raw):
        spans += [line.span() for line in _LINE.finditer(raw, *found.span(1))]  # a folded value keeps its lines
    return spans


_spans_before = lru_cache(256)(_spans)
"""A client that polls says the same again and again."""


def _mask_all(payload: bytes, spans: Iterable[tuple[int, int]], fill: bytes = b"*") -> bytes:
    for first, last in spans:
        payload = payload[:first] + fill * (last - first) + payload[last:]
    return payload


_FINAL = frozenset((End, Close))


def redact(events: Iterable[Event]) -> Iterator[Event]:
    """The same events in the same order, with secrets masked and the header marked as redacted."""
    watched: defaultdict[int, _Watched] = defaultdict(_Watched)
    printed = JsonMask()
    held: deque[tuple[Event, int]] = deque()
    for event in events:
        start = 0
        if isinstance(event, Data):
            connection = watched[event.conn]
            start = connection.feed(event)
            for at, login in connection.logins:
                said = Credentials(
                    t=event.t, conn=event.conn, at=at, registry=login.registry, user=login.user, kind=login.kind
                )
                held.append((said, 0))
            connection.logins.clear()
        elif isinstance(event, Header):
            event = msgspec.structs.replace(event, argv=mask_arguments(event.argv), redacted=True)
        elif isinstance(event, Exec):
            event = msgspec.structs.replace(event, argv=mask_arguments(event.argv))
        elif isinstance(event, Output) and event.payload is not None:
            event = msgspec.structs.replace(event, payload=_mask_all(event.payload, printed.feed(event.payload)))
        elif isinstance(event, Connect):
            watched[event.conn] = _Watched(midway=event.midway)
        elif isinstance(event, TlsSecret):
            continue  # it would open what was masked here, in any other capture of the same bytes
        held.append((event, start))
        final = type(event) in _FINAL or len(held) > _HELD_EVENTS
        yield from _release(held, watched, everything=final)
        if isinstance(event, Close):
            watched.pop(event.conn, None)
    yield from _release(held, watched, everything=True)


def _release(held: deque[tuple[Event, int]], watched: dict[int, _Watched], *, everything: bool) -> Iterator[Event]:
    while held:
        event, start = held[0]
        if not isinstance(event, Data):
            held.popleft()
            yield event
            continue
        connection = watched.get(event.conn)
        if connection is None:
            held.popleft()
            yield event
            continue
        if not everything and start + event.size > connection.understood(event.dir):
            return
        held.popleft()
        yield connection.masked(event, start)


_SECRET_IN_ARGUMENT = re.compile(
    r"(\b[A-Za-z0-9_]*(?:PASS|SECRET|TOKEN|KEY)[A-Za-z0-9_]*=)([^\s\"']+)|"
    r"(\b(?:" + "|".join(SECRET_HEADERS) + r"):[ \t]*)([^\"'\r\n]+)",
    re.IGNORECASE,
)


def mask_arguments(argv: list[str]) -> list[str]:
    """A command line with passwords masked: NAME=value by its name, headers, JSON, and docker login's -p."""
    masked: list[str] = []
    for argument in argv:
        before = masked[-1] if masked else ""
        if before == "--password" or (before == "-p" and "login" in argv):
            masked.append("*" * len(argument))
            continue
        argument = _SECRET_IN_ARGUMENT.sub(_starred, argument)
        masked.append(_mask_json_argument(argument))
    return masked


def _starred(found: re.Match[str]) -> str:
    name, value = (found[1], found[2]) if found[1] else (found[3], found[4])
    return name + "*" * len(value)


def _mask_json_argument(argument: str) -> str:
    """curl's `-d '{...}'`: JSON on a command line is masked as in a body."""
    if not argument.startswith(("{", "[")):
        return argument
    raw = argument.encode("utf-8", "surrogateescape")
    return _mask_all(raw, JsonMask().feed(raw)).decode("utf-8", "surrogateescape")
