"""The meaning of one exchange: its operation, what was asked and what was answered."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tracer.engine import diagnosis, libpod, operations, requests, responses
from tracer.engine.names import short_id
from tracer.engine.operations import Operation
from tracer.exchanges import Exchange
from tracer.words import Said


class Meaning(Struct, frozen=True):
    """What an exchange means to Docker. `api` is docker, libpod (podman's own) or empty without a request."""

    api: str
    api_version: str | None
    path: str
    query: dict[str, list[str]]
    operation: Operation | None
    asked: str | None
    """What the request asks for, with the registries that it brings credentials for."""
    answered: str | None
    advice: Said | None
    """Why it failed and what to do, if it did."""
    agreed: str | None
    """Which API version client and daemon agreed on, where this exchange is the first to use it."""
    context: list[str]
    """What earlier exchanges have to do with this one: whose story it is, whose terminal a resize is for."""
    sentence: str | None = None
    """What it is for."""

    @property
    def summary(self) -> str | None:
        """The operation in a few words."""
        if self.operation is not None:
            return self.operation.summary
        return "podman's own API (libpod)" if self.api == "libpod" else None

    @property
    def link(self) -> str | None:
        """The operation's reference page."""
        return self.operation.link(self.api_version) if self.operation else None


def meaning_of(exchange: Exchange) -> Meaning:
    """What `exchange` means; unknown paths have no operation, what has no request has only advice."""
    if exchange.request is None:
        return Meaning("", None, "", {}, None, None, None, diagnosis.of_exchange(exchange), None, [])
    head, body = exchange.request.head, exchange.request.body
    path, raw_query = operations.split_target(head.target)
    route = operations.route(head.method, path)
    query = parse_query(raw_query)
    name = route.operation.id if route.operation else ""
    return Meaning(
        route.api,
        route.version,
        route.path,
        query,
        route.operation,
        requests.asked(name, body, query, exchange.logins),
        responses.answered(exchange, name),
        diagnosis.of_exchange(exchange),
        _agreed(exchange),
        list(_context(exchange)),
        _sentence(head.method, route),
    )


def _sentence(method: str, route: operations.Route) -> str | None:
    if route.api == "libpod":
        return libpod.sentence(method, route.path)
    return route.operation.sentence if route.operation else None


def _agreed(exchange: Exchange) -> str | None:
    agreed = exchange.negotiation
    if agreed is None:
        return None
    client = f"client {agreed.client}, " if agreed.client else ""
    return f"API version: {client}daemon {agreed.daemon}, they speak {agreed.spoken}"


def _context(exchange: Exchange) -> Iterator[str]:
    story = exchange.story
    if story is not None and story.made_by != exchange.number:
        name = f" {story.name}" if story.name else f" {short_id(story.id)}"
        yield f"{story.kind}{name}{f' of {story.made_by}' if story.made_by else ''}"
    if exchange.stream_of is not None:
        yield f"the terminal of {exchange.stream_of}"


def parse_query(text: str) -> dict[str, list[str]]:
    """A query string as lists of values by name, blank values kept."""
    if not text:
        return {}
    from urllib.parse import parse_qs

    return parse_qs(text, keep_blank_values=True)
