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


def ready_streams() -> None:
    """Make the standard streams what all else relies on: there, and with a buffer.

    One that was closed is /dev/null for us, lest a pipe of ours gets its number; the command finds it closed (the
    descriptor is close-on-exec). What we print to a closed stdout fails, as it does in other programs.

    PYTHONUNBUFFERED, which images of Python set, takes the buffer away. Without one a text stream forgets what a
    write(2) that a signal interrupts, or a full disk cuts short, leaves over.
    """
    sys.stdin = sys.stdin or open(_reopened(0, os.O_RDONLY), encoding="utf-8", closefd=False)
    sys.stdout = _buffered(sys.stdout or open(_reopened(1, os.O_RDONLY), "w", encoding="utf-8", closefd=False))
    sys.stderr = _buffered(sys.stderr or open(_reopened(2, os.O_WRONLY), "w", encoding="utf-8", closefd=False))


def _reopened(fd: int, access: int) -> int:
    found = os.open(os.devnull, access)
    if found != fd:
        os.dup2(found, fd, inheritable=False)
        os.close(found)
    return fd


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
