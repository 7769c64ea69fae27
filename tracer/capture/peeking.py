"""Bytes that a read is sure to bring, looked at in the socket before the call is made: one stop instead of two.

A read of n bytes from a stream socket that has n or more brings the first n of them, whatever comes meanwhile, so its
exit need not be waited for (recv(2): MSG_PEEK; pidfd_getfd(2), Linux 5.6). Where fewer are there nothing is sure, and
the exit tells. Two threads that read one stream at once without a lock get its bytes in an order that they don't know
either; every other reader comes to its call when the one before has returned.
"""

from __future__ import annotations

import os

from tracer.capture import kernel
from tracer.capture.syscalls import MSG_DONTWAIT, MSG_NOSIGNAL, MSG_PEEK
from tracer.capture.tracees import Call, Connection

LOOK = MSG_PEEK | MSG_DONTWAIT

HARMLESS = MSG_DONTWAIT | MSG_NOSIGNAL
"""Flags of recv(2) with which it still takes all it brings, and no more than there is."""

LARGEST = 1 << 18
"""Bytes: more than a Unix socket holds (net.core.wmem_default, unix(7))."""

NOTHING = memoryview(b"")


class Peeking:
    """Looks into the sockets of processes, each of which it keeps a descriptor of (pidfd_open(2))."""

    def __init__(self) -> None:
        self._processes: dict[int, int] = {}
        self._buffer = bytearray(LARGEST)
        self._ahead = NOTHING
        """In the buffer: what was seen and not yet read of the connection that was looked at last."""
        self._of: Connection | None = None

    def certain(self, pid: int, call: Call) -> bytes | None:
        """All that the call is about to read; None if its exit must tell."""
        size = call.arguments[2]
        if call.connection is None or call.connection.in_flight or not _may_be_filled(call, size):
            return None  # while in flight, somebody may read from it whom we don't see
        if call.connection is not self._of or len(self._ahead) < size:
            self._look(pid, call.fd, call.connection)
        if len(self._ahead) < size:
            return None
        payload, self._ahead = bytes(self._ahead[:size]), self._ahead[size:]
        return payload

    def forget(self) -> None:
        """Bytes were read whose number could not be foretold."""
        self._ahead = NOTHING

    def _look(self, pid: int, fd: int, connection: Connection) -> None:
        """See what the socket holds now."""
        self._of, self._ahead = connection, NOTHING
        try:
            copy = kernel.descriptor_of(self._pidfd(pid), fd)
        except OSError:
            return
        try:
            if _is_of(connection, copy):
                self._ahead = memoryview(self._buffer)[: kernel.receive(copy, self._buffer, LOOK)]
        finally:
            os.close(copy)

    def ended(self, pid: int) -> None:
        """The process is no more."""
        pidfd = self._processes.pop(pid, None)
        if pidfd is not None:
            os.close(pidfd)

    def _pidfd(self, pid: int) -> int:
        pidfd = self._processes.get(pid)
        if pidfd is None:
            pidfd = self._processes[pid] = os.pidfd_open(pid)
        return pidfd


def _may_be_filled(call: Call, size: int) -> bool:
    spec = call.spec
    if spec.direction != "in" or spec.shape != "buffer" or not 0 < size <= LARGEST:
        return False
    return spec.flags_argument is None or not call.arguments[spec.flags_argument] & 0xFFFFFFFF & ~HARMLESS


def _is_of(connection: Connection, fd: int) -> bool:
    """A thread may have a descriptor table that is not its process's."""
    return f"socket:[{os.fstat(fd).st_ino}]" in connection.links
