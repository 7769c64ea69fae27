"""What changed between two runs, exchange by exchange, without what changes by nature.

Ids are renamed in the order in which they appear, so that an id of one run is recognised as that of the other; times,
dates, process ids and addresses that the daemon gives away are left out. Exchanges are paired by method and path.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from msgspec import Struct

from tracer.engine.json_diff import differences, shown
from tracer.engine.meaning import Meaning, meaning_of
from tracer.exchanges import Exchange
from tracer.wire.bodies import Body

BY_NATURE = {
    "Created",
    "CreatedAt",
    "StartedAt",
    "FinishedAt",
    "LastTagTime",
    "LastUpdated",
    "SystemTime",
    "Status",
    "Pid",
    "Ports",
    "IPAddress",
    "GlobalIPv6Address",
    "MacAddress",
    "SandboxKey",
    "ResolvConfPath",
    "HostnamePath",
    "HostsPath",
    "LogPath",
    "time",
    "timeNano",
    "read",
    "preread",
    "cpu_stats",
    "precpu_stats",
    "memory_stats",
    "blkio_stats",
    "NFd",
    "NGoroutines",
    "MemTotal",
    "KernelVersion",
}
"""Fields whose values differ from run to run."""

UNIMPORTANT_HEADERS = {"date", "user-agent", "content-length", "server", "host"}

_ID = re.compile(r"(?<![0-9A-Za-z])(?:sha256:)?([0-9a-f]{64}|[0-9a-f]{12})(?![0-9A-Za-z])")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)|\b1[0-9]{9}(?:\.\d+)?\b")


_MADE_UP = re.compile(r"/?[a-z]+_[a-z]+\d?")


class Change(Struct, frozen=True):
    """`kind` is removed, added or changed; `before` and `after` are the numbers of the exchanges."""

    kind: str
    line: str
    before: int | None
    after: int | None
    differences: list[str]


class _Names:
    """Renames what changes by nature in one run, the same name for the same id."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def plain(self, text: str) -> str:
        """The text with ids renamed and times left out."""
        text = _TIME.sub("TIME", text)
        return _ID.sub(lambda found: self._name(found[1]), text)

    def _name(self, digits: str) -> str:
        short = digits[:12]
        return self._known.setdefault(short, f"id-{len(self._known) + 1}")

    def _made_up(self, key: str, value: Any) -> Any:
        """A name that the daemon made up for a container is one of the things that change by nature."""
        if key == "Name" and isinstance(value, str) and _MADE_UP.fullmatch(value):
            return self._known.setdefault(value, f"name-{len(self._known) + 1}")
        return [self._made_up("Name", name) for name in value] if key == "Names" and isinstance(value, list) else value

    def value(self, value: Any) -> Any:
        """The same for all texts of a JSON value, without the fields that change by nature."""
        if isinstance(value, dict):
            kept = {key: self._made_up(key, inner) for key, inner in value.items() if key not in BY_NATURE}
            return {self.plain(str(key)): self.value(inner) for key, inner in kept.items()}
        if isinstance(value, list):
            return [self.value(inner) for inner in value]
        return self.plain(value) if isinstance(value, str) else value


class _Told(Struct):
    """An exchange with all names plain."""

    number: int
    line: str
    version: str | None
    query: dict[str, Any]
    headers: dict[str, str]
    asked: Any
    status: int | None
    answered: Any
    failure: str | None


def compare(before: Sequence[Exchange], after: Sequence[Exchange]) -> list[Change]:
    """The changes from one run to another, in their order."""
    first, second = _told(before), _told(after)
    lines = SequenceMatcher(None, [told.line for told in first], [told.line for told in second], autojunk=False)
    changes: list[Change] = []
    for tag, a, b, c, d in lines.get_opcodes():
        if tag == "equal":
            changes += [change for pair in zip(first[a:b], second[c:d], strict=True) if (change := _changed(*pair))]
            continue
        changes += [Change("removed", told.line, told.number, None, []) for told in first[a:b]]
        changes += [Change("added", told.line, None, told.number, []) for told in second[c:d]]
    return changes


def _told(exchanges: Sequence[Exchange]) -> list[_Told]:
    names = _Names()
    return [_tell(exchange, meaning_of(exchange), names) for exchange in exchanges]


def _tell(exchange: Exchange, meaning: Meaning, names: _Names) -> _Told:
    request, response = exchange.request, exchange.response
    head = request.head if request else None
    line = f"{head.method} {names.plain(meaning.path)}" if head else f"connect {exchange.party.connect.address}"
    headers = {name.lower(): names.plain(value) for name, value in head.headers} if head else {}
    return _Told(
        number=exchange.number,
        line=line,
        version=meaning.api_version,
        query={name: names.value(values) for name, values in meaning.query.items()},
        headers={name: value for name, value in headers.items() if name not in UNIMPORTANT_HEADERS},
        asked=_body(request.body, names) if request else None,
        status=response.head.status if response else None,
        answered=_body(response.body, names) if response else None,
        failure=names.plain(exchange.failure) if exchange.failure else None,
    )


def _body(body: Body, names: _Names) -> Any:
    """JSON by its values, archives by their listing, text by its words, everything else by its digest."""
    if body.kind in ("json", "jsonlines"):
        return names.value(body.preview)
    if body.kind == "tar":
        return [[member["name"], member["size"], member["type"]] for member in body.preview]
    if body.kind in ("multiplexed", "raw"):
        return [body.kind, body.streams or body.size]
    return names.plain(body.preview) if body.kind == "text" else [body.kind, body.sha256]


def _changed(one: _Told, two: _Told) -> Change | None:
    found = list(_differences(one, two))
    return Change("changed", two.line, one.number, two.number, found) if found else None


def _differences(one: _Told, two: _Told) -> Iterator[str]:
    if one.version != two.version:
        yield f"the API version was {one.version} and is {two.version} now"
    for label, before, after in (
        ("query", one.query, two.query),
        ("header", one.headers, two.headers),
        ("request", one.asked, two.asked),
    ):
        yield from (f"{label} {text}" for text in differences(before, after))
    if one.status != two.status:
        yield f"the status was {one.status} and is {two.status} now"
    yield from (f"answer {text}" for text in differences(one.answered, two.answered))
    if one.failure != two.failure:
        yield f"the failure was {shown(one.failure)} and is {shown(two.failure)} now"
