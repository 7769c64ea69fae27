"""A report in one self-contained page: report.html with the exchanges as JSON in it. It loads nothing from anywhere."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from tracer import __version__
from tracer.engine import generic
from tracer.engine.lesson import Teacher
from tracer.engine.meaning import Meaning, meaning_of
from tracer.engine.names import shorten_ids
from tracer.events import End
from tracer.exchanges import Exchange, Message
from tracer.proof import Proof
from tracer.views import details, verdict
from tracer.views.exports import Recorded
from tracer.views.lesson import LessonView
from tracer.views.lines import Block, painted
from tracer.views.style import UNICODE, visible
from tracer.wire.tls import opened
from tracer.words import catalogue, say

WIDTH = 100
WORDS = "report."
MOST_LINES = 2000
"""Of a body or stream that are shown."""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The page, in three pieces."""
    before, after = files(__package__).joinpath("report.html").read_text(encoding="utf-8").split("/*DATA*/")
    yield before.encode()
    text = json.dumps(_report(recorded), ensure_ascii=False, separators=(",", ":"))
    yield text.replace("<", "\\u003c").replace("\u2028", "\\u2028").encode()
    yield after.encode()


def _report(recorded: Recorded) -> dict[str, Any]:
    header, language = recorded.header, recorded.language
    end = next((event for event in recorded.events() if isinstance(event, End)), None)
    connections = len({exchange.party.number for exchange in recorded.exchanges})
    facts = [
        header.started.replace("T", " ").replace("Z", " UTC"),
        say(language, "report.totals", exchanges=len(recorded.exchanges), connections=connections),
        header.endpoint,
        _ending(end, language) if end else "",
    ]
    made = {"ours": f"socktrace {__version__}", "tool": header.tool, "kernel": header.kernel}
    lesson, proof = _watched(recorded)
    return {
        "title": shlex.join(header.argv),
        "facts": [fact for fact in facts if fact],
        "made": say(language, "report.made", **made),
        "language": language,
        "words": {key.removeprefix(WORDS): text for key, text in catalogue(language).items() if key.startswith(WORDS)},
        "length": end.t if end else max((one.timing.done or 0.0 for one in recorded.exchanges), default=0.0),
        "lesson": lesson,
        "proof": proof,
        "exchanges": [_exchange(exchange, language) for exchange in recorded.exchanges],
    }


def _ending(end: End, language: str) -> str:
    if end.signal is not None:
        return say(language, "report.signal", signal=end.signal)
    return say(language, "report.exit", status=end.exit_code) if end.exit_code is not None else ""


def _watched(recorded: Recorded) -> tuple[str, str]:
    """The explanation and the verdict, as the terminal shows them; no verdict where nothing was watched for one."""
    teacher, proof = Teacher(), Proof()
    for _ in proof.watch(teacher.watch(opened(recorded.events()))):
        continue
    for exchange in recorded.exchanges:
        proof.take(exchange)
        teacher.take(exchange)
    lesson = _text(LessonView(UNICODE, recorded.language).render(teacher.lesson()))
    claims = _text(verdict.render(proof.claims(), UNICODE, recorded.language)) if recorded.header.evidence else ""
    return lesson, claims


def _text(blocks: Iterator[Block]) -> str:
    return "".join(painted(block, WIDTH, color=False) for block in blocks).strip("\n")


def _exchange(exchange: Exchange, language: str) -> dict[str, Any]:
    meaning, timing, connect = meaning_of(exchange), exchange.timing, exchange.party.connect
    head = exchange.request.head if exchange.request else None
    response = exchange.response
    peer = f"{connect.peer.comm or 'process'} pid {connect.peer.pid}" if connect.peer and connect.peer.pid else ""
    return {
        "n": exchange.number,
        "method": head.method if head else "connect",
        "target": visible(head.target) if head else connect.address,
        "short": shorten_ids(visible(head.target)) if head else connect.address,
        "status": response.head.status if response else 0,
        "reason": visible(response.head.reason) if response else (connect.error or say(language, "report.no_response")),
        "bad": exchange.has_failed,
        "sent": timing.sent,
        "first": timing.first_byte,
        "done": timing.done,
        "from": f"{exchange.party.program} pid {connect.pid}",
        "to": " → ".join(part for part in (connect.address, peer) if part),
        "says": [*_said(exchange, meaning, language)],
        "link": meaning.link,
        "request": _message(exchange.request, f"{head.method} {head.target} HTTP/{head.version}" if head else ""),
        "response": _message(
            response, f"HTTP/{response.head.version} {response.head.status} {response.head.reason}" if response else ""
        ),
        "stream": [visible(line) for line in details.stream_lines(exchange.stream)][:MOST_LINES]
        if exchange.stream
        else [],
        "calls": [f"{call.t:.6f} {call.syscall} fd {call.fd}: {call.size} B" for call in exchange.calls[:50]],
    }


def _said(exchange: Exchange, meaning: Meaning, language: str) -> Iterator[list[str]]:
    """Sentences about it, each with its kind."""
    sentence = meaning.sentence or (generic.sentence(exchange) if meaning.api else None)
    if meaning.operation is not None and language != "en":
        sentence = say(language, f"operation.{meaning.operation.id}")
    if sentence:
        yield ["sentence", sentence]
    if meaning.agreed:
        yield ["sentence", meaning.agreed]
    if meaning.asked:
        yield ["sent", visible(meaning.asked)]
    if meaning.answered:
        yield ["received", visible(meaning.answered)]
    if exchange.failure:
        yield ["failure", visible(exchange.failure)]
    if meaning.advice:
        yield ["advice", visible(say(language, meaning.advice.key, **meaning.advice.values))]


def _message(message: Message | None, line: str) -> dict[str, Any] | None:
    if message is None:
        return None
    body = message.body
    shown: dict[str, Any] = {
        "line": visible(line),
        "headers": [[visible(name), visible(value)] for name, value in [*message.head.headers, *message.trailers]],
        "size": body.size,
        "kind": body.kind,
    }
    if body.kind == "json" and not body.cut:
        shown["tree"] = body.preview
    elif body.kind != "none":
        shown["lines"] = [visible(text) for text in details.body_lines(body)][:MOST_LINES]
    return shown
