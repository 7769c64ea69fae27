"""HTTP Archive 1.2 (Jan Odvarko's specification), which the developer tools of browsers open.

Times are milliseconds. A field whose name begins with `_` is ours.
"""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator
from typing import Any

from tracer import __version__
from tracer.engine.meaning import meaning_of
from tracer.engine.urls import url
from tracer.exchanges import Exchange, Message
from tracer.views.exports import Recorded
from tracer.wire.heads import Head

UNKNOWN = -1


def export(recorded: Recorded) -> Iterator[bytes]:
    """The archive; exchanges without a request are left out."""
    began = datetime.datetime.fromisoformat(recorded.header.started)
    entries = [_entry(exchange, began) for exchange in recorded.exchanges if exchange.request is not None]
    log = {
        "version": "1.2",
        "creator": {"name": "socktrace", "version": __version__},
        "pages": [],
        "entries": entries,
        "comment": " ".join(recorded.header.argv),
    }
    yield json.dumps({"log": log}, ensure_ascii=False, indent=1).encode() + b"\n"


def _entry(exchange: Exchange, began: datetime.datetime) -> dict[str, Any]:
    timing, party = exchange.timing, exchange.party
    operation = meaning_of(exchange).operation
    wait = 1000 * (timing.wait or 0.0)
    total = 1000 * (timing.total or 0.0)
    return {
        "startedDateTime": (began + datetime.timedelta(seconds=timing.sent or 0.0)).isoformat(),
        "time": total,
        "request": _request(exchange),
        "response": _response(exchange),
        "cache": {},
        "timings": {"send": 0, "wait": wait, "receive": max(0.0, total - wait)},
        "connection": str(party.number),
        "comment": exchange.failure or (operation.summary if operation else ""),
        "_number": exchange.number,
        "_endpoint": party.endpoint,
        "_process": {"name": party.program, "pid": party.connect.pid},
        "_operation": operation.id if operation else None,
    }


def _request(exchange: Exchange) -> dict[str, Any]:
    assert exchange.request is not None
    head = exchange.request.head
    query = meaning_of(exchange).query
    made: dict[str, Any] = {
        "method": head.method,
        "url": url(exchange),
        "httpVersion": f"HTTP/{head.version}",
        "cookies": [],
        "headers": _headers(head),
        "queryString": [{"name": name, "value": value} for name, values in query.items() for value in values],
        "headersSize": len(head.raw) or UNKNOWN,
        "bodySize": exchange.request.body.size,
    }
    if exchange.request.body.size:
        text, encoding = _text(exchange.request)
        mime = head.value("content-type") or "application/octet-stream"
        made["postData"] = {"mimeType": mime, "text": text or ""}
        if encoding:
            made["postData"]["_encoding"] = encoding
    return made


def _response(exchange: Exchange) -> dict[str, Any]:
    response = exchange.response
    if response is None:
        empty = {"size": 0, "mimeType": "x-unknown"}
        return _answer(0, exchange.failure or "", "HTTP/1.1", [], empty, "", UNKNOWN, UNKNOWN)
    head = response.head
    content: dict[str, Any] = {"size": response.body.size, "mimeType": head.value("content-type") or "x-unknown"}
    text, encoding = _text(response)
    if text is not None:
        content["text"] = text
    if encoding:
        content["encoding"] = encoding
    location = head.value("location") or ""
    raw = len(head.raw) or UNKNOWN
    return _answer(head.status, head.reason, f"HTTP/{head.version}", _headers(head), content, location, raw,
                   response.body.size)  # fmt: skip


def _answer(
    status: int, reason: str, version: str, headers: list[Any], content: dict[str, Any], location: str,
    head_size: int, body_size: int,
) -> dict[str, Any]:  # fmt: skip
    return {
        "status": status,
        "statusText": reason,
        "httpVersion": version,
        "cookies": [],
        "headers": headers,
        "content": content,
        "redirectURL": location,
        "headersSize": head_size,
        "bodySize": body_size,
    }


def _headers(head: Head) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in head.headers]


def _text(message: Message) -> tuple[str | None, str]:
    """A body as text, or in base64; what is too long to be kept is told by its preview."""
    content = message.body.content
    if content is None:
        preview = message.body.preview
        return (preview if isinstance(preview, str) else json.dumps(preview)) if preview is not None else None, ""
    try:
        return content.decode(), ""
    except UnicodeDecodeError:
        return base64.b64encode(content).decode(), "base64"
