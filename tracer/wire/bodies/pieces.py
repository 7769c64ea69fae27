"""Pieces of text with a stream, a time and a size: what a container's output is shown as.

Only the first ones are kept. A character may be cut by the end of a piece: the text of each stream is decoded as one.
"""

from __future__ import annotations

import codecs
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from msgspec import Struct

KEPT_PIECES = 200
KEPT_BYTES = 64 << 10

OnEntry = Callable[[Any], None]
"""Is told of each entry of a body (a JSON line, a frame, a member of an archive) as soon as it is there."""


class Piece(Struct):
    """`size` bytes of one stream, the first of them in `data`; `t` is seconds on the recording's clock."""

    stream: str
    t: float | None
    size: int
    data: bytes = b""


class Pieces:
    """The first pieces of some streams, in the order in which they began."""

    def __init__(self) -> None:
        self.is_cut = False
        """Some bytes were not kept."""
        self.count = 0
        self._kept: list[Piece] = []
        self._room = KEPT_BYTES

    def begin(self, stream: str, t: float | None, size: int) -> Piece:
        """A piece of which `size` bytes will be added."""
        piece = Piece(stream, t, size)
        self.count += 1
        if len(self._kept) < KEPT_PIECES and self._room > 0:
            self._kept.append(piece)
        else:
            self.is_cut = True
        return piece

    def add(self, piece: Piece, data: bytes) -> None:
        """More bytes of a piece."""
        kept = data[: self._room]
        piece.data += kept
        self._room -= len(kept)
        self.is_cut = self.is_cut or len(kept) < len(data)

    def whole(self, stream: str, t: float | None, data: bytes) -> Piece:
        """A piece that is complete already."""
        piece = self.begin(stream, t, len(data))
        self.add(piece, data)
        return piece

    def as_list(self) -> list[dict[str, Any]]:
        """The pieces as `--json` shows them; `t` only where it is known."""
        decoders: defaultdict[str, codecs.IncrementalDecoder] = defaultdict(lambda: _UTF_8("replace"))
        told = []
        for piece in self._kept:
            told.append(as_object(piece, decoders[piece.stream].decode(piece.data)))
        return told

    def text(self) -> str:
        """The text of all pieces in one."""
        return b"".join(piece.data for piece in self._kept).decode("utf-8", "replace")


_UTF_8 = codecs.getincrementaldecoder("utf-8")


def as_object(piece: Piece, text: str) -> dict[str, Any]:
    """A piece as `--json` shows it."""
    told: dict[str, Any] = {"stream": piece.stream, "size": piece.size, "text": text}
    return told if piece.t is None else {**told, "t": piece.t}
