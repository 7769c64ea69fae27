"""What the followed syscalls mean: connections made, bytes moved, descriptors passed on and closed.

The stop loop calls `enter` at a syscall's entry and, where that returned a Call, `leave` at its exit with the result.
An event is stamped at the exit, when the kernel has really moved the bytes; `leave` must copy all memory it needs,
since the thread is resumed right after.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tracer.capture import helpers, memory, peer, processes, transfers
from tracer.capture.addresses import SOCKETPAIR, Address, Follow, parse
from tracer.capture.descriptors import LOW, Descriptors
from tracer.capture.secrets import Secrets
from tracer.capture.syscalls import MSG_PEEK, SOCK_STREAM, SOCK_TYPE_MASK, Spec, signed
from tracer.capture.tracees import Call, Connection, Connections, Process, Thread
from tracer.capture.witness import Witness, socket_file
from tracer.events import Connect, Data, Event, Exec, Exit, Failed, Fork, Note, Peer, PeerFound, Shutdown

RESTARTS = range(512, 517)
"""ERESTARTSYS and its relatives (include/linux/errno.h): the call was interrupted and will be made again."""

PASSING = {errno.EAGAIN, errno.EINTR, errno.EBADF, errno.EFAULT, errno.EINVAL, *RESTARTS}
"""Errors after which the connection is as it was."""

SHUTDOWNS = ("rd", "wr", "rdwr")
SOCKADDR_MAX = 128
IGNORED_KEPT = 100


class Follower:
    """Turns syscalls into events, appended to `events` in the order in which they are to be told."""

    def __init__(
        self,
        follow: Follow,
        now: Callable[[], float],
        endpoints_of: Callable[[list[str], Mapping[str, str]], Iterable[str]],
        *,
        thorough: bool = False,
    ) -> None:
        self.events: list[Event] = []
        self.bytes_out = 0
        self.bytes_in = 0
        self.lost = 0
        self.ignored: dict[str, None] = {}
        """Addresses of connections that were not followed, in order, each once."""
        self.connected = False
        """A followed address was connected to, or at least tried."""
        self._later: list[Callable[[], None]] = []
        self._follow = follow
        self._now = now
        self._endpoints_of = endpoints_of
        self._connections = Connections()
        self._peers = peer.PeerFinder()
        self.secrets = Secrets(self.events, now)
        self._witness = Witness(self.events, now, thorough=thorough)
        self._processes: dict[int, Process] = {}
        self._descriptors = Descriptors(self.events, now, self._connections, self._processes)
        self._enter = {
            "connect": self._enter_connect,
            "close": self._descriptors.enter_close,
            "close_range": self._descriptors.enter_close_range,
            "dup2": self._descriptors.enter_replace,
            "dup3": self._descriptors.enter_replace,
            "shutdown": self._enter_on_socket,
            "getsockopt": self._enter_on_socket,
            "dup": self._enter_on_socket,
            "fcntl": self._enter_on_socket,
            "unshare": self._enter_always,
            "socketpair": self._enter_always,
            "io_uring_setup": self._enter_always,
            "socket": self._enter_always,
            "clone": self._enter_clone,
            "clone3": self._enter_clone,
        }
        self._leave = {
            "connect": self._leave_connect,
            "close": self._descriptors.leave_close,
            "close_range": self._descriptors.leave_close_range,
            "dup": self._descriptors.leave_dup,
            "dup2": self._descriptors.leave_dup,
            "dup3": self._descriptors.leave_dup,
            "fcntl": self._descriptors.leave_dup,
            "shutdown": self._leave_shutdown,
            "getsockopt": self._leave_getsockopt,
            "unshare": self._descriptors.leave_unshare,
            "socketpair": self._leave_socketpair,
            "io_uring_setup": self._witness.made_uring,
            "socket": self._witness.made_socket,
        }

    # Processes

    def started(self, process: Process) -> None:
        """A process came under the tracer."""
        self._processes[process.pid] = process

    def forked(self, thread: Thread, child: int, *, is_thread: bool) -> None:
        """`thread` made a thread or a process."""
        if not is_thread:
            self._connections.forked(thread.process.pid, child)
            self._inherits_trap(thread.process, child)
        event = Fork(t=self._now(), pid=thread.process.pid, tid=thread.tid, child=child, thread=is_thread)
        self.events.append(event)

    def executed(self, thread: Thread) -> None:
        """The process of `thread` runs a new program, with descriptors marked close-on-exec gone."""
        pid = thread.process.pid
        thread.process.trap, thread.process.trap_tried = None, False
        exe, argv = self._new_program(thread)
        program = processes.program(pid)
        if program is not None and processes.is_32_bit(pid, program):
            self._note(f"process {pid} ({exe}) is a 32-bit program: its connections are not followed", "foreign")
        if program is not None and processes.lost_privilege(pid, program):
            self._note(
                f"process {pid} ({exe}) is setuid and lost its privilege under the tracer: "
                "put sudo first, as in sudo socktrace COMMAND"
            )
        self._descriptors.close_dropped(pid, thread.tid)
        self._helps(thread, argv)

    def _helps(self, thread: Thread, argv: list[str]) -> None:
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
            self.events.append(PeerFound(t=self._now(), conn=known.number, peer=peer.helper(pid)))
            return
        self.connected = True
        connection = self._connections.add(tuple(dict.fromkeys((said, answers))), "pipe", client, helper=pid)
        fd = processes.descriptor_of(client, said, writable=True)
        self.events.append(
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

    def _new_program(self, thread: Thread) -> tuple[str, list[str]]:
        """Tell what runs now, and follow the daemons that its command line and environment name: (path, argv)."""
        pid = thread.process.pid
        argv = processes.argv(pid)
        exe = processes.exe(pid) or (argv[0] if argv else "?")
        self.events.append(Exec(t=self._now(), pid=pid, tid=thread.tid, exe=exe, argv=argv))
        environment = processes.environment(pid)
        self.secrets.started(environment)
        for endpoint in self._endpoints_of(argv, environment):
            self._follow.add(endpoint)
        return exe, argv

    def _inherits_trap(self, parent: Process, child: int) -> None:
        """A new process shares its parent's code, or has a copy of it, breakpoint and all."""
        process = self._processes.get(child)
        if process is not None:
            process.trap, process.trap_tried = parent.trap, parent.trap_tried

    def exited(self, pid: int, status: int | None, killed_by: int | None) -> None:
        """A process ended; the connections that it alone held are closed."""
        self._processes.pop(pid, None)
        self._descriptors.close_dropped(pid, pid)
        self.events.append(Exit(t=self._now(), pid=pid, status=status, signal=killed_by))

    def attached(self, thread: Thread) -> None:
        """A process came under the tracer while it was running its program."""
        self._new_program(thread)
        self.adopt_connections(thread)

    def adopt_connections(self, thread: Thread) -> None:
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

    # Syscalls

    def enter(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """What to remember until the call's exit; None if its outcome does not matter."""
        handler = self._enter.get(spec.name)
        if handler is not None:
            return handler(thread, spec, arguments)
        if spec.shape == "file":
            return self._enter_file(thread, spec, arguments)
        if spec.name == "sendmsg" and self._connections:
            self._note_passed_on(thread, arguments)
        fd = signed(arguments[spec.fd_argument])
        connection = self._connections.of(thread, fd)
        if connection is None:
            return self._witness.enter(thread, spec, arguments, fd)
        return Call(spec, arguments, fd, connection)

    def _enter_clone(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        self._witness.clones(thread, spec, arguments)
        return None

    def handed_over(self) -> list[int]:
        """The connections that were passed to a process which never came under the tracer."""
        return [connection.number for connection in self._connections if connection.in_flight]

    def began(self, thread: Thread) -> None:
        """The command itself runs its program now."""
        self._witness.began(thread)
        self.adopt_connections(thread)

    def _note_passed_on(self, thread: Thread, arguments: tuple[int, ...]) -> None:
        for fd in memory.passed_descriptors(thread.tid, arguments[1]):
            connection = self._connections.of(thread, fd)
            if connection is not None:
                connection.in_flight = True

    def leave(self, thread: Thread, call: Call, result: int) -> None:
        """The call ended with `result`, a value or a negative errno."""
        handler = self._leave.get(call.spec.name)
        if handler is not None:
            handler(thread, call, result)
        elif call.connection is None:
            self._witness.leave(thread, call, result)
        elif result < 0:
            self._failed(thread, call, -result)
        else:
            self._moved(thread, call, result)

    def _enter_always(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        return Call(spec, arguments, -1, None)

    def _enter_on_socket(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        fd = signed(arguments[0])
        connection = self._connections.of(thread, fd)
        return Call(spec, arguments, fd, connection) if connection else None

    # Bytes

    def _moved(self, thread: Thread, call: Call, result: int) -> None:
        spec = call.spec
        flags = call.arguments[spec.flags_argument] if spec.flags_argument is not None else 0
        if spec.direction == "in" and flags & MSG_PEEK:
            return
        if spec.shape == "messages":
            for size, payload in memory.messages(thread.tid, call.arguments[1], result):
                self._data(thread, call, size, payload)
            return
        if spec.shape == "message" and spec.direction == "in":
            self._received_message(thread, call)
        self._data(thread, call, result, transfers.payload(thread.tid, call, result))

    def _data(self, thread: Thread, call: Call, size: int, payload: bytes | None) -> None:
        connection = call.connection
        assert connection is not None
        direction = transfers.direction(call)
        if size == 0:
            if direction == "out" or connection.ended or not transfers.asked_for_bytes(call):
                return
            connection.ended = True
        if payload is not None and len(payload) != size:
            self.lost += size
            payload = None
        if direction == "out":
            self.bytes_out += size
            if not connection.asked:
                connection.asked = True
                self._later.append(partial(self._look_for_peer, thread.process.pid, call.fd, connection))
        else:
            self.bytes_in += size
            if not connection.heard:  # the daemon has accepted by now: look again, while the connection is still there
                connection.heard = True
                self._look_for_peer(thread.process.pid, call.fd, connection)
        if connection.family in ("inet", "inet6"):
            self.secrets.moved(connection, payload, out=direction == "out")
        self.events.append(
            Data(
                t=self._now(),
                conn=connection.number,
                pid=thread.process.pid,
                tid=thread.tid,
                fd=call.fd,
                syscall=call.spec.name,
                dir=direction,
                size=size,
                payload=payload,
            )
        )

    def settle(self) -> None:
        """Do what could wait until the thread went on: it waits for its answer now, and not for us."""
        for work in self._later:
            work()
        self._later.clear()

    def _look_for_peer(self, pid: int, fd: int, connection: Connection) -> None:
        """The process that holds the other end can be found once the daemon has accepted."""
        if connection.met or connection.family == "pipe":
            return
        if connection.family == "unix":
            found = self._peers.of_unix(connection.inode, pid, connection.peer_pid)
        else:
            found = self._peers.of_tcp(connection.inode, pid, fd)
        if found is not None:
            connection.met = True
            self.events.append(PeerFound(t=self._now(), conn=connection.number, peer=found))

    def _received_message(self, thread: Thread, call: Call) -> None:
        if memory.has_control_data(thread.tid, call.arguments[1]):
            self._descriptors.check_low(thread)

    # Files into sockets

    def _enter_file(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """sendfile(out, in, offset, count) and splice(in, off, out, off, length, flags)."""
        candidates = (arguments[0],) if spec.name == "sendfile" else (arguments[2], arguments[0])
        for argument in candidates:
            fd = signed(argument)
            connection = self._connections.of(thread, fd)
            if connection is not None:
                call = Call(spec, arguments, fd, connection)
                if spec.name == "sendfile":
                    call.offset = transfers.file_offset(thread.tid, arguments)
                return call
        return None

    # Connections

    def _enter_connect(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        fd = signed(arguments[0])
        thread.files.forget(fd)
        return Call(spec, arguments, fd, None)

    def _leave_connect(self, thread: Thread, call: Call, result: int) -> None:
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

    def _leave_socketpair(self, thread: Thread, call: Call, result: int) -> None:
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
            self.secrets.connected(thread.process)
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
        self.events.append(
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
            )
        )

    def _failed(self, thread: Thread, call: Call, number: int) -> None:
        if number in PASSING or call.connection is None:
            return
        self.events.append(
            Failed(
                t=self._now(),
                conn=call.connection.number,
                pid=thread.process.pid,
                tid=thread.tid,
                fd=call.fd,
                syscall=call.spec.name,
                error=errno.errorcode.get(number, str(number)),
            )
        )

    def _leave_getsockopt(self, thread: Thread, call: Call, result: int) -> None:
        """SO_ERROR tells how a non-blocking connect(2) ended."""
        if result == 0:
            number = memory.c_int(thread.tid, call.arguments[3])
            if number:
                self._failed(thread, call, number)

    def _leave_shutdown(self, thread: Thread, call: Call, result: int) -> None:
        how = signed(call.arguments[1])
        if result == 0 and call.connection is not None and 0 <= how < len(SHUTDOWNS):
            self.events.append(
                Shutdown(
                    t=self._now(),
                    conn=call.connection.number,
                    pid=thread.process.pid,
                    tid=thread.tid,
                    how=SHUTDOWNS[how],
                )
            )

    def _note(self, message: str, kind: str = "") -> None:
        self.events.append(Note(t=self._now(), message=message, kind=kind))


def _client_end(pid: int, fd: int) -> str | None:
    """What the other end of a helper's pipe or socket pair is in its client."""
    link = processes.link(pid, fd) or ""
    if link.startswith("pipe:["):
        return link
    inode = processes.socket_inode(pid, fd)
    other = peer.paired_inode(inode, pid) if inode is not None else None
    return processes.socket_link(other) if other is not None else None
