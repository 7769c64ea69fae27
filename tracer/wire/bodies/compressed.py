"""Bodies in compressed form: by their Content-Encoding, or by the magic number that a compressed archive begins with.

A small body may inflate to a huge one: output comes in pieces of at most STEP bytes, and ends after MOST of them for
each piece of input. zstd is opened where the `zstandard` package is installed, and only named where it is not.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Any, Protocol

STEP = 1 << 16
MOST = 1 << 10

MAGIC = {
    b"\x1f\x8b\x08": "gzip",  # RFC 1952 section 2.3
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",  # the .xz file format, section 2.1.1
    b"\x28\xb5\x2f\xfd": "zstd",  # RFC 8878 section 3.1.1
}


class Decompressor(Protocol):
    """Gives the bytes behind compressed ones."""

    def pieces(self, data: bytes) -> Iterator[bytes]:
        """What the next compressed bytes stand for. Raises an error of its library for damaged ones."""


class _Zlib:
    def __init__(self, window: int) -> None:
        self._stream = zlib.decompressobj(window)

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for _ in range(MOST):
            yield self._stream.decompress(data, STEP)
            data = self._stream.unconsumed_tail
            if not data:
                return


class _Stdlib:
    """bz2 and lzma have the same interface."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for _ in range(MOST):
            if self._stream.eof:
                return
            yield self._stream.decompress(data, STEP)
            data = b""
            if self._stream.needs_input:
                return


class _Zstd:
    """`zstandard` has no limit on its output: the input is given in small steps instead."""

    INPUT = 1 << 12

    def __init__(self) -> None:
        import zstandard

        self._stream = zstandard.ZstdDecompressor(max_window_size=1 << 27).decompressobj()

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), self.INPUT):
            if self._stream.eof:
                return
            yield self._stream.decompress(data[at : at + self.INPUT])


def _bzip2() -> Decompressor:
    import bz2

    return _Stdlib(bz2.BZ2Decompressor())


def _xz() -> Decompressor:
    import lzma

    return _Stdlib(lzma.LZMADecompressor(memlimit=1 << 28))


_OPENERS: dict[str, Callable[[], Decompressor]] = {
    "gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "x-gzip": lambda: _Zlib(16 + zlib.MAX_WBITS),
    "deflate": lambda: _Zlib(zlib.MAX_WBITS),
    "bzip2": _bzip2,
    "xz": _xz,
    "zstd": _Zstd,
}


def decompressor(name: str) -> Decompressor | None:
    """By the name of a content coding or of `compression_of`; None for what can't be opened here."""
    opener = _OPENERS.get(name)
    if opener is None:
        return None
    try:
        return opener()
    except ImportError:
        return None


def compression_of(start: bytes) -> str:
    """The name of the compression whose magic number these first bytes are, or nothing."""
    return next((name for magic, name in MAGIC.items() if start.startswith(magic)), "")


def damage() -> tuple[type[Exception], ...]:
    """What the libraries raise for damaged input."""
    import lzma

    errors: list[type[Exception]] = [zlib.error, OSError, EOFError, ValueError, lzma.LZMAError]
    try:
        import zstandard

        errors.append(zstandard.ZstdError)
    except ImportError:
        pass
    return tuple(errors)
