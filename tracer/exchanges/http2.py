"""A call over HTTP/2 as an exchange like any other (RFC 9113 section 8.3: what the pseudo-headers stand for)."""

from __future__ import annotations

from tracer.events import Direction
from tracer.exchanges.types import Exchange, Message, Party, Timing
from tracer.wire.bodies import EMPTY, Body
from tracer.wire.heads import Head, Headers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.wire.http2 import Call


def exchange(number: int, party: Party, call: Call) -> Exchange:
    """The exchange that a call was; its syscalls are those of the connection's exchange, whose frames carried it."""
    other: Direction = "in" if call.caller == "out" else "out"
    answered = ":status" in call.response
    over = call.ended is not None and not call.reset
    return Exchange(
        number,
        party,
        request=Message(_request(call), _body(call, call.caller)),
        response=Message(_response(call, other), _body(call, other), complete=over) if answered else None,
        timing=Timing(sent=call.began, first_byte=call.answered, done=call.ended),
        failure=_failure(call, answered=answered),
    )


def _failure(call: Call, *, answered: bool) -> str | None:
    if call.reset:
        return "the stream was reset"
    if not answered:
        return "there was no response"
    return None if call.ended is not None else "the response was cut off: the connection was closed"


def _request(call: Call) -> Head:
    said = call.request
    host: Headers = [("Host", said[":authority"])] if said.get(":authority") else []
    headers = host + call.heads[call.caller]
    return Head(0, b"", "2", headers, method=said.get(":method", "?"), target=said.get(":path", "?"))


def _response(call: Call, direction: Direction) -> Head:
    from http import HTTPStatus  # rare, and costs a millisecond

    text = call.response[":status"]
    status = int(text) if text.isdigit() and len(text) == 3 else 0
    reason = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else ""
    return Head(0, b"", "2", call.heads.get(direction, []), status=status, reason=reason)


def _body(call: Call, direction: Direction) -> Body:
    reader = call.bodies.get(direction)
    return reader.finish() if reader else EMPTY
