"""How connections begin: connect(2), socketpair(2), those made before we came, a helper's pipes; who is at the end.

Each is numbered, told with what is known of both its ends, and given to `Connections`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable

from tracer.capture import helpers, memory, peer, processes
from tracer.capture.addresses import SOCKETPAIR, Address, Follow, parse
from tracer.capture.descriptors import LOW
from tracer.capture.secrets import Secrets
from tracer.capture.syscalls import SOCK_STREAM, SOCK_TYPE_MASK, Spec, signed
from tracer.capture.tracees import Call, Connection, Connections, Thread
from tracer.capture.witness import Witness, socket_file
from tracer.events import Connect, Event, Note, Peer, PeerFound

RESTARTS = range(512, 517)
"""ERESTARTSYS and its relatives (include/linux/errno.h): the call was interrupted and will be made again."""

SOCKADDR_MAX = 128
IGNORED_KEPT = 100


class Connecting:
    """Appends the events of new connections to `events`."""

    def __init__(
        self,
        events: list[Event],
        now: Callable[[], float],
        follow: Follow,
        connections: Connections,
        secrets: Secrets,
        witness: Witness,
    ) -> None:
        self.ignored: dict[str, None] = {}
        """Addresses of connections that were not followed, in order, each once."""
        self.connected = False
        """A followed address was connected to, or at least tried."""
        self._events = events
        self._now = now
        self._follow = follow
        self._connections = connections
        self._secrets = secrets
        self._witness = witness
        self._peers = peer.PeerFinder()

    def helps(self, thread: Thread, argv: list[str]) -> None:
        """The program may be one that carries what its parent says to a daemon elsewhere: then that is followed."""
        pid = thread.process.pid
        remote = helpers.remote(argv)
        if remote is None:
            return
        said, answers = _client_end(pid, 0), _client_end(pid, 1)
        if said is None or answers is None:
            return
        client = processes.parent(pid)
        known = self._connections.by_link(said)
        if known is not None:  # the helper was a script at first, or a shell
            self._events.append(PeerFound(t=self._now(), conn=known.number, peer=peer.helper(pid)))
            return
        self.connected = True
        connection = self._connections.add(tuple(dict.fromkeys((said, answers))), "pipe", client, helper=pid)
        fd = processes.descriptor_of(client, said, writable=True)
        self._events.append(
            Connect(
                t=self._now(),
                conn=connection.number,
                pid=client,
                tid=client,
                fd=-1 if fd is None else fd,
                family="pipe",
                address=remote,
                peer=peer.helper(pid),
                comm=processes.comm(client),
            )
        )

    def adopt(self, thread: Thread) -> None:
        """Take the followed connections that a process had before we came; each is told with its peer."""
        pid = thread.process.pid
        paths: dict[int, str] | None = None
        for fd, inode in processes.sockets(pid).items():
            if paths is None:
                paths = processes.unix_paths(pid)
            other = peer.paired_inode(inode, pid)
            path = paths.get(other) if other is not None else None
            if path is None or processes.socket_link(inode) in self._connections:
                continue
            address = Address("unix", path, path)
            if self._follow.wants(address):
                self._connected(thread, fd, address, midway=True)
        if self._connections:
            self._note("connections that were open already are shown from their next request on", "midway")

    def enter(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """connect(2): the descriptor may become the end of a connection."""
        fd = signed(arguments[0])
        thread.files.forget(fd)
        return Call(spec, arguments, fd, None)

    def leave(self, thread: Thread, call: Call, result: int) -> None:
        """connect(2) has ended: where to, and whether that is followed."""
        raw = memory.read(thread.tid, call.arguments[1], min(signed(call.arguments[2]), SOCKADDR_MAX))
        address = parse(raw, thread.tid)
        number = -result if result < 0 else 0
        if address is None or number in RESTARTS or number in (errno.EISCONN, errno.EALREADY):
            return
        if not self._follow.wants(address):
            if len(self.ignored) < IGNORED_KEPT:
                self.ignored[address.text] = None
            self._witness.elsewhere(thread, call.fd, address, number)
            return
        self.connected = True
        if number in (0, errno.EINPROGRESS):
            self._connected(thread, call.fd, address)
        else:
            self._connect_event(thread, call.fd, address, self._connections.next_number(), number)

    def leave_socketpair(self, thread: Thread, call: Call, result: int) -> None:
        """With every socket followed: one connection, seen from the first of the two descriptors."""
        is_stream = call.arguments[1] & SOCK_TYPE_MASK == SOCK_STREAM
        fd = memory.c_int(thread.tid, call.arguments[3])
        if result == 0 and is_stream and fd is not None and self._follow.everything:
            thread.files.forget(fd)
            self.connected = True
            self._connected(thread, fd, Address("unix", SOCKETPAIR))

    def _connected(self, thread: Thread, fd: int, address: Address, *, midway: bool = False) -> None:
        inode = processes.socket_inode(thread.tid, fd)
        link = processes.socket_link(inode or 0)
        if inode is None or link in self._connections:
            return
        pid = thread.process.pid
        connection = self._connections.add((link,), address.family, pid)
        thread.files.known[fd] = connection
        found = peer.by_credentials(pid, fd) if address.family == "unix" else None
        connection.peer_pid = found.pid if found else None
        self._connect_event(thread, fd, address, connection.number, 0, found, midway=midway)
        if address.family != "unix":
            self._secrets.connected(thread.process)
        if fd < LOW:
            thread.process.every = True

    def _connect_event(
        self,
        thread: Thread,
        fd: int,
        address: Address,
        conn: int,
        number: int,
        found: Peer | None = None,
        *,
        midway: bool = False,
    ) -> None:
        self._events.append(
            Connect(
                t=self._now(),
                conn=conn,
                pid=thread.process.pid,
                tid=thread.tid,
                fd=fd,
                family=address.family,
                address=address.text,
                error=errno.errorcode.get(number, str(number)) if number else None,
                peer=found,
                comm=processes.comm(thread.process.pid),
                file=socket_file(address),
                midway=midway,
                other=self._follow.everything and not self._follow.names(address),
            )
        )

    def look_for_peer(self, pid: int, fd: int, connection: Connection) -> None:
        """The process that holds the other end can be found once the daemon has accepted."""
        if connection.met or connection.family == "pipe":
            return
        if connection.family == "unix":
            found = self._peers.of_unix(connection.inode, pid, connection.peer_pid)
        else:
            found = self._peers.of_tcp(connection.inode, pid, fd)
        if found is not None:
            connection.met = True
            self._events.append(PeerFound(t=self._now(), conn=connection.number, peer=found))

    def _note(self, message: str, kind: str) -> None:
        self._events.append(Note(t=self._now(), message=message, kind=kind))


def _client_end(pid: int, fd: int) -> str | None:
    """What the other end of a helper's pipe or socket pair is in its client."""
    link = processes.link(pid, fd) or ""
    if link.startswith("pipe:["):
        return link
    inode = processes.socket_inode(pid, fd)
    other = peer.paired_inode(inode, pid) if inode is not None else None
    return processes.socket_link(other) if other is not None else None
