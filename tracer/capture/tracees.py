"""The traced threads and processes, their descriptor tables and the connections they hold.

A connection is known by the inode of its socket, which is the same in every process that has a descriptor of it,
however it came by it (dup, fork, SCM_RIGHTS). To a helper that speaks for its client (`docker -H ssh://`) it is a pair
of pipes, known by theirs. A descriptor table remembers which of its numbers lead to which
connection; an entry is valid from the first look until the number is closed or replaced, and every way to do that is
followed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracer.capture import processes
from tracer.capture.syscalls import Spec
from tracer.events import Family

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.traps import Trap


class Connection:
    """A followed connection: its number, its socket and the processes that may hold a descriptor of it."""

    __slots__ = (
        "asked", "ended", "family", "filled", "heard", "hello", "helper", "holders", "in_flight", "links", "met",
        "number", "peer_pid",
    )  # fmt: skip

    def __init__(self, number: int, links: tuple[str, ...], family: Family) -> None:
        self.number = number
        self.links = links
        """What /proc/PID/fd shows for its descriptors: `socket:[INODE]`, or two of `pipe:[INODE]`."""
        self.family = family
        self.helper = 0
        """The process that speaks for the client: what it does with its ends of the pipes is not the client's doing."""
        self.holders: set[int] = set()
        self.in_flight = False
        """A descriptor was sent to a process that has not used it yet; until then no process may hold one."""
        self.peer_pid: int | None = None
        self.asked = False
        """Bytes went out."""
        self.heard = False
        """Bytes came in, so the daemon has accepted."""
        self.filled = False
        """The last read was filled: there may well be more."""
        self.met = False
        """The process at the other end was found."""
        self.hello = False
        """The client has said something."""
        self.ended = False
        """The daemon's end of stream was seen."""

    @property
    def inode(self) -> int:
        """Of its socket."""
        return int(self.links[0].partition("[")[2].rstrip("]"))

    def is_held_by(self, pid: int) -> bool:
        """Whether a process other than the helper has a descriptor of it."""
        return pid != self.helper and any(processes.descriptor_of(pid, link) is not None for link in self.links)


class Files:
    """One descriptor table (threads share theirs; so do processes cloned with CLONE_FILES)."""

    __slots__ = ("known", "seen")

    def __init__(self) -> None:
        self.known: dict[int, Connection | None] = {}
        self.seen = 0
        """How many connections there had been when it was last looked at."""

    def forget(self, first: int, last: int | None = None) -> None:
        """These numbers were closed or replaced."""
        if last is None:
            self.known.pop(first, None)
            return
        for fd in [fd for fd in self.known if first <= fd <= last]:
            del self.known[fd]

    def forget_misses(self) -> None:
        """A descriptor that was of no interest may have become an end of a connection."""
        self.known = {fd: connection for fd, connection in self.known.items() if connection is not None}


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
    """A thread group. `every` means that it stops at every syscall, not only at those that the filter picks; `narrow`
    that its filter picks only those by which it may come to a connection."""

    __slots__ = ("every", "helped", "narrow", "pid", "threads", "trap", "trap_tried", "uring_noted")

    def __init__(self, pid: int, *, every: bool, narrow: bool) -> None:
        self.pid = pid
        self.every = every
        self.narrow = narrow
        self.threads: set[int] = set()
        self.helped = False
        """It speaks to its daemon through a helper that it starts."""
        self.uring_noted = False
        self.trap: Trap | None = None
        """The breakpoint that reads its TLS secrets."""
        self.trap_tried = False

    def leave_filter(self) -> None:
        """Stop at every syscall from now on, whatever its filters pick; its running threads are told by the loop."""
        self.narrow, self.every = False, True


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
    """The followed connections that are open."""

    def __init__(self) -> None:
        self._by_link: dict[str, Connection] = {}
        self.made = 0
        self._helped = 0
        """The last connection that began with descriptors which had been open before."""

    def __bool__(self) -> bool:
        return bool(self._by_link)

    def __contains__(self, link: str) -> bool:
        return link in self._by_link

    def by_link(self, link: str) -> Connection | None:
        """The open connection with such a descriptor."""
        return self._by_link.get(link)

    def __iter__(self) -> Iterator[Connection]:
        return iter(dict.fromkeys(self._by_link.values()))

    def add(self, links: tuple[str, ...], family: Family, pid: int, helper: int = 0) -> Connection:
        """Number a new connection of process `pid`."""
        connection = Connection(self.next_number(), links, family)
        connection.holders.add(pid)
        if helper:
            connection.helper = helper
            self._helped = self.made
        self._by_link.update(dict.fromkeys(links, connection))
        return connection

    def next_number(self) -> int:
        """The ordinal of the next connection or failed attempt."""
        self.made += 1
        return self.made

    def of(self, thread: Thread, fd: int) -> Connection | None:
        """The followed connection behind descriptor `fd` of `thread`, if it is one."""
        if not self._by_link:
            return None
        files = thread.files
        if files.seen < self._helped:
            files.forget_misses()
            files.seen = self.made
        known = files.known
        if fd in known:
            return known[fd]
        link = processes.link(thread.tid, fd)
        connection = self._by_link.get(link) if link is not None else None
        if connection is not None and connection.helper == thread.process.pid:
            connection = None
        known[fd] = connection
        if connection is not None and thread.process.pid not in connection.holders:
            connection.holders.add(thread.process.pid)
            connection.in_flight = False
        return connection

    def are_held_by(self, pid: int) -> bool:
        """Whether process `pid` has a descriptor of any."""
        return any(pid in connection.holders for connection in self)

    def find_holder(self, pid: int) -> bool:
        """The same, with a look at its descriptors: it may have had one before that became a connection."""
        for connection in self:
            if connection.is_held_by(pid):
                connection.holders.add(pid)
        return self.are_held_by(pid)

    def forked(self, parent: int, child: int) -> None:
        """A child process inherits the descriptors of its parent."""
        for connection in self:
            if parent in connection.holders:
                connection.holders.add(child)

    def dropped_by(self, pid: int, alive: Iterable[int]) -> list[Connection]:
        """The connections that are closed for good now that process `pid` closed or lost descriptors."""
        if not self._by_link:
            return []
        closed = []
        for connection in list(self):
            if pid in connection.holders and not self._is_held(connection, pid, alive):
                for link in connection.links:
                    del self._by_link[link]
                closed.append(connection)
        return closed

    @staticmethod
    def _is_held(connection: Connection, pid: int, alive: Iterable[int]) -> bool:
        if connection.is_held_by(pid):
            return True
        connection.holders.discard(pid)
        held = {other for other in connection.holders if connection.is_held_by(other)}
        if not held:  # it may have been passed to a process that has not touched it yet
            held = {other for other in alive if connection.is_held_by(other)}
        connection.holders = held
        return bool(held) or connection.in_flight
