"""Descriptors closed, duplicated and replaced: when the last one of a connection goes, the connection is closed."""

from __future__ import annotations

from collections.abc import Callable

from tracer.capture.syscalls import CLONE_FILES, Spec, signed
from tracer.capture.tracees import Call, Connections, Files, Process, Thread
from tracer.events import Close, Event

LOW = 3
"""Descriptors below this are the ones whose reads and writes the filter lets pass."""


class Descriptors:
    """Keeps the descriptor tables of threads true, and appends Close events to `events`."""

    def __init__(
        self,
        events: list[Event],
        now: Callable[[], float],
        connections: Connections,
        processes: dict[int, Process],
    ) -> None:
        self._events = events
        self._now = now
        self._connections = connections
        self._processes = processes

    def enter_close(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """close(2): the number means something else from now on."""
        fd = signed(arguments[0])
        connection = self._connections.of(thread, fd)
        thread.files.forget(fd)
        return Call(spec, arguments, fd, connection) if connection else None

    def enter_close_range(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """close_range(2)."""
        return Call(spec, arguments, -1, None)

    def enter_replace(self, thread: Thread, spec: Spec, arguments: tuple[int, ...]) -> Call | None:
        """dup2(2), dup3(2): a number is replaced."""
        old, new = signed(arguments[0]), signed(arguments[1])
        source = self._connections.of(thread, old)
        replaced = self._connections.of(thread, new)
        thread.files.forget(new)
        return Call(spec, arguments, new, source) if source or replaced else None

    def leave_dup(self, thread: Thread, call: Call, result: int) -> None:
        """dup(2) and its relatives, fcntl(F_DUPFD)."""
        if result < 0:
            return
        thread.files.forget(result)
        if call.connection is not None and result < LOW:
            self.check_low(thread)
        if call.spec.name in ("dup2", "dup3"):
            self.close_dropped(thread.process.pid, thread.tid)

    def leave_close(self, thread: Thread, call: Call, result: int) -> None:
        """The last descriptor of a connection may have gone."""
        thread.files.forget(call.fd)
        self.close_dropped(thread.process.pid, thread.tid)

    def leave_close_range(self, thread: Thread, call: Call, result: int) -> None:
        """Many descriptors may have gone, or a table of one's own may have been made."""
        close_range_unshare, close_range_cloexec = 2, 4
        if result != 0 or call.arguments[2] & close_range_cloexec:
            return
        if call.arguments[2] & close_range_unshare:
            thread.files = Files()
        thread.files.forget(call.arguments[0] & 0xFFFFFFFF, call.arguments[1] & 0xFFFFFFFF)
        self.close_dropped(thread.process.pid, thread.tid)

    def leave_unshare(self, thread: Thread, call: Call, result: int) -> None:
        """unshare(CLONE_FILES): a thread has a descriptor table of its own now."""
        if result == 0 and call.arguments[0] & CLONE_FILES:
            thread.files = Files()

    def close_dropped(self, pid: int, tid: int) -> None:
        """Tell of the connections that process `pid` was the last to hold."""
        for connection in self._connections.dropped_by(pid, self._processes):
            self._events.append(Close(t=self._now(), conn=connection.number, pid=pid, tid=tid))

    def check_low(self, thread: Thread) -> None:
        """Once a followed socket is a standard stream, the filter would hide its bytes: stop at every syscall."""
        for fd in range(LOW):
            thread.files.forget(fd)
            if self._connections.of(thread, fd) is not None:
                thread.process.every = True
