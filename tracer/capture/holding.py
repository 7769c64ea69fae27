"""Threads that wait at a call until a child of their process runs its program.

A client that speaks through a helper (`docker -H ssh://`) is known to be one when the helper's exec is seen. To the
client that exec looks done a little earlier: close-on-exec, which it is told by, takes effect before the tracer's stop
(fs/exec.c: begin_new_exec, then ptrace_event). What it says in between would be lost, so it waits at that call.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from tracer.capture import processes
from tracer.capture.syscalls import Spec, signed
from tracer.capture.tracees import Process, Thread

LONGEST = 1.0
"""Seconds: a child may well wait for these very bytes before it executes."""

PAUSE = 0.001


class Holding:
    """The waiting threads and the children they wait for."""

    def __init__(self) -> None:
        self.starting: dict[int, Process] = {}
        """Children that run no program of their own yet, with their parent."""
        self.waiting: dict[Thread, tuple[str, float]] = {}
        """What each would move bytes through, and until when it waits at most (time.monotonic)."""

    def born(self, parent: Process, child: int) -> None:
        """A process made another."""
        if parent.helped:
            self.starting[child] = parent

    def started(self, pid: int) -> None:
        """The process runs a program of its own, or has ended."""
        self.starting.pop(pid, None)

    def must_wait(self, thread: Thread, spec: Spec, arguments: Sequence[int]) -> bool:
        """Whether the call moves bytes through what is the standard input or output of such a child."""
        if not self.starting or spec.direction is None or spec.shape == "file":
            return False
        link = processes.link(thread.tid, signed(arguments[spec.fd_argument]))
        if link is None or not self._is_of_child(thread.process, link):
            return False
        self.waiting[thread] = link, time.monotonic() + LONGEST
        return True

    def over(self) -> list[Thread]:
        """The threads whose wait has ended, each once."""
        now = time.monotonic()
        over = [
            thread
            for thread, (link, end) in self.waiting.items()
            if end <= now or not self._is_of_child(thread.process, link)
        ]
        for thread in over:
            del self.waiting[thread]
        return over

    def ended(self, thread: Thread) -> None:
        """The thread is no more."""
        self.waiting.pop(thread, None)

    def _is_of_child(self, process: Process, link: str) -> bool:
        children = [child for child, parent in self.starting.items() if parent is process]
        return any(link in (processes.link(child, 0), processes.link(child, 1)) for child in children)
