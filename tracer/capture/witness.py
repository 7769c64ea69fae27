"""What a proof needs beside the followed connections: everything else that the command did with sockets, the file of
the daemon's socket, and what the command wrote to its standard output.

Connections to other addresses are told in every run. The rest costs stops of its own and is watched only when it is
asked for (`thorough`): sockets of network families from their making on, datagrams that name their receiver, processes
that hide from the tracer (CLONE_UNTRACED, clone(2)), and output.
"""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Callable

from tracer.capture import kernel, memory, processes, transfers
from tracer.capture.addresses import Address, parse
from tracer.capture.syscalls import AF_INET, AF_INET6, AF_PACKET, CLONE_UNTRACED, Spec, signed
from tracer.capture.tracees import Call, Thread
from tracer.events import Elsewhere, Event, Note, Output, SocketFile

OUTPUT_KEPT = 1 << 20
"""Bytes of output that are kept; the rest is counted."""

MOST_ADDRESSES = 100
SOCKADDR_MAX = 128
FAMILIES: dict[int, str] = {AF_INET: "inet", AF_INET6: "inet6", AF_PACKET: "packet"}


TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.status_line import StatusLine


class Witness:
    """Appends to `events` what it saw."""

    def __init__(
        self, events: list[Event], now: Callable[[], float], *, thorough: bool, line: StatusLine | None
    ) -> None:
        self.thorough = thorough
        self._line = line
        self._events = events
        self._now = now
        self._told: set[tuple[object, ...]] = set()
        self._stdout: tuple[int, int] | None = None
        """The file that the command's standard output is, by device and inode."""
        self._output = 0

    def began(self, thread: Thread) -> None:
        """The command runs its program now, with the descriptors that it was given."""
        if not self.thorough:
            return
        self._stdout = _file_of(thread.tid, 1)
        for fd in processes.sockets(thread.process.pid):
            family = _family_of(thread.process.pid, fd)
            if family is not None and family in FAMILIES:
                self._tell(thread, fd, "inherited", FAMILIES[family])

    def elsewhere(self, thread: Thread, fd: int, address: Address, number: int) -> None:
        """connect(2) to an address that is not followed; `number` is its errno or 0."""
        self._tell(thread, fd, "connect", address.family, address.text, number)

    def enter(self, thread: Thread, spec: Spec, arguments: tuple[int, ...], fd: int) -> Call | None:
        """A call that moves bytes on a descriptor which is no followed connection."""
        if spec.direction != "out":
            return None
        if self._line is not None and self._line.is_on(thread.tid, fd):
            self._line.begins()
            return Call(spec, arguments, fd, None)
        if not self.thorough:
            return None
        if fd in (1, 2) or (spec.name == "sendto" and arguments[4]) or spec.name == "sendmsg":
            return Call(spec, arguments, fd, None)
        return None

    def leave(self, thread: Thread, call: Call, result: int) -> None:
        """It ended."""
        if self._line is not None and self._line.is_on(thread.tid, call.fd):
            self._line.ended(transfers.payload(thread.tid, call, result) if result > 0 else b"")
        if call.spec.name == "sendto":
            self._sent_to(thread, call, call.arguments[4], signed(call.arguments[5]), result)
        elif call.spec.name == "sendmsg":
            self._sent_to(thread, call, *memory.receiver(thread.tid, call.arguments[1]), result)
        elif result > 0 and self._stdout is not None and _file_of(thread.tid, call.fd) == self._stdout:
            self._wrote(thread, call, result)

    def _sent_to(self, thread: Thread, call: Call, name: int, size: int, result: int) -> None:
        raw = memory.read(thread.tid, name, min(size, SOCKADDR_MAX)) if name and size > 0 else b""
        address = parse(raw, thread.tid)
        if address is not None:
            self._tell(thread, call.fd, "send", address.family, address.text, -result if result < 0 else 0)

    def _wrote(self, thread: Thread, call: Call, size: int) -> None:
        payload = transfers.payload(thread.tid, call, size) if self._output < OUTPUT_KEPT else None
        self._output += size
        pid, tid = thread.process.pid, thread.tid
        self._events.append(Output(t=self._now(), pid=pid, tid=tid, fd=call.fd, size=size, payload=payload))

    def made_socket(self, thread: Thread, call: Call, result: int) -> None:
        """socket(2) of a network family."""
        family = FAMILIES.get(signed(call.arguments[0]))
        if result >= 0 and family is not None:
            self._tell(thread, result, "open", family)

    def made_uring(self, thread: Thread, call: Call, result: int) -> None:
        """io_uring_setup(2): from now on bytes may be moved without a syscall. Told once for each process."""
        process = thread.process
        if result >= 0 and not process.uring_noted:
            process.uring_noted = True
            what = f"process {process.pid} uses io_uring: bytes moved through it can't be seen by ptrace"
            self._events.append(Note(t=self._now(), message=what, kind="io_uring"))

    def clones(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> None:
        """clone(2) with CLONE_UNTRACED, or clone3(2), whose flags are in memory."""
        flags = memory.c_long(thread.tid, arguments[0]) if spec.name == "clone3" else arguments[0]
        if flags is not None and flags & CLONE_UNTRACED:
            what = f"process {thread.process.pid} makes a process that can't be traced (CLONE_UNTRACED)"
            self._events.append(Note(t=self._now(), message=what, kind="untraced"))

    def _tell(
        self, thread: Thread, fd: int, what: str, family: str, address: str | None = None, number: int = 0
    ) -> None:
        """Once for each process and address."""
        known = (thread.process.pid, what, family, address or fd, number)
        if known in self._told or len(self._told) >= MOST_ADDRESSES:
            return
        self._told.add(known)
        self._events.append(
            Elsewhere(
                t=self._now(),
                pid=thread.process.pid,
                tid=thread.tid,
                fd=fd,
                what=what,
                family=family,
                address=address,
                error=errno.errorcode.get(number, str(number)) if number else None,
            )
        )


def socket_file(address: Address) -> SocketFile | None:
    """The file of a Unix socket that was connected to; None for others and for what is gone."""
    return None if address.inside is None else file_at(address.inside)


def file_at(path: str) -> SocketFile | None:
    """The file of a Unix socket by its path as we see it."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return SocketFile(
        path=os.path.realpath(path),
        device=found.st_dev,
        inode=found.st_ino,
        mode=f"{stat.S_IMODE(found.st_mode):04o}",
        uid=found.st_uid,
        gid=found.st_gid,
    )


def _file_of(tid: int, fd: int) -> tuple[int, int] | None:
    try:
        found = os.stat(f"/proc/{tid}/fd/{fd}")
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _family_of(pid: int, fd: int) -> int | None:
    try:
        copy = socket.socket(fileno=kernel.steal_descriptor(pid, fd))
    except OSError:
        return None
    with copy:
        return int(copy.family)
