"""What flows after a change of protocol: Docker's hijacked streams, gRPC, and the byte counts of everything else.

After a hijack the client sends stdin as it is. The daemon sends either the bytes of a terminal as they are, or, for a
container without a terminal, frames of stdout and stderr (see `bodies.multiplexed`). From API 1.42 on the response's
media type says which; before that both are called a raw stream, and only the look of the bytes can tell: that is a
guess, and is said to be one.
"""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from tracer.wire.bodies.multiplexed import MultiplexedView
from tracer.wire.bodies.text import TextView
from tracer.wire.http2 import Http2Connection

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


class Stream(Struct, frozen=True):
    """What flowed. `kind` is multiplexed, raw (a terminal), grpc, http2, or opaque (not decoded)."""

    kind: str = "opaque"
    bytes_out: int = 0
    bytes_in: int = 0
    stdout: int = 0
    stderr: int = 0
    preview: Any = None
    """Frames for multiplexed, text for raw."""
    guessed: bool = False
    """Nothing but the look of the bytes told multiplexed from raw."""
    calls: list[dict[str, Any]] = []
    """The calls of an HTTP/2 connection."""
    problem: str | None = None
    """Why an HTTP/2 connection could not be read to its end."""


class StreamReader(Protocol):
    """Takes the bytes of both directions after a change of protocol."""

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""

    def received(self, data: bytes) -> None:
        """Bytes from the daemon."""

    def finish(self) -> Stream:
        """What it was."""


def reader_for(protocol: str, media_type: str = "") -> StreamReader:
    """The reader for a protocol, by the name that the Upgrade header gives it (or `h2` for a preface at byte 0)."""
    if protocol == "tcp":
        return Hijacked(media_type)
    return Grpc() if protocol in ("h2", "h2c") else Opaque()


class Opaque:
    """A protocol that is not decoded: its bytes are counted."""

    def __init__(self) -> None:
        self._out = 0
        self._in = 0

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""
        self._out += len(data)

    def received(self, data: bytes) -> None:
        """Bytes from the daemon."""
        self._in += len(data)

    def finish(self) -> Stream:
        """The counts."""
        return Stream("opaque", self._out, self._in)


class Hijacked(Opaque):
    """stdin one way; frames of stdout and stderr, or a terminal's bytes, the other."""

    def __init__(self, media_type: str) -> None:
        super().__init__()
        self._named = media_type == MULTIPLEXED
        self._frames = MultiplexedView()
        self._text = TextView()

    def received(self, data: bytes) -> None:
        """Output."""
        super().received(data)
        self._frames.feed(data)
        self._text.feed(data)

    def finish(self) -> Stream:
        """Multiplexed by its name or its look, else raw."""
        framed = self._in > 0 and self._frames.well_formed
        if self._named or framed:
            totals = self._frames.totals
            frames = self._frames.result()[1]
            out, err = totals["stdout"], totals["stderr"]
            return Stream("multiplexed", self._out, self._in, out, err, frames, not self._named)
        return Stream("raw", self._out, self._in, self._in, 0, self._text.result()[1])


class Grpc(Opaque):
    """HTTP/2: the calls that either side made."""

    def __init__(self) -> None:
        super().__init__()
        self._http2 = Http2Connection()

    def sent(self, data: bytes) -> None:
        """Bytes from the client."""
        super().sent(data)
        self._http2.feed("out", data)

    def received(self, data: bytes) -> None:
        """Bytes from the daemon."""
        super().received(data)
        self._http2.feed("in", data)

    def finish(self) -> Stream:
        """The calls; opaque where not one could be read."""
        calls = [call.as_object() for call in self._http2.calls]
        kind = "grpc" if self._http2.is_grpc else "http2" if calls else "opaque"
        return Stream(kind, self._out, self._in, calls=calls, problem=self._http2.problem)
