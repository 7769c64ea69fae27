"""Docker's multiplexed stream: stdout and stderr of a container without a terminal, in one body.

Frames of an 8-byte header (stream number, three zero bytes, big-endian length) and that many bytes; see
ContainerAttach in the Engine API. The media type names it from API 1.42 on; before that only the bytes do.
"""

from __future__ import annotations

from typing import Any

HEADER = 8
STREAMS = ("stdin", "stdout", "stderr")
KEPT_FRAMES = 200
KEPT_BYTES = 64 << 10
MAX_GUESSED = 1 << 24
"""Without a media type, a longer frame is taken as a sign that this is something else."""


class MultiplexedView:
    """Splits the frames; keeps the text of the first ones."""

    def __init__(self) -> None:
        self._header = b""
        self._left = 0
        self._stream = 0
        self._frames: list[dict[str, Any]] = []
        self._kept = 0
        self._count = 0
        self._cut = False
        self._odd = False
        self.totals = dict.fromkeys(STREAMS, 0)
        """Payload bytes of each stream."""

    @property
    def well_formed(self) -> bool:
        """Every header so far was one, and the last frame is complete."""
        return not self._odd and not self._header and self._left == 0

    def feed(self, data: bytes) -> None:
        """More of the body."""
        at = 0
        while at < len(data):
            if self._left == 0:
                need = HEADER - len(self._header)
                self._header += data[at : at + need]
                at += need
                if len(self._header) == HEADER:
                    self._begin_frame()
                continue
            piece = data[at : at + self._left]
            at += len(piece)
            self._left -= len(piece)
            if self._stream < len(STREAMS):
                self.totals[STREAMS[self._stream]] += len(piece)
            self._keep(piece)

    def _begin_frame(self) -> None:
        self._stream = self._header[0]
        self._odd = self._odd or self._stream >= len(STREAMS) or self._header[1:4] != b"\0\0\0"
        self._left = int.from_bytes(self._header[4:], "big")
        self._header = b""
        self._count += 1
        if len(self._frames) < KEPT_FRAMES and self._kept < KEPT_BYTES:
            name = STREAMS[self._stream] if self._stream < len(STREAMS) else str(self._stream)
            self._frames.append({"stream": name, "size": self._left, "text": b""})
        else:
            self._cut = True

    def _keep(self, piece: bytes) -> None:
        room = KEPT_BYTES - self._kept
        if self._cut or room <= 0:
            self._cut = True
            return
        self._frames[-1]["text"] += piece[:room]
        self._kept += len(piece)

    def result(self) -> tuple[str, Any, int, bool]:
        """The frames, with their text."""
        frames = [{**frame, "text": frame["text"].decode("utf-8", "replace")} for frame in self._frames]
        return "multiplexed", frames, self._count, self._cut


def matches(media_type: str, start: bytes) -> bool:
    """By name; without a name by the shape of the first frame's header."""
    if media_type == "application/vnd.docker.multiplexed-stream":
        return True
    if media_type not in ("", "application/vnd.docker.raw-stream", "application/octet-stream"):
        return False
    if len(start) < HEADER or start[0] > 2 or start[1:4] != b"\0\0\0":
        return False
    return 0 < int.from_bytes(start[4:HEADER], "big") <= MAX_GUESSED
