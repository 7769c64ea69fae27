"""What the sequence diagrams say: the two ends of an exchange, its question and its answer, in a few words each."""

from __future__ import annotations

from tracer.engine.meaning import meaning_of
from tracer.engine.names import duration, shorten_ids
from tracer.exchanges import Exchange
from tracer.views.style import visible

LONGEST = 70
"""Characters."""


def ends(exchange: Exchange) -> tuple[str, str]:
    """The client with its process id, and the daemon with its address."""
    connect = exchange.party.connect
    peer = connect.peer
    name = (peer.comm if peer and peer.how != "helper" else None) or "daemon"
    return f"{exchange.party.program} ({connect.pid})", f"{name} at {connect.address}"


def question(exchange: Exchange) -> str:
    """`POST /containers/create?name=x`."""
    if exchange.request is None:
        return f"connect {exchange.party.connect.address}"
    return _short(f"{exchange.request.head.method} {exchange.request.head.target}")


def answer(exchange: Exchange) -> str:
    """`201 Created (12 ms), container 0123456789ab`."""
    if exchange.response is None:
        return _short(exchange.failure or "no response")
    head = exchange.response.head
    total = exchange.timing.total
    time = f" ({duration(total)})" if total is not None else ""
    told = exchange.failure or meaning_of(exchange).answered
    return _short(f"{head.status} {head.reason}{time}{f', {told}' if told else ''}")


def _short(text: str) -> str:
    text = shorten_ids(visible(text)).replace("\n", " ")
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
