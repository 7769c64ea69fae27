"""The stop loop: one blocking waitpid(2), what is pending is drained, each stopped thread is resumed exactly once.

A stop is answered with a Resume: how to go on and with which signal. The thread goes on before the consumer of the
events does its work. This module knows ptrace(2)'s stops and nothing of sockets; what a syscall means is the
Follower's business.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from msgspec import Struct

from tracer.capture import kernel, processes, widening
from tracer.capture.arch import Architecture
from tracer.capture.follower import Follower
from tracer.capture.holding import PAUSE, Holding
from tracer.capture.kernel import Gone
from tracer.capture.syscalls import Spec, without_stdio
from tracer.capture.tracees import Files, Process, Thread
from tracer.events import Event

BUSY = 64
"""Rounds of stops after which events are not held back any longer: a few milliseconds."""

STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
BIRTHS = {kernel.PTRACE_EVENT_FORK, kernel.PTRACE_EVENT_VFORK, kernel.PTRACE_EVENT_CLONE}


class Resume(Struct, frozen=True):
    """How a stopped thread goes on: a ptrace request and the signal to deliver."""

    request: int
    signal: int = 0


ON, TO_NEXT_SYSCALL = Resume(kernel.PTRACE_CONT), Resume(kernel.PTRACE_SYSCALL)


class StopLoop:
    """Follows threads and processes from their first stop to their end."""

    def __init__(self, arch: Architecture, follower: Follower, specs: Sequence[Spec]) -> None:
        self.root_status: int | None = None
        """The wait status of the root process once it has ended."""
        self.root_executed = False
        self._audit = arch.audit
        self._specs = {arch.numbers[spec.name]: without_stdio(spec) for spec in specs if spec.name in arch.numbers}
        self._follower = follower
        self._root = 0
        self._threads: dict[int, Thread] = {}
        self._processes: dict[int, Process] = {}
        self._detaching = False
        self._wide_filter: bytes | None = None
        self._filters = 0
        self._early: dict[int, int] = {}
        """Children that stopped before their birth was announced, with their wait status."""
        self._holding = Holding()
        self.on_root_exec: Callable[[], bool] = lambda: False
        """Called once, at the root's first exec: True if no filter is in place."""
        self.on_root_continued: Callable[[], None] = lambda: None

    @property
    def alive(self) -> int:
        """How many processes are traced now."""
        return len(self._processes)

    def widens_with(self, code: bytes) -> None:
        """The root's filter is a narrow one: install this one in processes that come to a connection."""
        self._wide_filter = code

    def adopt(self, pid: int, *, root: bool, every: bool, narrow: bool = False) -> Thread:
        """Take a process that was seized into the books."""
        process = Process(pid, every=every, narrow=narrow and not every)
        self._processes[pid] = process
        self._follower.started(process)
        if root:
            self._root = pid
        return self._add_thread(pid, process, Files())

    def add_thread(self, tid: int, leader: Thread) -> None:
        """Take a thread of a process that was attached to into the books."""
        self._add_thread(tid, leader.process, leader.files)

    def _add_thread(self, tid: int, process: Process, files: Files) -> Thread:
        thread = Thread(tid, process, files)
        self._threads[tid] = thread
        process.threads.add(tid)
        return thread

    def run(self, send: Callable[[list[Event]], bool], rest: Callable[[], None]) -> None:
        """Send events until the root process has ended, or nothing is left to trace.

        Where `send` is true, something of interest waits for a `rest`: it comes before the next sleep, or soon.
        """
        events = self._follower.events
        rounds = 0
        while self._threads and self.root_status is None:
            if not 0 < rounds < BUSY or not self._serve(wait=False):
                rest()
                rounds = 0
                self._serve()
            rounds = rounds + 1 if send(events) else 0
            events.clear()

    def detach(self) -> None:
        """Ask all threads to stop once more, to be let go for good; `run` ends with the last one."""
        self._detaching = True
        for process in self._processes.values():
            if process.trap is not None:
                process.trap.remove(process.pid)
        _interrupt(self._threads)

    def finish_detaching(self) -> None:
        """Serve the stops that `detach` asked for until every thread has been let go."""
        while self._threads:
            self._serve()

    def linger(self) -> None:
        """Let the processes that outlived the root go on: serve their stops, tell nothing, until the last has ended."""
        while self._threads:
            self._serve()
            self._follower.events.clear()

    def _serve(self, *, wait: bool = True) -> bool:
        """Answer the stops there are; whether there were any."""
        stops = self._pending(wait)
        for tid, status in stops:
            self._handle(tid, status)
            self._follower.settle()
        for thread in self._holding.over() if self._holding.waiting else ():
            self._go_on(thread)
            self._follower.settle()
        return bool(stops)

    def _pending(self, wait: bool) -> list[tuple[int, int]]:
        """All the stops there are: served in turn, so that no busy thread starves another.

        Sleeps until there is one, if it shall `wait`; for a moment only while a thread is held.
        """
        found: list[tuple[int, int]] = []
        options = kernel.WALL if wait else kernel.WALL | os.WNOHANG
        if wait and self._holding.waiting:
            time.sleep(PAUSE)
            options |= os.WNOHANG
        while True:
            try:
                tid, status = os.waitpid(-1, options)
            except ChildProcessError:
                if not found:
                    self._threads.clear()
                    self._processes.clear()
                return found
            if tid == 0:
                return found
            found.append((tid, status))
            options = kernel.WALL | os.WNOHANG

    def _handle(self, tid: int, status: int) -> None:
        if not os.WIFSTOPPED(status):
            self._ended(tid, status)
            return
        thread = self._threads.get(tid)
        if thread is None:
            self._early[tid] = status
            return
        try:
            onward = self._stopped(thread, status)
            if thread not in self._holding.waiting:
                self._resume(thread, onward)
        except Gone:
            pass  # its end is reported by a later wait

    def _go_on(self, thread: Thread) -> None:
        """The call that the thread was held at is made now."""
        try:
            self._entered(thread, may_wait=False)
            self._resume(thread, self._onward(thread))
        except Gone:
            pass

    def _resume(self, thread: Thread, how: Resume) -> None:
        request = how.request
        if self._detaching:
            self._threads.pop(thread.tid)
            request = kernel.PTRACE_DETACH
        kernel.request(request, thread.tid, 0, how.signal)

    def _onward(self, thread: Thread, deliver: int = 0) -> Resume:
        """On to the next stop of interest; inside a followed call that is its exit, signals notwithstanding."""
        if thread.call is not None or thread.process.every:
            return Resume(kernel.PTRACE_SYSCALL, deliver) if deliver else TO_NEXT_SYSCALL
        return Resume(kernel.PTRACE_CONT, deliver) if deliver else ON

    def _stopped(self, thread: Thread, status: int) -> Resume:
        event = status >> 16
        number = os.WSTOPSIG(status)
        if event == kernel.PTRACE_EVENT_SECCOMP:
            if not thread.entered:  # else the entry stop before it has told already
                self._entered(thread)
        elif number == kernel.SYSCALL_STOP:
            self._at_syscall(thread)
        elif event in BIRTHS:
            self._gave_birth(thread, kernel.event_message(thread.tid), event)
        elif event == kernel.PTRACE_EVENT_EXEC:
            self._executed(thread)
        elif event == kernel.PTRACE_EVENT_STOP:
            if number in STOPPING:
                return Resume(kernel.PTRACE_LISTEN)
            if thread.tid == self._root:
                self.on_root_continued()
        elif event == 0:
            if number == signal.SIGTRAP and self._follower.secrets.trapped(thread):
                return self._onward(thread)
            return self._onward(thread, number)
        return self._onward(thread)

    # Syscalls

    def _at_syscall(self, thread: Thread) -> None:
        if thread.entered:
            info = kernel.syscall_info(thread.tid)
            if info.op == kernel.OP_EXIT:
                self._left(thread, info.values[0])
                return
        self._entered(thread)

    def _entered(self, thread: Thread, *, may_wait: bool = True) -> None:
        info = kernel.syscall_info(thread.tid)
        if info.op == kernel.OP_EXIT:
            return  # an exit whose entry was before our time, or the second one of a restarted call
        number, arguments = info.values[0], info.values[1:]
        spec = self._specs.get(number)
        if self._holding.starting and may_wait and spec and self._holding.must_wait(thread, spec, arguments):
            return
        was_every = thread.process.every
        thread.call = None
        if spec is not None and info.audit == self._audit and spec.follows(arguments):
            thread.call = self._follower.enter(thread, spec, arguments)
        # without a call its exit is not waited for, unless the process stops at every syscall
        thread.entered = thread.call is not None or thread.process.every
        if thread.process.every and not was_every:
            self._tell_others(thread)

    def _left(self, thread: Thread, result: int) -> None:
        call, thread.call, thread.entered = thread.call, None, False
        if call is not None:
            was_every, made = thread.process.every, self._follower.made
            self._follower.leave(thread, call, result)
            if thread.process.narrow and self._follower.has_connections(thread.process):
                self._widen(thread)
                made = 0
            if self._follower.made > made:
                self._watch_other_holders()
            if thread.process.every and not was_every:
                self._tell_others(thread)

    def _widen(self, thread: Thread) -> None:
        """The process has its first connection: from now on everything it does with it must be seen."""
        process = thread.process
        process.narrow = False
        thread.files.forget_misses()
        if process.every:
            return
        # a filter of its own may forbid what we need
        is_plain = processes.seccomp_filters(thread.tid) == self._filters
        try:
            installed = is_plain and widening.install(thread.tid, self._wide_filter or b"")
        except widening.Interrupted as end:
            self._handle(thread.tid, end.status)
            raise Gone(thread.tid) from None
        process.every = not installed

    def _watch_other_holders(self) -> None:
        """Processes that had the descriptor before it became a connection, or share the table that it is in."""
        narrow = [process for process in self._processes.values() if process.narrow]
        for process in self._follower.holders_among(narrow):
            self._stop_at_every_syscall(process)

    def _stop_at_every_syscall(self, process: Process) -> None:
        process.leave_filter()
        _interrupt(process.threads)

    def _tell_others(self, thread: Thread) -> None:
        """The process just began to stop at every syscall: its running threads must be told."""
        _interrupt(thread.process.threads - {thread.tid})

    # Processes

    def _gave_birth(self, parent: Thread, child: int, event: int) -> None:
        """What can be seen only now is looked at; the rest waits until the parent has gone on."""
        pid, cloned = parent.process.pid, event == kernel.PTRACE_EVENT_CLONE
        is_thread = cloned and processes.has_thread(pid, child)
        shares_files = cloned and not is_thread and kernel.shares_files(pid, child)
        self._follower.later(partial(self._born, parent, child, is_thread=is_thread, shares_files=shares_files))

    def _born(self, parent: Thread, child: int, *, is_thread: bool, shares_files: bool) -> None:
        if is_thread:
            thread = self._add_thread(child, parent.process, parent.files)
        else:
            narrow = parent.process.narrow or self._was_narrow(child)
            thread = self.adopt(child, root=False, every=parent.process.every, narrow=narrow)
            if shares_files:
                thread.files = parent.files
            self._holding.born(parent.process, child)
        self._follower.forked(parent, child, is_thread=is_thread)
        if not is_thread and thread.process.narrow and self._follower.has_connections(thread.process):
            thread.process.leave_filter()
        early = self._early.pop(child, None)
        if early is not None:
            self._handle(child, early)

    def _was_narrow(self, child: int) -> bool:
        """The child may have been made by a thread of a process that was just being given its second filter."""
        return self._wide_filter is not None and processes.seccomp_filters(child) == self._filters

    def _executed(self, leader: Thread) -> None:
        """exec(2) ends all threads but one, which takes over the leader's id; only that one is left."""
        process = leader.process
        self._holding.started(process.pid)
        for tid in process.threads - {leader.tid}:
            self._forget(tid)
        process.threads = {leader.tid}
        leader.files = Files()
        leader.call = None
        leader.entered = process.every  # its exit stop is still to come
        is_first = leader.tid == self._root and not self.root_executed
        if is_first:
            self.root_executed = True
            process.every = self.on_root_exec()
            process.narrow = self._wide_filter is not None and not process.every
            self._filters = processes.seccomp_filters(leader.tid) or 0 if process.narrow else 0
            leader.entered = process.every
        made = self._follower.made
        self._follower.executed(leader)
        if is_first:
            self._follower.began(leader)
        if self._follower.made > made:  # a helper's pipes, or connections that were there before us
            self._watch_other_holders()

    def _ended(self, tid: int, status: int) -> None:
        self._early.pop(tid, None)
        self._holding.started(tid)
        thread = self._forget(tid)
        if thread is None:
            return
        process = thread.process
        process.threads.discard(tid)
        if tid != process.pid:
            return
        for other in process.threads:
            self._forget(other)
        self._processes.pop(tid, None)
        code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else None
        killed_by = os.WTERMSIG(status) if os.WIFSIGNALED(status) else None
        if tid == self._root:
            self.root_status = status
        self._follower.exited(tid, code, killed_by)

    def _forget(self, tid: int) -> Thread | None:
        """The thread is no more."""
        thread = self._threads.pop(tid, None)
        if thread is not None:
            self._holding.ended(thread)
        return thread


def _interrupt(tids: Iterable[int]) -> None:
    """Have running threads stop soon."""
    for tid in tids:
        try:
            kernel.request(kernel.PTRACE_INTERRUPT, tid)
        except (Gone, OSError):
            continue
