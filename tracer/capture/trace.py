"""One traced run from beginning to end: the header, the events of the stop loop, the end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime

import msgspec.structs

from tracer import events
from tracer.capture import arch, kernel, launch, loop, seccomp
from tracer.capture.addresses import Follow
from tracer.capture.follower import Follower

EndpointsOf = Callable[[list[str], dict[str, str]], Iterable[str]]


class CannotTrace(Exception):
    """This machine, or this user, may not trace; the message says what to do."""


def architecture() -> arch.Architecture:
    """The machine's syscall table. Raises CannotTrace where there is none."""
    found = arch.native()
    if found is None:
        known = " and ".join(arch.ARCHITECTURES)
        raise CannotTrace(f"socktrace has no syscall table for {os.uname().machine}: it knows {known}")
    return found


class Run:
    """A command under the tracer, in the tracer process."""

    def __init__(self, header: events.Header, follow: Follow, endpoints_of: EndpointsOf) -> None:
        self._began = time.monotonic()
        self._header = msgspec.structs.replace(header, started=_utc_now())
        self._follower = Follower(follow, self._now, endpoints_of)
        self._loop = loop.StopLoop(architecture(), self._follower)
        self._words = b""

    def _now(self) -> float:
        return round(time.monotonic() - self._began, 6)

    def events(self, launched: launch.Launched) -> Iterator[events.Event]:
        """Release the command and follow it to its end.

        Raises CannotTrace if ptrace(2) is refused and CannotRun if execve(2) was.
        """
        try:
            kernel.seize(launched.pid, exit_kill=True)
        except kernel.Gone:
            raise CannotTrace("the command was killed before it started: try again") from None
        except OSError as error:
            raise CannotTrace(loop.refusal(error, launched.pid)) from None
        front = os.getppid()
        self._loop.adopt(launched.pid, root=True, every=False)
        self._loop.on_root_exec = lambda: self._filter_is_missing(launched)
        self._loop.on_root_continued = lambda: os.kill(front, signal.SIGCONT)
        launched.release()
        yield self._header
        yield from self._loop.run()
        self._raise_if_not_executed(launched)
        yield from self._closing_notes()
        yield self._end()

    def linger(self) -> None:
        """Serve the processes that outlived the command until the last one ends."""
        self._loop.linger()

    def _filter_is_missing(self, launched: launch.Launched) -> bool:
        self._words += launched.last_words()
        if not self._words.startswith(b"f"):
            return False
        why = seccomp.describe(self._words[1])
        message = f"no seccomp filter could be installed ({why}): stopping at every syscall, which is slower"
        self._follower.events.append(events.Note(t=self._now(), message=message))
        return True

    def _raise_if_not_executed(self, launched: launch.Launched) -> None:
        if self._loop.root_executed:
            return
        words = self._words + launched.last_words()
        at = words.find(b"x")
        if at >= 0:
            name = self._header.argv[0]
            raise launch.CannotRun(f"{name}: can't be executed: {os.strerror(words[at + 1])}", 126)

    def _closing_notes(self) -> Iterator[events.Event]:
        left = self._loop.alive
        if left:
            what = "1 process goes" if left == 1 else f"{left} processes go"
            yield events.Note(t=self._now(), message=f"{what} on in the background and is no longer followed")

    def _end(self) -> events.End:
        status = self._loop.root_status
        ended = status is not None
        return events.End(
            t=self._now(),
            exit_code=os.WEXITSTATUS(status) if ended and os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if ended and os.WIFSIGNALED(status) else None,
            bytes_out=self._follower.bytes_out,
            bytes_in=self._follower.bytes_in,
            lost=self._follower.lost,
        )

    @property
    def ignored(self) -> list[str]:
        """Addresses of connections that were seen and not followed."""
        return list(self._follower.ignored)


def _utc_now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def filter_installer() -> Callable[[], int]:
    """What the command's process calls before it execs: installs the seccomp filter, returns 0 or an errno."""
    code = seccomp.program(architecture())
    return lambda: seccomp.install(code)
