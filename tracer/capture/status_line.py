"""A line of ours on a terminal that the command writes to as well: never in the middle of what it writes.

The command is stopped before each of its writes to the terminal (only then is its standard error among the calls that
stop it), and the tracer takes the line away first. The front draws it again only when no write is under way and the
last one ended its row, and no more once the command draws by itself. What the two processes know of each other is in
three bytes of shared memory, under a lock: a POSIX record lock, which belongs to a process (fcntl(2)).
"""

from __future__ import annotations

import fcntl
import mmap
import os
import stat
import termios
from collections.abc import Iterator
from contextlib import contextmanager

ERASE = b"\r\x1b[K"
"""To the first column, and the row empty (console_codes(4))."""

CONTROLLING = os.makedev(5, 0)
"""/dev/tty."""

SHOWN, WRITING, CURSOR = range(3)
"""The bytes: whether the line is on the screen; how many writes are under way; where the last one left the cursor."""

AT_START, IN_ROW, ANYWHERE = range(3)
"""At the start of a row; in the middle of one; and for good: the command draws by itself."""


class StatusLine:
    """The line on the terminal of descriptor `fd`, from both sides of a fork."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._device = os.fstat(fd).st_rdev
        self._lock = os.memfd_create("status line")
        os.ftruncate(self._lock, 3)
        self._state = mmap.mmap(self._lock, 3)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.lockf(self._lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.lockf(self._lock, fcntl.LOCK_UN)

    # The front's side

    def draw(self, text: str) -> None:
        """Show this, if the terminal is free."""
        with self._locked():
            if not self._state[WRITING] and self._state[CURSOR] == AT_START and self._is_quiet():
                self._state[SHOWN] = 1
                self._put(ERASE + text.encode())

    def clear(self) -> None:
        """Take it away, if it is there: only we draw it."""
        if not self._state[SHOWN]:
            return
        with self._locked():
            self._erase()

    def _erase(self) -> None:
        if self._state[SHOWN]:
            self._state[SHOWN] = 0
            self._put(ERASE)

    def _put(self, data: bytes) -> None:
        try:
            os.write(self._fd, data)
        except OSError:
            pass  # the terminal has hung up: that is no reason to fail

    def _is_quiet(self) -> bool:
        """We are in the foreground, and nobody is asked for a password."""
        try:
            return os.tcgetpgrp(self._fd) == os.getpgrp() and bool(termios.tcgetattr(self._fd)[3] & termios.ECHO)
        except (OSError, termios.error):
            return False

    # The tracer's side

    def is_on(self, tid: int, fd: int) -> bool:
        """Whether this descriptor of a thread leads to the terminal."""
        try:
            found = os.stat(f"/proc/{tid}/fd/{fd}")
        except OSError:
            return False
        return stat.S_ISCHR(found.st_mode) and found.st_rdev in (self._device, CONTROLLING)

    def begins(self) -> None:
        """A write to the terminal is about to happen."""
        with self._locked():
            self._erase()
            self._state[WRITING] = min(self._state[WRITING] + 1, 255)

    def ended(self, written: bytes | None) -> None:
        """It has happened, with these bytes; None if they are not known."""
        with self._locked():
            self._state[WRITING] = max(self._state[WRITING] - 1, 0)
            if written is None or b"\x1b" in written:
                self._state[CURSOR] = ANYWHERE
            elif written and self._state[CURSOR] != ANYWHERE:
                self._state[CURSOR] = AT_START if written.endswith(b"\n") else IN_ROW
