"""What exchanges have to do with each other: the story of one container, who made an id, whose stream a resize is for.

Exchanges come in the order in which they end. What an earlier one said (the Id and Tty of a create or an inspect, the
API version of a ping) completes later ones. Only the last MOST resources are remembered: a poller may run for months.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec.structs

from tracer.engine.operations import Operation, route, split_target
from tracer.engine.versions import Versions
from tracer.exchanges import Exchange, Item, Story
from tracer.wire import bodies, streams

MOST = 10_000

CREATED = {
    "ContainerCreate": ("container", "Id"),
    "NetworkCreate": ("network", "Id"),
    "VolumeCreate": ("volume", "Name"),
    "ServiceCreate": ("service", "ID"),
    "SecretCreate": ("secret", "ID"),
    "ConfigCreate": ("config", "ID"),
}
"""Operations that make a resource: its kind, and the field of the answer that names it."""

_RESOURCE = re.compile(r"/(container|network|volume|service|secret|config)s/([^/]+)")
_EXEC = re.compile(r"/exec/([^/]+)")
_BUILD = {"ImageBuild", "Session", "Grpc"}
_RESIZES = {"ContainerResize", "ExecResize"}
_HEX = re.compile(r"[0-9a-f]{4,64}")
NAMED_STREAMS = (1, 42)
"""From this API version on the media type tells multiplexed from raw."""


def told(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, with each exchange's place in its story filled in."""
    stories = Stories()
    for item in items:
        if isinstance(item, Exchange):
            stories.take(item)
        yield item


class Stories:
    """What is known of the resources of a run."""

    def __init__(self) -> None:
        self._made = 0
        self._found: dict[tuple[str, str], Story] = {}
        """By kind and id, name, or the form in which a request named it."""
        self._execs: dict[str, Story] = {}
        self._terminals: dict[object, bool] = {}
        """The Tty of a container (by its story's number) or of an exec (by its id)."""
        self._resizes: dict[object, list[Exchange]] = {}
        self._versions = Versions()

    def take(self, exchange: Exchange) -> None:
        """Learn from an exchange that is over, and tell it what was learned before."""
        if exchange.request is None:
            return
        head = exchange.request.head
        path, _ = split_target(head.target)
        found = route(head.method, path)
        exchange.negotiation = self._versions.of(exchange, found.version)
        if found.api != "docker":
            return
        operation = found.operation
        name = operation.id if operation else ""
        if name in CREATED:
            self._created(exchange, *CREATED[name])
        elif operation is not None:
            self._about(exchange, operation, found.path)
        _forget_old(self._found, self._execs, self._terminals, self._resizes)
        subject = _EXEC.match(found.path)
        self._stream(exchange, name, subject[1] if subject else exchange.story and exchange.story.number, found.version)

    def _created(self, exchange: Exchange, kind: str, field: str) -> None:
        answer, asked = _object(exchange.response), _object(exchange.request)
        made = answer.get(field)
        if not isinstance(made, str) or not made:
            return
        story = self._story(kind, made)
        story.made_by = exchange.number
        story.name = asked.get("Name") or _query(exchange, "name") or story.name
        if story.name:
            self._found[kind, story.name] = story
        if kind == "container":
            self._terminals[story.number] = bool(asked.get("Tty"))
        exchange.story = story

    def _about(self, exchange: Exchange, operation: Operation, path: str) -> None:
        """An operation on a resource that is there already."""
        resource = _RESOURCE.match(path)
        if resource and "{" in operation.path:
            exchange.story = self._story(resource[1], resource[2])
            self._learn(exchange, operation.id, exchange.story)
        elif executed := _EXEC.match(path):
            exchange.story = self._execs.get(executed[1])
        elif operation.id in _BUILD:
            exchange.story = self._story("build", f"of process {exchange.party.connect.pid}")
            exchange.story.name = _query(exchange, "t") or exchange.story.name

    def _learn(self, exchange: Exchange, operation: str, story: Story) -> None:
        answer = _object(exchange.response)
        if operation == "ContainerInspect" and isinstance(answer.get("Id"), str):
            story.id = answer["Id"]
            self._found.setdefault(("container", story.id), story)
            name = answer.get("Name")
            if isinstance(name, str) and name:
                story.name = name.lstrip("/")
                self._found.setdefault(("container", story.name), story)
            settings = answer.get("Config")
            if isinstance(settings, dict):
                self._terminals[story.number] = bool(settings.get("Tty"))
        elif operation == "ContainerExec" and isinstance(answer.get("Id"), str):
            self._execs[answer["Id"]] = story
            self._terminals[answer["Id"]] = bool(_object(exchange.request).get("Tty"))

    def _story(self, kind: str, reference: str) -> Story:
        """The story of the resource that `reference` (an id, the beginning of one, or a name) means."""
        found = self._found.get((kind, reference)) or self._by_prefix(kind, reference)
        if found is None:
            self._made += 1
            is_name = not _HEX.fullmatch(reference)
            found = Story(self._made, kind, reference, reference if is_name else "")
        self._found[kind, reference] = found
        return found

    def _by_prefix(self, kind: str, reference: str) -> Story | None:
        if not _HEX.fullmatch(reference) or len(reference) == 64:
            return None
        known = (story for (of, key), story in self._found.items() if of == kind and key.startswith(reference))
        return next(known, None)

    def _stream(self, exchange: Exchange, operation: str, subject: object, version: str | None) -> None:
        """Decide what the stream or body is, and whose stream a resize belongs to."""
        if subject is None:
            return
        if operation in _RESIZES:
            self._resizes.setdefault(subject, []).append(exchange)
            return
        terminal = self._terminal(exchange, operation, subject, version)
        if exchange.stream is not None:
            if terminal is not None:
                exchange.stream = streams.settled(exchange.stream, terminal=terminal)
            self._resized(exchange, self._resizes.pop(subject, []))
        response = exchange.response
        if response is not None and response.body.other is not None and terminal is not None:
            body = bodies.settled(response.body, terminal=terminal)
            exchange.response = msgspec.structs.replace(response, body=body)

    def _terminal(self, exchange: Exchange, operation: str, subject: object, version: str | None) -> bool | None:
        """Whether there is a terminal behind an output, if that is known."""
        if operation == "ExecStart":
            asked = _object(exchange.request)
            return bool(asked["Tty"]) if "Tty" in asked else self._terminals.get(subject)
        known = self._terminals.get(subject)
        if known is None and version is not None and _number(version) >= NAMED_STREAMS:
            return True  # else its media type would have said so
        return known

    def _resized(self, exchange: Exchange, resizes: list[Exchange]) -> None:
        stream = exchange.stream
        assert stream is not None
        sizes = []
        for resize in resizes:
            resize.stream_of = exchange.number
            size = {name: _integer(_query(resize, name)) for name in ("w", "h")}
            sizes.append({"n": resize.number, "t": resize.timing.sent, **size})
        if sizes:
            exchange.stream = msgspec.structs.replace(stream, resizes=sizes)


def _forget_old(*tables: dict[Any, Any]) -> None:
    for table in tables:
        while len(table) > MOST:
            del table[next(iter(table))]


def _object(message: Any) -> dict[str, Any]:
    """The body of a message as a JSON object; an empty one where it is something else."""
    preview = message.body.preview if message is not None else None
    return preview if isinstance(preview, dict) else {}


def _query(exchange: Exchange, name: str) -> str:
    from tracer.engine.meaning import parse_query

    assert exchange.request is not None
    return parse_query(split_target(exchange.request.head.target)[1]).get(name, [""])[0]


def _integer(text: str) -> int | None:
    return int(text) if text.isdigit() else None


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
