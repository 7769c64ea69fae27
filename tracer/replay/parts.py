"""The parts that a recorded daemon has to play: one for each exchange, with the bytes it sent and when.

A part waits for what the recording shows to have come before: an answer to /wait that came after the container's start
is not sent before the client has asked for that start, and a stream's output comes after the input that preceded it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

from msgspec import Struct

from tracer.engine.meaning import meaning_of, parse_query
from tracer.engine.operations import route, split_target
from tracer.engine.stories import told
from tracer.events import Event
from tracer.exchanges import Exchange, assemble, in_order
from tracer.wire.bodies import Body
from tracer.wire.heads import Head

RESIZES = ("ContainerResize", "ExecResize")
"""Nothing waits for these: they come only from clients with a terminal."""


class Asked(Struct, frozen=True):
    """What matters of a request: the path without its version, the query by name, and the body."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: Body

    @property
    def line(self) -> str:
        """`POST /containers/create`."""
        return f"{self.method} {self.path}"


def asked(head: Head, body: Body) -> Asked:
    """A request as matching sees it."""
    path, query = _line(head.method, head.target)
    return Asked(head.method, path, query, body)


@lru_cache(256)
def _line(method: str, target: str) -> tuple[str, dict[str, list[str]]]:
    """The path without its version, and the query. Clients that poll ask the same again and again."""
    path, query = split_target(target)
    return route(method, path).path, parse_query(query)


class Piece(Struct, frozen=True):
    """Bytes that the daemon sent `t` seconds after the request, when the client had sent `heard` bytes of a stream."""

    t: float
    data: bytes
    heard: int = 0


class Cue(Struct, frozen=True):
    """What has to have come before a piece: the request of another part, and so many of that part's own pieces."""

    piece: int
    part: int
    played: int = 0


class Part(Struct):
    """One exchange to be played; its cues keep it in step with the other parts of its story."""

    number: int
    asked: Asked
    pieces: list[Piece]
    upgrade: str | None
    complete: bool
    """The daemon ended this answer; else the client went first, and the connection is kept for it."""
    closes: bool
    """The connection ends with the answer."""
    story: int | None
    sent: float
    cues: list[Cue] = []
    operation: str = ""
    missing: bool = False
    """Some of its bytes were counted only when it was recorded: it can't be played."""


def parts(events: Iterable[Event]) -> list[Part]:
    """The parts of a recording, in the order of their requests."""
    items = in_order(told(assemble(events, keep_pieces=True)))
    found = [_part(item) for item in items if isinstance(item, Exchange) and item.request and item.response]
    _order(found)
    return found


def _part(exchange: Exchange) -> Part:
    assert exchange.request is not None
    assert exchange.response is not None
    sent = exchange.timing.sent or 0.0
    operation = meaning_of(exchange).operation
    incoming = [call for call in exchange.calls if call.dir == "in"]
    ended = any(call.size == 0 for call in incoming)
    head = exchange.response.head
    return Part(
        number=exchange.number,
        asked=asked(exchange.request.head, exchange.request.body),
        pieces=list(_pieces(exchange, sent)),
        upgrade=exchange.upgrade,
        complete=ended if exchange.upgrade else exchange.response.complete,
        closes=ended or "close" in head.tokens("connection") or exchange.response.head.version == "1.0",
        story=exchange.story.number if exchange.story else None,
        sent=sent,
        operation=operation.id if operation else "",
        missing=any(piece is None for call in incoming for piece in call.pieces),
    )


def _pieces(exchange: Exchange, sent: float) -> Iterator[Piece]:
    """What came in, with how much of the stream had gone out by then."""
    heard = 0
    answered = False
    for call in exchange.calls:
        for data in call.pieces:
            if call.dir == "in" and data:
                answered = True
                yield Piece(max(0.0, call.t - sent), data, heard)
            elif call.dir == "out" and data and answered and exchange.upgrade:
                heard += len(data)


def _order(found: list[Part]) -> None:
    """Which requests of the same story, and how much of its other streams, each piece has to wait for."""
    for part in found:
        for index, piece in enumerate(part.pieces):
            moment = part.sent + piece.t
            part.cues += [
                Cue(index, other.number, _played_by(moment, other))
                for other in found
                if part.story is not None and other.story == part.story and _is_cue(part, other, moment)
            ]


def _is_cue(part: Part, other: Part, moment: float) -> bool:
    """Whether what the daemon sent at `moment` may have needed the other request.

    Of streams that were open already, their progress counts: a build ends after the session that fed it.
    """
    if other.asked.method in ("GET", "HEAD") or other.operation in RESIZES or other is part:
        return False
    return other.sent < moment and (part.sent < other.sent or other.upgrade is not None)


def _played_by(moment: float, other: Part) -> int:
    """How many pieces of a stream had been sent by then; 0 of an answer that is no stream."""
    return sum(other.sent + piece.t < moment for piece in other.pieces) if other.upgrade else 0


def tar_listing(body: Body) -> list[Any]:
    """What is compared of an archive: names, sizes and types; not its times, which change with every packing."""
    return [(member["name"], member["size"], member["type"]) for member in body.preview]
