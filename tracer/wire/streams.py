"""What flows after a change of protocol: Docker's hijacked streams, and the byte counts of everything else.

After a hijack the client sends stdin as it is. The daemon sends either the bytes of a terminal as they are, or, for a
container without a terminal, frames of stdout and stderr (see `bodies.multiplexed`). From API 1.42 on the response's
media type says which; before that both are called a raw stream, and only the look of the bytes can tell: that is a
guess, and is said to be one.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tracer.wire.bodies.multiplexed import MultiplexedView
from tracer.wire.bodies.text import TextView

MULTIPLEXED = "application/vnd.docker.multiplexed-stream"


class Stream(Struct, frozen=True):
    """What flowed. `kind` is multiplexed, raw (a terminal), or opaque (a protocol that is not decoded)."""

    kind: str = "opaque"
    bytes_out: int = 0
    bytes_in: int = 0
    stdout: int = 0
    stderr: int = 0
    preview: Any = None
    """Frames for multiplexed, text for raw."""
    guessed: bool = False
    """Nothing but the look of the bytes told multiplexed from raw."""


class StreamReader:
    """Takes the bytes of both directions after the change of protocol."""

    def __init__(self, protocol: str, media_type: str) -> None:
        self._hijacked = protocol == "tcp"
        self._named = media_type == MULTIPLEXED
        self._out = 0
        self._in = 0
        self._frames = MultiplexedView()
        self._text = TextView()

    def sent(self, data: bytes) -> None:
        """Bytes from the client: stdin."""
        self._out += len(data)

    def received(self, data: bytes) -> None:
        """Bytes from the daemon: output."""
        self._in += len(data)
        if self._hijacked:
            self._frames.feed(data)
            self._text.feed(data)

    def finish(self) -> Stream:
        """What it was."""
        if not self._hijacked:
            return Stream("opaque", self._out, self._in)
        framed = self._in > 0 and self._frames.well_formed
        if self._named or framed:
            totals = self._frames.totals
            frames = self._frames.result()[1]
            out, err = totals["stdout"], totals["stderr"]
            return Stream("multiplexed", self._out, self._in, out, err, frames, not self._named)
        return Stream("raw", self._out, self._in, self._in, 0, self._text.result()[1])
