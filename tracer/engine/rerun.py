"""What it takes to make recorded requests again: which ids a daemon will give anew, and which requests must not wait.

A container that is created again has another id, so later requests name it by a variable. `docker run` asks for the
exit status before it starts the container: that request has to go on in the background.
"""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from tracer.engine.meaning import meaning_of
from tracer.exchanges import Exchange

SHORT = 12
"""Digits of an id in its short form."""
IN_BACKGROUND = {"ContainerWait"}


class Call(Struct):
    """A request to be made again. `gives` is the variable that its answer's `Id` goes into."""

    exchange: Exchange
    gives: str | None
    waits: bool


class Names:
    """The variables that stand for ids."""

    def __init__(self) -> None:
        self._by_id: dict[str, str] = {}

    def learn(self, identifier: str, variable: str) -> None:
        """An id has a variable from now on."""
        self._by_id[identifier] = variable

    def split(self, text: str) -> list[tuple[str, str | None]]:
        """The text in pieces: as it is (with None), or an id with its variable. Short forms count, too."""
        for identifier, variable in self._by_id.items():
            for form in (identifier, identifier[:SHORT]):
                before, found, after = text.partition(form)
                if found:
                    return [*self.split(before), (form, variable), *self.split(after)]
        return [(text, None)] if text else []


def calls(exchanges: list[Exchange], names: Names) -> Iterator[Call]:
    """The requests, each with the variable for what it makes; `names` knows that variable for those behind it."""
    for exchange in exchanges:
        if exchange.request is None:
            continue
        operation = meaning_of(exchange).operation
        made = exchange.response.body.preview if exchange.response else None
        identifier = made.get("Id") if isinstance(made, dict) and exchange.request.head.method == "POST" else None
        variable = f"ID{exchange.number}" if isinstance(identifier, str) and identifier else None
        yield Call(exchange, variable, operation is not None and operation.id in IN_BACKGROUND)
        if variable is not None and isinstance(identifier, str):
            names.learn(identifier, variable)
