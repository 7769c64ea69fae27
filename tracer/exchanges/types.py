"""What an exchange is: a request, its response, and what is known around them. Types without behaviour."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec.structs
from msgspec import Struct

from tracer.events import (
    Connect,
    Direction,
    Event,
    Tls,
)
from tracer.wire.bodies import EMPTY, Body
from tracer.wire.heads import Head, Headers
from tracer.wire.registry_auth import Login
from tracer.wire.streams import Stream


class Party(Struct):
    """A connection and the two processes at its ends, as far as known."""

    number: int
    connect: Connect
    exe: str | None = None
    argv: list[str] = []
    exchanges: int = 0
    tls: Tls | None = None
    started: str = ""
    """When the run began: ISO 8601 in UTC."""

    @property
    def endpoint(self) -> str:
        """The daemon's address as a URL, in the form of DOCKER_HOST."""
        if self.connect.family == "pipe":
            return self.connect.address
        scheme = "unix" if self.connect.family == "unix" else "tcp"
        return f"{scheme}://{self.connect.address}"

    @property
    def program(self) -> str:
        """The client's name: its comm, or its program file's."""
        return self.connect.comm or (self.exe or "?").rsplit("/", 1)[-1]


class Call(Struct):
    """A run of like syscalls that carried bytes of an exchange: `count` of them moved `size` bytes."""

    t: float
    syscall: str
    fd: int
    tid: int
    dir: Direction
    size: int
    count: int = 1
    pieces: list[bytes | None] = []
    """The bytes of each syscall, if they are kept at all; None for bytes that were counted only."""


class Message(Struct, frozen=True):
    """A request or a response. `complete` is False for one that was cut off."""

    head: Head
    body: Body = EMPTY
    trailers: Headers = []
    complete: bool = True


class Timing(Struct):
    """Seconds on the recording's clock; None for what did not happen."""

    sent: float | None = None
    first_byte: float | None = None
    done: float | None = None

    @property
    def wait(self) -> float | None:
        """Time to the first byte of the response."""
        return None if self.sent is None or self.first_byte is None else max(0.0, self.first_byte - self.sent)

    @property
    def total(self) -> float | None:
        """Time to the last byte."""
        return None if self.sent is None or self.done is None else max(0.0, self.done - self.sent)


class Story(Struct):
    """What one resource went through: a container from its creation to its removal, a build with its session.

    `made_by` is the number of the exchange that made the resource, if that was seen.
    """

    number: int
    kind: str
    id: str
    name: str = ""
    made_by: int | None = None


class Negotiation(Struct, frozen=True):
    """Which API version a client and a daemon agreed on; `client` is the newest that the client knows, if known."""

    client: str | None
    daemon: str
    spoken: str


class Exchange(Struct):
    """A request and its response. Either may be missing; then `failure` is a sentence that says why.

    `story`, `negotiation` and `stream_of` (the number of the exchange whose stream a resize belongs to) are not known
    from the bytes: `engine.stories` fills them in.
    """

    number: int
    party: Party
    request: Message | None = None
    response: Message | None = None
    informational: list[Head] = []
    timing: Timing = msgspec.field(default_factory=Timing)
    calls: list[Call] = []
    upgrade: str | None = None
    stream: Stream | None = None
    failure: str | None = None
    logins: list[Login] = []
    """The registries that the request brings credentials for."""
    story: Story | None = None
    negotiation: Negotiation | None = None
    stream_of: int | None = None

    @property
    def has_failed(self) -> bool:
        """Whether it came to nothing, or the daemon said no."""
        return bool(self.failure) or (self.response is not None and self.response.head.status >= 400)

    @property
    def size(self) -> int:
        """Bytes of both bodies and of the stream."""
        messages = sum(message.body.size for message in (self.request, self.response) if message)
        return messages + (self.stream.bytes_out + self.stream.bytes_in if self.stream else 0)


class Growth(Struct, frozen=True):
    """A part of an exchange that is still going on: a JSON line, a frame of output, a member of an archive.

    `entry` is None for the head of its request or its response.
    """

    exchange: Exchange
    t: float
    direction: Direction
    entry: Any

    @property
    def is_input(self) -> bool:
        """Whether the client said it."""
        from_stdin = isinstance(self.entry, dict) and self.entry.get("stream") == "stdin"
        return self.direction == "out" or from_stdin


Item: TypeAlias = Event | Exchange | Growth
