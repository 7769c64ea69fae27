"""An exchange's request as a URL, for tools that know nothing of Unix sockets."""

from __future__ import annotations

from tracer.engine.operations import split_target
from tracer.exchanges import Exchange


def origin(exchange: Exchange) -> str:
    """`http://localhost` for a Unix socket and for ssh; else scheme, host and port."""
    connect = exchange.party.connect
    if connect.family in ("unix", "pipe"):
        return "http://localhost"
    scheme = "https" if exchange.party.tls is not None else "http"
    return f"{scheme}://{connect.address}"


def url(exchange: Exchange) -> str:
    """The whole URL; a target in another form than a path (`*`, an authority) follows a slash."""
    assert exchange.request is not None
    path, query = split_target(exchange.request.head.target)
    path = path if path.startswith("/") else f"/{path}"
    return f"{origin(exchange)}{path}{'?' + query if query else ''}"
