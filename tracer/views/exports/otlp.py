"""Spans of OpenTelemetry: one for the run and one for each exchange, as an ExportTraceServiceRequest in JSON.

OTLP 1.x, JSON encoding: ids in hexadecimal, 64-bit numbers as strings. Attributes follow the semantic conventions for
HTTP client spans; those that begin with `socktrace.` and `docker.` are ours.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from tracer import __version__
from tracer.engine.meaning import meaning_of
from tracer.engine.urls import url
from tracer.events import End, Header
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded

INTERNAL, CLIENT = 1, 3
"""Of enum SpanKind."""
ERROR = 2
"""Of enum StatusCode."""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The request, whole."""
    header = recorded.header
    began = int(datetime.datetime.fromisoformat(header.started).timestamp() * 1_000_000) * 1000
    trace = hashlib.sha256(f"{header.started} {header.argv}".encode()).hexdigest()[:32]
    root = _span_id(trace, 0)
    end = next((event for event in recorded.events() if isinstance(event, End)), None)
    spans = [_run(header, end, began, trace, root)]
    spans += [_span(exchange, began, trace, root) for exchange in recorded.exchanges]
    resource = {"service.name": "socktrace", "host.arch": header.arch, "process.command_args": header.argv}
    scope = {"name": "socktrace", "version": __version__}
    resources = {"resource": {"attributes": _attributes(resource)}, "scopeSpans": [{"scope": scope, "spans": spans}]}
    yield json.dumps({"resourceSpans": [resources]}, ensure_ascii=False).encode() + b"\n"


def _span_id(trace: str, number: int) -> str:
    return hashlib.sha256(f"{trace} {number}".encode()).hexdigest()[:16]


def _run(header: Header, end: End | None, began: int, trace: str, root: str) -> dict[str, Any]:
    done = end.t if end else 0.0
    facts = {"process.command": header.argv[0] if header.argv else "", "process.exit.code": end and end.exit_code}
    return {
        "traceId": trace,
        "spanId": root,
        "name": " ".join(header.argv[:2]),
        "kind": INTERNAL,
        "startTimeUnixNano": str(began),
        "endTimeUnixNano": str(began + int(done * 1e9)),
        "attributes": _attributes(facts),
        "status": {"code": ERROR} if end and end.exit_code else {},
    }


def _span(exchange: Exchange, began: int, trace: str, root: str) -> dict[str, Any]:
    timing = exchange.timing
    sent = timing.sent or 0.0
    done = max(sent, timing.done or sent)
    meaning = meaning_of(exchange)
    status = exchange.response.head.status if exchange.response else None
    failed = (exchange.failure or str(status)) if exchange.has_failed else None
    method = exchange.request.head.method if exchange.request else "connect"
    route = meaning.operation.path if meaning.operation else None
    return {
        "traceId": trace,
        "spanId": _span_id(trace, exchange.number),
        "parentSpanId": root,
        "name": f"{method} {route}" if route else method,
        "kind": CLIENT,
        "startTimeUnixNano": str(began + int(sent * 1e9)),
        "endTimeUnixNano": str(began + int(done * 1e9)),
        "attributes": _attributes(_facts(exchange, failed)),
        "status": {"code": ERROR, "message": exchange.failure or meaning.answered or ""} if failed else {},
    }


def _facts(exchange: Exchange, failed: str | None) -> dict[str, Any]:
    """Attributes by name; None for those that do not apply."""
    meaning, connect = meaning_of(exchange), exchange.party.connect
    host, _, port = connect.address.rpartition(":") if connect.family.startswith("inet") else (connect.address, "", "")
    head, response = exchange.request.head if exchange.request else None, exchange.response
    return {
        "http.request.method": head.method if head else None,
        "url.full": url(exchange) if head else None,
        "url.template": meaning.operation.path if meaning.operation else None,
        "http.response.status_code": response.head.status if response else None,
        "http.request.body.size": exchange.request.body.size if exchange.request else None,
        "http.response.body.size": response.body.size if response else None,
        "network.protocol.name": "http",
        "network.protocol.version": head.version if head else None,
        "network.transport": "tcp" if connect.family.startswith("inet") else connect.family,
        "server.address": host,
        "server.port": int(port) if port.isdigit() else None,
        "user_agent.original": head.value("user-agent") if head else None,
        "error.type": failed,
        "process.pid": connect.pid,
        "process.executable.name": exchange.party.program,
        "docker.operation": meaning.operation.id if meaning.operation else None,
        "docker.api_version": meaning.api_version,
        "socktrace.exchange": exchange.number,
        "socktrace.connection": exchange.party.number,
    }


def _attributes(facts: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"key": name, "value": _value(value)} for name, value in facts.items() if value is not None]


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {"arrayValue": {"values": [_value(item) for item in value]}}
    return {"intValue": str(value)} if isinstance(value, int) else {"stringValue": str(value)}
