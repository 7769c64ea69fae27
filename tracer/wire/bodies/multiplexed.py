"""Docker's multiplexed stream: stdout and stderr of a container without a terminal, in one body.

Frames of an 8-byte header (stream number, three zero bytes, big-endian length) and that many bytes; see
ContainerAttach in the Engine API. The media type names it from API 1.42 on; before that only the Tty of the container
tells, and where that is not known the bytes: `OutputView` keeps both readings until somebody decides.
"""

from __future__ import annotations

from typing import Any

from tracer.wire.bodies.pieces import OnEntry, Piece, Pieces, as_object

MEDIA_TYPE = "application/vnd.docker.multiplexed-stream"
HEADER = 8
STREAMS = ("stdin", "stdout", "stderr")
MAX_GUESSED = 1 << 24
"""Without a media type, a longer frame is taken as a sign that this is something else."""


class MultiplexedView:
    """Splits the frames; keeps the text of the first ones."""

    def __init__(self, on_entry: OnEntry | None = None, pieces: Pieces | None = None) -> None:
        self.pieces = pieces or Pieces()
        self.frames = 0
        self.totals = dict.fromkeys(STREAMS, 0)
        """Payload bytes of each stream."""
        self.is_odd = False
        """A header was none: these bytes are something else, or damaged."""
        self._on_entry = on_entry
        self._header = b""
        self._left = 0
        self._frame: Piece | None = None

    @property
    def well_formed(self) -> bool:
        """Every header so far was one, and the last frame is complete."""
        return not self.is_odd and not self._header and self._left == 0

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the body, seen at time `t`."""
        at = 0
        while at < len(data):
            if self._left == 0:
                need = HEADER - len(self._header)
                self._header += data[at : at + need]
                at += need
                if len(self._header) == HEADER:
                    self._begin_frame(t)
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._payload(piece)

    def _begin_frame(self, t: float | None) -> None:
        number, zeros = self._header[0], self._header[1:4]
        self.is_odd = self.is_odd or number >= len(STREAMS) or zeros != b"\0\0\0"
        self._left = int.from_bytes(self._header[4:], "big")
        self._header = b""
        self.frames += 1
        name = STREAMS[number] if number < len(STREAMS) else str(number)
        self._frame = self.pieces.begin(name, t, self._left)

    def _payload(self, data: bytes) -> None:
        frame = self._frame
        assert frame is not None
        self._left -= len(data)
        self.totals[frame.stream] = self.totals.get(frame.stream, 0) + len(data)
        self.pieces.add(frame, data)
        if self._left == 0 and self._on_entry is not None:
            self._on_entry(as_object(frame, frame.data.decode("utf-8", "replace")))

    def result(self) -> tuple[str, Any, int, bool]:
        """The frames, with their text."""
        return "multiplexed", self.pieces.as_list(), self.frames, self.pieces.is_cut


class OutputView:
    """Output of a container of which the media type does not say what it is.

    It looks like frames at its beginning. If it does so to its end, frames are the guess, else a terminal's bytes.
    """

    def __init__(self, on_entry: OnEntry | None = None) -> None:
        self._framed = MultiplexedView(on_entry)
        self._raw = Pieces()

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the body, seen at time `t`."""
        self._framed.feed(data, t)
        self._raw.whole("terminal", t, data)

    @property
    def totals(self) -> dict[str, int]:
        """Payload bytes of each stream, where these are frames."""
        return self._framed.totals

    def result(self) -> tuple[str, Any, int, bool]:
        """The more likely reading."""
        return self._framed.result() if self._framed.well_formed else self.raw()

    def other(self) -> tuple[str, Any, int, bool]:
        """The less likely one."""
        return self.raw() if self._framed.well_formed else self._framed.result()

    def raw(self) -> tuple[str, Any, int, bool]:
        """The bytes as text."""
        return "raw", self._raw.text(), 0, self._raw.is_cut


def matches(media_type: str, start: bytes) -> bool:
    """Whether the media type says so."""
    return media_type == MEDIA_TYPE


def may_match(media_type: str, start: bytes) -> bool:
    """Whether the media type leaves it open and the body begins with what may be a frame's header."""
    if media_type not in ("", "application/vnd.docker.raw-stream", "application/octet-stream"):
        return False
    if len(start) < HEADER or start[0] >= len(STREAMS) or start[1:4] != b"\0\0\0":
        return False
    return 0 < int.from_bytes(start[4:HEADER], "big") <= MAX_GUESSED
