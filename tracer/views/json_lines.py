"""`--json`, version 1: one object per exchange and line. Keys may be added; none change meaning."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from tracer.engine.meaning import meaning_of
from tracer.exchanges import Exchange, Item, Message
from tracer.wire.bodies import Body

SCHEMA_VERSION = 1


def render(items: Iterable[Item]) -> Iterator[str]:
    """A line of JSON for each exchange."""
    for item in items:
        if isinstance(item, Exchange):
            yield json.dumps(to_object(item), ensure_ascii=False, separators=(",", ":"))


def to_object(exchange: Exchange) -> dict[str, Any]:
    """The exchange as the object that the schema describes."""
    meaning = meaning_of(exchange)
    connect = exchange.party.connect
    operation = meaning.operation
    head = exchange.request.head if exchange.request else None
    return {
        "v": SCHEMA_VERSION,
        "n": exchange.number,
        "conn": exchange.party.number,
        "pid": connect.pid,
        "comm": exchange.party.program,
        "endpoint": exchange.party.endpoint,
        "method": head.method if head else None,
        "target": head.target if head else None,
        "path": meaning.path if head else None,
        "query": meaning.query,
        "api_version": meaning.api_version,
        "operation": operation.id if operation else None,
        "tag": operation.tag if operation else (meaning.api if meaning.api == "libpod" else None),
        "summary": meaning.summary,
        "request": _message(exchange.request),
        "response": _message(exchange.response),
        "timing": {
            "sent": exchange.timing.sent,
            "first_byte": exchange.timing.first_byte,
            "done": exchange.timing.done,
        },
        "upgrade": exchange.upgrade,
        "stream": _stream(exchange),
        "failure": exchange.failure,
        "story": _story(exchange),
        "negotiation": _negotiation(exchange),
        "credentials": [
            {"registry": login.registry, "user": login.user, "kind": login.kind} for login in exchange.logins
        ],
        "tls": _tls(exchange),
    }


def _tls(exchange: Exchange) -> dict[str, Any] | None:
    session = exchange.party.tls
    if session is None:
        return None
    told: dict[str, Any] = msgspec.to_builtins(session)
    return {name: value for name, value in told.items() if name not in ("type", "t", "conn")}


def _story(exchange: Exchange) -> dict[str, Any] | None:
    story = exchange.story
    if story is None:
        return None
    told = {"number": story.number, "kind": story.kind, "id": story.id, "name": story.name, "made_by": story.made_by}
    return told if exchange.stream_of is None else {**told, "stream_of": exchange.stream_of}


def _negotiation(exchange: Exchange) -> dict[str, Any] | None:
    agreed = exchange.negotiation
    return {"client": agreed.client, "daemon": agreed.daemon, "spoken": agreed.spoken} if agreed else None


def _message(message: Message | None) -> dict[str, Any] | None:
    if message is None:
        return None
    head = message.head
    start = {"status": head.status, "reason": head.reason} if head.status else {}
    headers = [[name, value] for name, value in head.headers]
    return {**start, "http": head.version, "headers": headers, "body": _body(message.body)}


def _body(body: Body) -> dict[str, Any]:
    told: dict[str, Any] = {"size": body.size, "sha256": body.sha256, "kind": body.kind, "preview": body.preview}
    more = {"compression": body.compression, "entries": body.entries, "layers": body.layers, "guessed": body.guessed}
    return {**told, **{name: value for name, value in more.items() if value}}


def _stream(exchange: Exchange) -> dict[str, Any] | None:
    stream = exchange.stream
    if stream is None:
        return None
    if stream.kind in ("grpc", "http2"):
        return {"kind": stream.kind, "calls": stream.calls, "count": stream.count, "problem": stream.problem}
    if stream.kind == "opaque":
        return {"kind": stream.kind, "bytes_out": stream.bytes_out, "bytes_in": stream.bytes_in}
    told = {"kind": stream.kind, "stdin": stream.bytes_out, "stdout": stream.stdout, "stderr": stream.stderr}
    more = {"stdin_closed": stream.stdin_closed, "resizes": stream.resizes}
    return {**told, **more, "guessed": stream.guessed, "preview": stream.preview}
