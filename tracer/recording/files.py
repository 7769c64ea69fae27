"""Opening recordings: plain, gzip by `.gz`, zstandard by `.zst`, `-` for the standard streams."""

from __future__ import annotations

import io
import os
import sys
import zlib
from types import ModuleType
from typing import BinaryIO, cast


class RecordingError(Exception):
    """A recording can't be read or written; the message is a sentence that says what to do."""


def damage() -> tuple[type[Exception], ...]:
    """What reading a damaged compressed file may raise."""
    zstandard = sys.modules.get("zstandard")
    return (OSError, EOFError, zlib.error, *([zstandard.ZstdError] if zstandard else []))


def open_to_read(path: str) -> BinaryIO:
    """A stream of the recording's lines. Raises RecordingError."""
    try:
        if path == "-":
            return sys.stdin.buffer
        if path.endswith(".gz"):
            import gzip

            return cast(BinaryIO, gzip.open(path, "rb"))
        if path.endswith(".zst"):
            return cast(BinaryIO, io.BufferedReader(_zstandard().open(path, "rb")))
        return open(path, "rb")
    except OSError as error:
        raise RecordingError(f"can't read {path}: {error.strerror}") from None


def open_to_write(path: str) -> BinaryIO:
    """A stream for lines, unbuffered where it can be: what was seen is on disk at once. Raises RecordingError."""
    try:
        if path == "-":
            return cast(BinaryIO, os.fdopen(os.dup(1), "wb", buffering=0))
        if path.endswith(".gz"):
            import gzip

            return cast(BinaryIO, gzip.open(path, "wb", compresslevel=6))
        if path.endswith(".zst"):
            return cast(BinaryIO, _zstandard().open(path, "wb"))
        return cast(BinaryIO, open(path, "wb", buffering=0))
    except OSError as error:
        raise RecordingError(f"can't write {path}: {error.strerror}") from None


def _zstandard() -> ModuleType:
    try:
        import zstandard

        return zstandard
    except ImportError:
        raise RecordingError(
            "reading and writing .zst needs the zstandard package: pip install 'socktrace[zstd]'"
        ) from None
