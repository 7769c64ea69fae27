"""Bodies as views: what a body is, how big, and a preview by kind. One module a kind, one registry that picks.

A body flows through and is never held whole: it is counted, hashed, and shown to one view, which keeps what a
preview needs and no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Protocol

import msgspec.structs
from msgspec import Struct

from tracer.wire.bodies import binary, compressed, json_text, multiplexed, tar, text
from tracer.wire.bodies.pieces import OnEntry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash as HASH

SNIFF = 512
"""This many first bytes decide about the view: one tar header."""

Result = tuple[str, Any, int, bool]
"""(kind, preview, number of entries, whether the preview was cut short)."""


class View(Protocol):
    """Takes the decoded bytes of one body."""

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the body, seen at time `t`."""

    def result(self) -> Result:
        """What was understood; called once, at the end of the body."""


class Body(Struct, frozen=True):
    """`size` and `sha256` (where it was asked for) are of the entity as it was transferred: chunking removed, content
    coding not."""

    size: int = 0
    sha256: str | None = None
    kind: str = "none"
    preview: Any = None
    entries: int = 0
    """JSON lines, archive members or frames; 0 for kinds without entries."""
    cut: bool = False
    """The preview is not the whole body."""
    media_type: str = ""
    coding: str = ""
    compression: str = ""
    """gzip, bzip2, xz or zstd, found by its magic number."""
    layers: dict[str, dict[str, Any]] = {}
    """How far each layer came (`status`) and its size (`total`), for the progress lines of pull, push and load."""
    streams: dict[str, int] = {}
    """Bytes of stdout and stderr, where frames are a reading of the body."""
    guessed: bool = False
    """Nothing but the look of the bytes told a multiplexed stream from a terminal's output."""
    other: Result | None = None
    """For a guess: the other reading."""
    raw: bytes | None = None
    """All of it as it was transferred, where that was asked for and it is not too long."""

    @property
    def content(self) -> bytes | None:
        """All of it without its content coding; None where it is not at hand, or damaged."""
        opener = compressed.decompressor(self.coding)
        if self.raw is None or opener is None:
            return self.raw
        try:
            return b"".join(opener.pieces(self.raw))
        except compressed.damage():
            return None


EMPTY = Body()

REGISTRY: tuple[tuple[Callable[[str, bytes], bool], Callable[[OnEntry | None], View]], ...] = (
    (multiplexed.matches, multiplexed.MultiplexedView),
    (multiplexed.may_match, multiplexed.OutputView),
    (tar.matches, tar.TarView),
    (json_text.matches, json_text.JsonView),
    (text.matches, text.TextView),
)
"""Who takes which body: the first that says yes."""


def choose(media_type: str, start: bytes, on_entry: OnEntry | None = None) -> View:
    """The view for a body of this media type that starts with these bytes (up to SNIFF of them)."""
    for matches, view in REGISTRY:
        if matches(media_type, start):
            return view(on_entry)
    return binary.BinaryView()


def settled(body: Body, *, terminal: bool) -> Body:
    """The same body, now that it is known whether a terminal's output is in it."""
    if body.other is None:
        return body
    wanted = "raw" if terminal else "multiplexed"
    kind, preview, entries, cut = (
        (body.kind, body.preview, body.entries, body.cut) if body.kind == wanted else body.other
    )
    return msgspec.structs.replace(
        body, kind=kind, preview=preview, entries=entries, cut=cut, guessed=False, other=None
    )


@lru_cache(64)
def no_body(media_type: str = "", coding: str = "") -> Body:
    """The body of a message that has none, whatever its header says of it."""
    return Body(media_type=_plain(media_type), coding=_plain(coding))


def _plain(value: str) -> str:
    """A header's value without its parameters, in lower case."""
    return value.partition(";")[0].strip().lower()


def _hash() -> HASH:
    import hashlib  # brings OpenSSL, and costs milliseconds

    return hashlib.sha256(usedforsecurity=False)


class BodyReader:
    """Takes the pieces of one body. `on_entry` is told of entries as they come; `keep` bytes are kept as they are.

    Without `digest` it has no SHA-256, which takes a quarter of the time for a large body.
    """

    def __init__(
        self,
        media_type: str = "",
        coding: str = "",
        on_entry: OnEntry | None = None,
        keep: int = 0,
        *,
        digest: bool = True,
    ) -> None:
        self._keep = keep
        self._raw = bytearray()
        self._media_type = _plain(media_type)
        self._coding = _plain(coding)
        self._on_entry = on_entry
        self._opened = compressed.decompressor(self._coding)
        self._compression = ""
        self._size = 0
        self._hash = _hash() if digest else None
        self._start = bytearray()
        self._view: View | None = None

    @property
    def size(self) -> int:
        """Bytes so far."""
        return self._size

    def feed(self, data: bytes, t: float | None = None) -> None:
        """The next piece, as transferred, seen at time `t`."""
        self._size += len(data)
        if self._hash is not None:
            self._hash.update(data)
        if self._size <= self._keep:
            self._raw += data
        for piece in self._decoded(data):
            self._show(piece, t)

    def finish(self) -> Body:
        """The body, complete or as far as it came."""
        if not self._size:
            return no_body(self._media_type, self._coding)
        view = self._view or self._chosen(None)
        kind, preview, entries, cut = view.result()
        undecided = isinstance(view, multiplexed.OutputView)
        return Body(
            self._size,
            self._hash.hexdigest() if self._hash is not None else None,
            kind,
            preview,
            entries,
            cut,
            self._media_type,
            self._coding,
            self._compression,
            streams=view.totals if isinstance(view, multiplexed.MultiplexedView | multiplexed.OutputView) else {},
            layers=view.progress.layers if isinstance(view, json_text.JsonView) else {},
            guessed=undecided,
            other=view.other() if isinstance(view, multiplexed.OutputView) else None,
            raw=bytes(self._raw) if 0 < self._size <= self._keep else None,
        )

    def _show(self, data: bytes, t: float | None) -> None:
        if self._view is not None:
            self._view.feed(data, t)
            return
        self._start += data
        if len(self._start) >= SNIFF or (self._is_output and len(self._start) >= multiplexed.HEADER):
            self._chosen(t)

    @property
    def _is_output(self) -> bool:
        """A container's output is shown as it comes: its first bytes must not wait for more."""
        return self._media_type == multiplexed.MEDIA_TYPE or multiplexed.may_match(
            self._media_type, bytes(self._start[: multiplexed.HEADER])
        )

    def _chosen(self, t: float | None) -> View:
        start, self._start = bytes(self._start), bytearray()
        if self._opened is None:
            self._compression = compressed.compression_of(start)
            self._opened = compressed.decompressor(self._compression)
            start = b"".join(self._decoded(start))
        self._view = choose(self._media_type, start, self._on_entry)
        self._view.feed(start, t)
        return self._view

    def _decoded(self, data: bytes) -> Iterator[bytes]:
        """The compression removed; what is damaged ends there."""
        if self._opened is None:
            yield data
            return
        try:
            yield from self._opened.pieces(data)
        except compressed.damage():
            self._opened = _Nothing()


class _Nothing:
    """What is left of a compressed body after a damage."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        return iter(())
