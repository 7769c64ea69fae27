"""How the command line speaks: a sentence where something is wrong, and output that is written wholly or missed."""

from __future__ import annotations

import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


def complain(message: str) -> None:
    """One sentence about what went wrong, on stderr."""
    try:
        sys.stderr.write(f"socktrace: {message}\n")
        sys.stderr.flush()
    except OSError:
        discard(sys.stderr)  # nobody reads it any more


def write_wholly() -> None:
    """Put a buffer before the standard streams where PYTHONUNBUFFERED has taken it away, as images of Python do.

    Without one a text stream forgets what a write(2) that a signal interrupts, or a full disk cuts short, leaves over.
    """
    sys.stdout = _buffered(sys.stdout)
    sys.stderr = _buffered(sys.stderr)


def _buffered(stream: TextIO) -> TextIO:
    raw = getattr(stream, "buffer", None)
    if not isinstance(raw, io.RawIOBase):
        return stream
    return open(raw.fileno(), "w", buffering=1, encoding=stream.encoding, errors=stream.errors, closefd=False)


def discard(stream: TextIO) -> None:
    """Forget what can't be written: the interpreter would try again when it ends, and print its own error."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, stream.fileno())
    os.close(nothing)
