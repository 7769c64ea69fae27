"""The meaning of one exchange: its operation, what was asked and what was answered."""

from __future__ import annotations

from msgspec import Struct

from tracer.engine import failures, operations, requests, responses
from tracer.engine.operations import Operation
from tracer.exchanges import Exchange


class Meaning(Struct, frozen=True):
    """What an exchange means to Docker. `api` is docker, libpod (podman's own) or empty without a request."""

    api: str
    api_version: str | None
    path: str
    query: dict[str, list[str]]
    operation: Operation | None
    asked: str | None
    answered: str | None
    advice: str | None

    @property
    def summary(self) -> str | None:
        """The operation in a few words."""
        if self.operation is not None:
            return self.operation.summary
        return "podman's own API (libpod)" if self.api == "libpod" else None

    @property
    def sentence(self) -> str | None:
        """The operation in a sentence."""
        if self.operation is not None:
            return self.operation.sentence
        if self.api == "libpod":
            return "A call of podman's own API, which Docker does not have."
        return None

    @property
    def link(self) -> str | None:
        """The operation's reference page."""
        return self.operation.link(self.api_version) if self.operation else None


def meaning_of(exchange: Exchange) -> Meaning:
    """What `exchange` means; unknown paths have no operation, failed connects have only advice."""
    connect = exchange.party.connect
    if exchange.request is None:
        return Meaning("", None, "", {}, None, None, None, failures.advice(connect))
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
        requests.asked(name, body.preview, query, body.kind, body.entries, body.size),
        responses.answered(exchange, name),
        None,
    )


def parse_query(text: str) -> dict[str, list[str]]:
    """A query string as lists of values by name, blank values kept."""
    if not text:
        return {}
    from urllib.parse import parse_qs

    return parse_qs(text, keep_blank_values=True)
