"""What can be said of HTTP that is not Docker's: the meaning of methods (RFC 9110 section 9.3, PATCH: RFC 5789)."""

from __future__ import annotations

from tracer.exchanges import Exchange

METHODS = {
    "GET": "Asks for a representation of the resource; it changes nothing.",
    "HEAD": "As GET, for the headers only.",
    "POST": "Hands its body over to the resource, which does with it what it is made for.",
    "PUT": "Puts its body in the place of the resource.",
    "PATCH": "Changes parts of the resource.",
    "DELETE": "Removes the resource.",
    "OPTIONS": "Asks what may be done with the resource.",
    "CONNECT": "Asks a proxy for a tunnel to another host.",
    "TRACE": "Asks for an echo of the request.",
}

DOCKER_HEADERS = ("api-version", "docker-experimental", "libpod-api-version")
UNKNOWN = "Not a known operation of the Docker Engine API."


def sentence(exchange: Exchange) -> str | None:
    """What an exchange that is no known operation is for: of another API if its answer has no mark of Docker's."""
    assert exchange.request is not None
    response = exchange.response
    if response is None or any(response.head.value(name) is not None for name in DOCKER_HEADERS):
        return UNKNOWN
    if (response.head.value("server") or "").startswith(("Docker/", "Libpod/")):
        return UNKNOWN
    return METHODS.get(exchange.request.head.method)
