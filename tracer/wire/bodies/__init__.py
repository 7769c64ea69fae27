"""Bodies as views: what a body is, how big, and a preview by kind. One module a kind, one registry that picks.

A body flows through and is never held whole: it is counted, hashed, and shown to one view, which keeps what a
preview needs and no more.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

from tracer.wire.bodies import binary, json_text, multiplexed, tar, text

SNIFF = 512
"""This many first bytes decide about the view: one tar header."""


class View(Protocol):
    """Takes the decoded bytes of one body and ends with (kind, preview, number of entries, whether cut short)."""

    def feed(self, data: bytes) -> None:
        """More of the body."""

    def result(self) -> tuple[str, Any, int, bool]:
        """What was understood; called once, at the end of the body."""


class Body(Struct, frozen=True):
    """`size` and `sha256` are of the entity as it was transferred (chunking removed, content coding not)."""

    size: int = 0
    sha256: str | None = None
    kind: str = "none"
    preview: Any = None
    entries: int = 0
    """JSON lines or archive members; 0 for kinds without entries."""
    cut: bool = False
    """The preview is not the whole body."""
    media_type: str = ""
    coding: str = ""


EMPTY = Body()

REGISTRY: tuple[tuple[Callable[[str, bytes], bool], Callable[[], View]], ...] = (
    (multiplexed.matches, multiplexed.MultiplexedView),
    (tar.matches, tar.TarView),
    (json_text.matches, json_text.JsonView),
    (text.matches, text.TextView),
)
"""Who takes which body: the first that says yes."""


def choose(media_type: str, start: bytes) -> View:
    """The view for a body of this media type that starts with these bytes (up to SNIFF of them)."""
    for matches, view in REGISTRY:
        if matches(media_type, start):
            return view()
    return binary.BinaryView()


class BodyReader:
    """Takes the pieces of one body."""

    def __init__(self, media_type: str = "", coding: str = "") -> None:
        self._media_type = media_type.split(";")[0].strip().lower()
        self._coding = coding.strip().lower()
        self._inflate = _decompressor(self._coding)
        self._size = 0
        self._hash = hashlib.sha256(usedforsecurity=False)
        self._start = b""
        self._view: View | None = None

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def feed(self, data: bytes) -> None:
        """The next piece, as transferred."""
        self._size += len(data)
        self._hash.update(data)
        for piece in self._decoded(data):
            self._show(piece)

    def skip(self, size: int) -> None:
        """Bytes that were counted and not kept by whoever recorded them: the hash and the preview end here."""
        self._size += size

    def finish(self) -> Body:
        """The body, complete or as far as it came."""
        if not self._size:
            return Body(media_type=self._media_type, coding=self._coding)
        view = self._view or self._chosen()
        if self._inflate is not None:
            view.feed(self._inflate.flush(INFLATE_STEP))
        kind, preview, entries, cut = view.result()
        digest = self._hash.hexdigest()
        return Body(self._size, digest, kind, preview, entries, cut, self._media_type, self._coding)

    def _show(self, data: bytes) -> None:
        if self._view is not None:
            self._view.feed(data)
            return
        self._start += data
        if len(self._start) >= SNIFF:
            self._chosen()

    def _chosen(self) -> View:
        if self._inflate is None and self._start[:3] == b"\x1f\x8b\x08":
            self._inflate = _decompressor("gzip")
            start, self._start = self._start, b""
            for piece in self._decoded(start):
                self._start += piece
        self._view = choose(self._media_type, self._start)
        self._view.feed(self._start)
        self._start = b""
        return self._view

    def _decoded(self, data: bytes) -> list[bytes]:
        """The content coding removed, at most INFLATE_STEP bytes a piece: a small body may inflate to a huge one."""
        if self._inflate is None:
            return [data]
        pieces = []
        while data:
            try:
                pieces.append(self._inflate.decompress(data, INFLATE_STEP))
            except zlib.error:
                self._inflate = None
                break
            data = self._inflate.unconsumed_tail
            if len(pieces) >= INFLATE_PIECES:
                break
        return pieces


INFLATE_STEP = 1 << 16
INFLATE_PIECES = 1 << 10


def _decompressor(coding: str) -> zlib._Decompress | None:
    if coding in ("gzip", "x-gzip"):
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if coding == "deflate":
        return zlib.decompressobj()
    return None
