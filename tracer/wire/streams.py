"""What flows after a change of protocol: Docker's hijacked streams, gRPC, and the byte counts of everything else.

After a hijack the client sends stdin as it is. The daemon sends either the bytes of a terminal as they are, or, for a
container without a terminal, frames of stdout and stderr (see `bodies.multiplexed`). From API 1.42 on the response's
media type says which; before that both are called a raw stream: then the Tty of the container decides (`settled`), and
where that is not known the look of the bytes, which is a guess and is said to be one.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec.structs
from msgspec import Struct

from tracer.wire.bodies.multiplexed import MEDIA_TYPE, MultiplexedView
from tracer.wire.bodies.pieces import OnEntry, Pieces, as_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.wire.heads import Head
    from tracer.wire.http2 import Call


class Stream(Struct, frozen=True):
    """What flowed. `kind` is multiplexed, raw (a terminal), grpc, http2, or opaque (not decoded)."""

    kind: str = "opaque"
    bytes_out: int = 0
    bytes_in: int = 0
    stdout: int = 0
    stderr: int = 0
    preview: list[dict[str, Any]] | None = None
    """The first pieces of stdin, stdout, stderr or terminal, each with `size`, `text` and the time `t`."""
    stdin_closed: float | None = None
    """When the client said that no more input comes (half-close, shutdown(2)), if it did."""
    resizes: list[dict[str, Any]] = []
    """The sizes that the terminal was given: `t`, `w`, `h`, and the number `n` of the exchange that did it."""
    guessed: bool = False
    """Nothing but the look of the bytes told multiplexed from raw."""
    other: Stream | None = None
    """For a guess: the other reading."""
    calls: list[dict[str, Any]] = []
    """The calls of an HTTP/2 connection."""
    count: int = 0
    """How many calls there were; the first ones are in `calls`."""
    problem: str | None = None
    """Why an HTTP/2 connection could not be read to its end."""


def settled(stream: Stream, *, terminal: bool) -> Stream:
    """The same stream, now that it is known whether a terminal is behind it."""
    if stream.other is None:
        return stream
    wanted = "raw" if terminal else "multiplexed"
    chosen = stream if stream.kind == wanted else stream.other
    return msgspec.structs.replace(chosen, guessed=False, other=None)


class StreamReader(Protocol):
    """Takes the bytes of both directions after a change of protocol, with the times at which they were seen."""

    def sent(self, data: bytes, t: float) -> None:
        """Bytes from the client."""

    def received(self, data: bytes, t: float) -> None:
        """Bytes from the daemon."""

    def half_closed(self, t: float) -> None:
        """The client sends no more."""

    def finish(self) -> Stream:
        """What it was."""


def reader_for(
    protocol: str, media_type: str = "", on_entry: OnEntry | None = None, first: Head | None = None
) -> StreamReader:
    """The reader for a protocol, by the name that the Upgrade header gives it (or `h2` for a preface at byte 0).

    `first` is the request of HTTP/2's first stream, where that came before the upgrade.
    """
    if protocol == "tcp":
        return Hijacked(media_type, on_entry)
    return Http2(first) if protocol in ("h2", "h2c") else Opaque()


class Opaque:
    """A protocol that is not decoded: its bytes are counted."""

    def __init__(self) -> None:
        self._out = 0
        self._in = 0

    def sent(self, data: bytes, t: float) -> None:
        """Bytes from the client."""
        self._out += len(data)

    def received(self, data: bytes, t: float) -> None:
        """Bytes from the daemon."""
        self._in += len(data)

    def half_closed(self, t: float) -> None:
        """Of no interest here."""

    def finish(self) -> Stream:
        """The counts."""
        return Stream("opaque", self._out, self._in)


class Hijacked(Opaque):
    """stdin one way; frames of stdout and stderr, or a terminal's bytes, the other. Both readings are kept."""

    def __init__(self, media_type: str, on_entry: OnEntry | None = None) -> None:
        super().__init__()
        self._named = media_type.split(";")[0].strip().lower() == MEDIA_TYPE
        self._on_entry = on_entry
        self._framed = MultiplexedView(self._frame_came)
        self._raw = Pieces()
        self._stdin_closed: float | None = None

    def sent(self, data: bytes, t: float) -> None:
        """Input."""
        super().sent(data, t)
        for pieces in (self._framed.pieces, self._raw):
            piece = pieces.whole("stdin", t, data)
        self._tell(as_object(piece, piece.data.decode("utf-8", "replace")))

    def received(self, data: bytes, t: float) -> None:
        """Output."""
        super().received(data, t)
        self._framed.feed(data, t)
        piece = self._raw.whole("terminal", t, data)
        if self._framed.is_odd and not self._named:
            self._tell(as_object(piece, piece.data.decode("utf-8", "replace")))

    def half_closed(self, t: float) -> None:
        """The end of the input."""
        self._stdin_closed = self._stdin_closed or t

    def _frame_came(self, entry: Any) -> None:
        if self._named or not self._framed.is_odd:
            self._tell(entry)

    def _tell(self, entry: Any) -> None:
        if self._on_entry is not None:
            self._on_entry(entry)

    def finish(self) -> Stream:
        """By the media type, or by the look of the bytes with the other reading beside it."""
        multiplexed, raw = self._as_frames(), self._as_terminal()
        if self._named or not self._in:
            return multiplexed if self._named else raw
        likely, other = (multiplexed, raw) if self._framed.well_formed else (raw, multiplexed)
        return msgspec.structs.replace(likely, guessed=True, other=other)

    def _as_frames(self) -> Stream:
        totals = self._framed.totals
        pieces = self._framed.pieces.as_list()
        return Stream(
            "multiplexed", self._out, self._in, totals["stdout"], totals["stderr"], pieces, self._stdin_closed
        )

    def _as_terminal(self) -> Stream:
        return Stream("raw", self._out, self._in, self._in, 0, self._raw.as_list(), self._stdin_closed)


class Http2(Opaque):
    """HTTP/2: the calls that either side made."""

    def __init__(self, first: Head | None) -> None:
        from tracer.wire.http2 import Http2Connection  # it is rare, and costs milliseconds

        super().__init__()
        self._http2 = Http2Connection(first)

    def sent(self, data: bytes, t: float) -> None:
        """Bytes from the client."""
        super().sent(data, t)
        self._http2.feed("out", data, t)

    def received(self, data: bytes, t: float) -> None:
        """Bytes from the daemon."""
        super().received(data, t)
        self._http2.feed("in", data, t)

    def finished_calls(self) -> list[Call]:
        """The calls other than gRPC's that have ended since."""
        ended, self._http2.finished = self._http2.finished, []
        return [call for call in ended if not call.is_grpc]

    def unfinished_calls(self) -> list[Call]:
        """The calls other than gRPC's that go on."""
        return [call for call in self._http2.open_calls if not call.is_grpc]

    def finish(self) -> Stream:
        """The gRPC calls; opaque where not one call of any kind could be read."""
        calls = [call.as_object() for call in self._http2.calls if call.is_grpc]
        readable = self._http2.calls or self._http2.problem is None
        kind = "grpc" if self._http2.is_grpc else "http2" if readable else "opaque"
        return Stream(kind, self._out, self._in, calls=calls, count=self._http2.count, problem=self._http2.problem)
