"""The traced threads and processes, their descriptor tables and the connections they hold.

A connection is known by the inode of its socket, which is the same in every process that has a descriptor of it,
however it came by it (dup, fork, SCM_RIGHTS). A descriptor table remembers which of its numbers lead to which
connection; an entry is valid from the first look until the number is closed or replaced, and every way to do that is
followed.
"""

from __future__ import annotations

from collections.abc import Iterable

from tracer.capture import processes
from tracer.capture.syscalls import Spec
from tracer.events import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.traps import Trap


class Connection:
    """A followed connection: its number, its socket and the processes that may hold a descriptor of it."""

    __slots__ = ("address", "ended", "family", "heard", "hello", "holders", "in_flight", "inode", "number", "peer_pid")

    def __init__(self, number: int, inode: int, family: Family, address: str) -> None:
        self.number = number
        self.inode = inode
        self.family = family
        self.address = address
        self.holders: set[int] = set()
        self.in_flight = False
        """A descriptor was sent to a process that has not used it yet; until then no process may hold one."""
        self.peer_pid: int | None = None
        self.heard = False
        """Bytes came in, so the daemon has accepted."""
        self.hello = False
        """The client has said something."""
        self.ended = False
        """The daemon's end of stream was seen."""


class Files:
    """One descriptor table (threads share theirs; so do processes cloned with CLONE_FILES)."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: dict[int, Connection | None] = {}

    def forget(self, first: int, last: int | None = None) -> None:
        """These numbers were closed or replaced."""
        if last is None:
            self.known.pop(first, None)
            return
        for fd in [fd for fd in self.known if first <= fd <= last]:
            del self.known[fd]


class Call:
    """A syscall between its entry and its exit."""

    __slots__ = ("arguments", "connection", "fd", "offset", "spec")

    def __init__(self, spec: Spec, arguments: tuple[int, ...], fd: int, connection: Connection | None) -> None:
        self.spec = spec
        self.arguments = arguments
        self.fd = fd
        self.connection = connection
        self.offset = 0


class Process:
    """A thread group. `every` means that it stops at every syscall, not only at those that the filter picks."""

    __slots__ = ("every", "pid", "threads", "trap", "trap_tried", "uring_noted")

    def __init__(self, pid: int, *, every: bool) -> None:
        self.pid = pid
        self.every = every
        self.threads: set[int] = set()
        self.uring_noted = False
        self.trap: Trap | None = None
        """The breakpoint that reads its TLS secrets."""
        self.trap_tried = False


class Thread:
    """A traced thread. `entered` is true between a syscall-entry stop and the exit stop that belongs to it."""

    __slots__ = ("call", "entered", "files", "process", "tid")

    def __init__(self, tid: int, process: Process, files: Files) -> None:
        self.tid = tid
        self.process = process
        self.files = files
        self.call: Call | None = None
        self.entered = False


class Connections:
    """The followed connections that are open, by the inode of their socket."""

    def __init__(self) -> None:
        self.open: dict[int, Connection] = {}
        self.made = 0

    def add(self, inode: int, family: Family, address: str, pid: int) -> Connection:
        """Number a new connection."""
        connection = Connection(self.next_number(), inode, family, address)
        connection.holders.add(pid)
        self.open[inode] = connection
        return connection

    def next_number(self) -> int:
        """The ordinal of the next connection or failed attempt."""
        self.made += 1
        return self.made

    def of(self, thread: Thread, fd: int) -> Connection | None:
        """The followed connection behind descriptor `fd` of `thread`, if it is one."""
        if not self.open:
            return None
        known = thread.files.known
        if fd in known:
            return known[fd]
        inode = processes.socket_inode(thread.tid, fd)
        connection = self.open.get(inode) if inode is not None else None
        known[fd] = connection
        if connection is not None and thread.process.pid not in connection.holders:
            connection.holders.add(thread.process.pid)
            connection.in_flight = False
        return connection

    def forked(self, parent: int, child: int) -> None:
        """A child process inherits the descriptors of its parent."""
        for connection in self.open.values():
            if parent in connection.holders:
                connection.holders.add(child)

    def dropped_by(self, pid: int, alive: Iterable[int]) -> list[Connection]:
        """The connections that are closed for good now that process `pid` closed or lost descriptors."""
        closed = []
        for connection in list(self.open.values()):
            if pid in connection.holders and not self._is_held(connection, pid, alive):
                del self.open[connection.inode]
                closed.append(connection)
        return closed

    @staticmethod
    def _is_held(connection: Connection, pid: int, alive: Iterable[int]) -> bool:
        if processes.holds_socket(pid, connection.inode):
            return True
        connection.holders.discard(pid)
        held = {other for other in connection.holders if processes.holds_socket(other, connection.inode)}
        if not held:  # it may have been passed to a process that has not touched it yet
            held = {other for other in alive if processes.holds_socket(other, connection.inode)}
        connection.holders = held
        return bool(held) or connection.in_flight
