"""Both directions of a connection as lists of bytes, and what the decoder says of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tracer.wire.connection import HttpConnection, Step, Upgraded
from tracer.wire.heads import Head
from tracer.wire.http1 import Body, Broken, Complete, Opaque, Trailers

Piece = tuple[str, bytes]


def decode(pieces: Iterable[Piece], *, ends: Sequence[str] = ("out", "in")) -> list[tuple[Any, ...]]:
    """The steps of a conversation, with body pieces joined: the same for every way to cut the bytes."""
    wire = HttpConnection()
    steps: list[Step] = []
    for direction, data in pieces:
        steps += wire.feed(direction, data)  # type: ignore[arg-type]
    for direction in ends:
        steps += wire.end_of_stream(direction)  # type: ignore[arg-type]
    return joined(steps)


def joined(steps: Iterable[Step]) -> list[tuple[Any, ...]]:
    """Steps as tuples, per direction, with neighbouring pieces of a body or of opaque bytes in one."""
    lanes: dict[str, list[tuple[Any, ...]]] = {"out": [], "in": []}
    for step in steps:
        lane = lanes[step.direction]
        told = tell(step)
        if lane and told[0] in ("body", "opaque") and lane[-1][:2] == told[:2]:
            lane[-1] = (*told[:2], lane[-1][2] + told[2])
        else:
            lane.append(told)
    return [("out", *told) for told in lanes["out"]] + [("in", *told) for told in lanes["in"]]


def tell(step: Step) -> tuple[Any, ...]:
    event = step.event
    if isinstance(event, Head):
        start = (event.method, event.target) if event.method else (event.status, event.reason)
        return ("head", step.number, *start, event.version, tuple(event.headers))
    if isinstance(event, Body):
        return ("body", step.number, event.data)
    if isinstance(event, Opaque):
        return ("opaque", step.number, event.data)
    if isinstance(event, Trailers):
        return ("trailers", step.number, tuple(event.headers))
    if isinstance(event, Complete):
        return ("complete", step.number, event.end)
    if isinstance(event, Upgraded):
        return ("upgraded", step.number, event.protocol)
    assert isinstance(event, Broken)
    return ("broken", step.number, event.reason)
