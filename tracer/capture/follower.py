"""What the followed syscalls mean: connections made, bytes moved, descriptors passed on and closed.

The stop loop calls `enter` at a syscall's entry and, where that returned a Call, `leave` at its exit with the result.
An event is stamped at the exit, when the kernel has really moved the bytes; `leave` must copy all memory it needs,
since the thread is resumed right after. Only what a read is sure to bring is told at its entry (see `peeking`).
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from tracer.capture import helpers, memory, processes, transfers
from tracer.capture.addresses import Follow
from tracer.capture.connecting import RESTARTS, Connecting
from tracer.capture.descriptors import Descriptors
from tracer.capture.peeking import Peeking
from tracer.capture.secrets import Secrets
from tracer.capture.syscalls import MSG_PEEK, Spec, signed
from tracer.capture.tracees import Call, Connections, Process, Thread
from tracer.capture.witness import Witness
from tracer.events import Data, Event, Exec, Exit, Failed, Fork, Note, Shutdown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.status_line import StatusLine

PASSING = {errno.EAGAIN, errno.EINTR, errno.EBADF, errno.EFAULT, errno.EINVAL, *RESTARTS}
"""Errors after which the connection is as it was."""

MESSAGES = ("message", "messages")
SHUTDOWNS = ("rd", "wr", "rdwr")


class Follower:
    """Turns syscalls into events, appended to `events` in the order in which they are to be told."""

    def __init__(
        self,
        follow: Follow,
        now: Callable[[], float],
        endpoints_of: Callable[[list[str], Mapping[str, str]], Iterable[str]],
        *,
        thorough: bool = False,
        line: StatusLine | None = None,
    ) -> None:
        self.events: list[Event] = []
        self.bytes_out = 0
        self.bytes_in = 0
        self.lost = 0
        self._later: list[Callable[[], None]] = []
        self._follow = follow
        self._now = now
        self._endpoints_of = endpoints_of
        self._connections = Connections()
        self.secrets = Secrets(self.events, now)
        self._witness = Witness(self.events, now, thorough=thorough, line=line)
        self.connecting = Connecting(self.events, now, follow, self._connections, self.secrets, self._witness)
        self._processes: dict[int, Process] = {}
        self._peeking = Peeking()
        self._descriptors = Descriptors(self.events, now, self._connections, self._processes)
        self._enter = {
            "connect": self.connecting.enter,
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
            "pidfd_getfd": self._enter_always,
            "clone": self._enter_clone,
            "clone3": self._enter_clone,
        }
        self._leave = {
            "connect": self.connecting.leave,
            "close": self._descriptors.leave_close,
            "close_range": self._descriptors.leave_close_range,
            "dup": self._descriptors.leave_dup,
            "dup2": self._descriptors.leave_dup,
            "dup3": self._descriptors.leave_dup,
            "fcntl": self._descriptors.leave_dup,
            "shutdown": self._leave_shutdown,
            "getsockopt": self._leave_getsockopt,
            "unshare": self._descriptors.leave_unshare,
            "socketpair": self.connecting.leave_socketpair,
            "io_uring_setup": self._witness.made_uring,
            "socket": self._witness.made_socket,
            "pidfd_getfd": self._leave_getfd,
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
        self.connecting.helps(thread, argv)

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
            if endpoint.startswith(helpers.SCHEME):
                thread.process.helped = True
                if thread.process.narrow:  # its connection is known when the helper runs: then it is too late to widen
                    thread.process.leave_filter()
        return exe, argv

    def _inherits_trap(self, parent: Process, child: int) -> None:
        """A new process shares its parent's code, or has a copy of it, breakpoint and all."""
        process = self._processes.get(child)
        if process is not None:
            process.trap, process.trap_tried = parent.trap, parent.trap_tried

    def exited(self, pid: int, status: int | None, killed_by: int | None) -> None:
        """A process ended; the connections that it alone held are closed."""
        self._processes.pop(pid, None)
        self._peeking.ended(pid)
        self._descriptors.close_dropped(pid, pid)
        self.events.append(Exit(t=self._now(), pid=pid, status=status, signal=killed_by))

    def attached(self, thread: Thread) -> None:
        """A process came under the tracer while it was running its program."""
        self._new_program(thread)
        self.connecting.adopt(thread)

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
        if connection is None and thread.process.narrow and spec.shape in MESSAGES and spec.direction == "in":
            return Call(spec, arguments, fd, None)  # it may bring a connection
        if connection is None:
            return self._witness.enter(thread, spec, arguments, fd)
        call = Call(spec, arguments, fd, connection)
        return None if connection.filled and self._foretold(thread, call) else call

    def _foretold(self, thread: Thread, call: Call) -> bool:
        """Whether what the call is about to read could be told at its entry."""
        payload = None if thread.process.every else self._peeking.certain(thread.process.pid, call)
        if payload is not None:
            self.later(partial(self._data, thread, call, len(payload), payload))
        return payload is not None

    def _enter_clone(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        self._witness.clones(thread, spec, arguments)
        return None

    def handed_over(self) -> list[int]:
        """The connections that were passed to a process which never came under the tracer."""
        return [connection.number for connection in self._connections if connection.in_flight]

    def began(self, thread: Thread) -> None:
        """The command itself runs its program now."""
        self._witness.began(thread)
        self.connecting.adopt(thread)

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
        elif call.connection is None and thread.process.narrow:
            self._look_at_received(thread, call, result)
        elif call.connection is None:
            self._witness.leave(thread, call, result)
        elif result < 0:
            self._failed(thread, call, -result)
        else:
            self._moved(thread, call, result)

    def has_connections(self, process: Process) -> bool:
        """Whether a followed connection has come into this process."""
        return self._connections.are_held_by(process.pid)

    def holders_among(self, processes: Iterable[Process]) -> list[Process]:
        """Those that have a descriptor of a connection, known or not."""
        return [process for process in processes if self._connections.find_holder(process.pid)]

    @property
    def made(self) -> int:
        """How many connections there have been."""
        return self._connections.made

    def _look_at_received(self, thread: Thread, call: Call, result: int) -> None:
        """recvmsg(2), recvmmsg(2): with SCM_RIGHTS descriptors of a connection may have come."""
        headers = [call.arguments[1]] if call.spec.shape == "message" else memory.headers(call.arguments[1], result)
        for header in headers if result > 0 else ():
            for fd in memory.passed_descriptors(thread.tid, header):
                thread.files.forget(fd)
                self._connections.of(thread, fd)

    def _leave_getfd(self, thread: Thread, call: Call, result: int) -> None:
        """pidfd_getfd(2) is one more way to come by a descriptor."""
        thread.files.forget(result)
        self._connections.of(thread, result)

    def _enter_always(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        return Call(spec, arguments, -1, None)

    def _enter_on_socket(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        fd = signed(arguments[0])
        connection = self._connections.of(thread, fd)
        return Call(spec, arguments, fd, connection) if connection else None

    # Bytes

    def _moved(self, thread: Thread, call: Call, result: int) -> None:
        spec = call.spec
        if spec.direction == "in":
            self._peeking.forget()
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
        if direction == "in":
            connection.filled = call.spec.shape == "buffer" and size == call.arguments[2]
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
                self.later(partial(self.connecting.look_for_peer, thread.process.pid, call.fd, connection))
        else:
            self.bytes_in += size
            if not connection.heard:  # the daemon has accepted by now: look again, while the connection is still there
                connection.heard = True
                self.connecting.look_for_peer(thread.process.pid, call.fd, connection)
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

    def later(self, work: Callable[[], None]) -> None:
        """This can wait until the thread has gone on."""
        self._later.append(work)

    def settle(self) -> None:
        """Do what could wait until the thread went on: it does not wait for us any longer."""
        for work in self._later:
            work()
        self._later.clear()

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
