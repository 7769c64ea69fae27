"""One traced run from beginning to end, in the tracer process: the events of the stop loop, the notes, the end."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec.structs

from tracer import events
from tracer.capture import arch, feed, helpers, kernel, launch, loop, processes, seccomp, syscalls, tracees, widening
from tracer.capture.addresses import Follow
from tracer.capture.follower import Follower

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.status_line import StatusLine

EndpointsOf = Callable[[list[str], Mapping[str, str]], Iterable[str]]
"""From a command line and environment to the addresses of daemons that it may use."""


def architecture() -> arch.Architecture:
    """The machine's syscall table. Raises CannotTrace where there is none."""
    found = arch.native()
    if found is None:
        known = " and ".join(arch.ARCHITECTURES)
        raise launch.CannotTrace(f"socktrace has no syscall table for {os.uname().machine}: it knows {known}")
    return found


def run(
    launched: launch.Launched,
    fd: int,
    header: events.Header,
    follow: Follow,
    endpoints_of: EndpointsOf,
    line: StatusLine | None,
) -> None:
    """Follow the command to its end and send its events to descriptor `fd`; then stay for processes that live on.

    With `evidence` in the header, what a proof needs is watched too. The command's writes keep clear of `line`.
    """
    sender = feed.Sender(fd)
    traced = _Run(header, follow, endpoints_of, line)
    _report(sender, lambda: traced.follow(launched, sender))
    launch.stay_behind()
    traced.linger()


def attach(pid: int, fd: int, header: events.Header, follow: Follow, endpoints_of: EndpointsOf) -> None:
    """Follow a running process and its children to descriptor `fd`, until it ends or SIGUSR1 makes us let go."""
    sender = feed.Sender(fd)
    traced = _Run(header, follow, endpoints_of)
    _report(sender, lambda: traced.watch(pid, sender))


def _report(sender: feed.Sender, work: Callable[[], None]) -> None:
    """Do the work; what stands in its way is told to the front as the last thing it hears."""
    try:
        work()
    except launch.CannotRun as error:
        sender.send([feed.Trouble(str(error), error.status)])
    except launch.CannotTrace as error:
        sender.send([feed.Trouble(str(error), launch.FAILED)])
    sender.close()


class _Run:
    def __init__(
        self, header: events.Header, follow: Follow, endpoints_of: EndpointsOf, line: StatusLine | None = None
    ) -> None:
        self._began = time.monotonic()
        self._header = msgspec.structs.replace(header, started=_utc_now())
        self._follower = Follower(follow, self._now, endpoints_of, thorough=header.evidence, line=line)
        self._specs = syscalls.SPECS if line is None else syscalls.WITH_ERRORS
        if header.evidence:
            self._specs = syscalls.THOROUGH
        self._loop: loop.StopLoop | None = None
        self._words = b""

    def _now(self) -> float:
        return round(time.monotonic() - self._began, 6)

    def follow(self, launched: launch.Launched, sender: feed.Sender) -> None:
        """From the first event to the last. Raises CannotTrace and CannotRun."""
        native = architecture()
        code = seccomp.as_bytes(seccomp.program(native, self._specs))
        carried = (self._header.endpoint or "").startswith(helpers.SCHEME)
        narrow = self._specs is syscalls.SPECS and not carried and widening.is_possible()
        pid = launched.pid()
        try:
            kernel.seize(pid, exit_kill=True)
        except kernel.Gone:
            raise launch.CannotTrace("the command was killed before it started: try again") from None
        except OSError as error:
            raise launch.CannotTrace(refusal(error, pid)) from None
        front = os.getppid()
        stops = self._loop = loop.StopLoop(native, self._follower, self._specs)
        stops.adopt(pid, root=True, every=False)
        if narrow:
            stops.widens_with(code)
            code = seccomp.as_bytes(seccomp.program(native, syscalls.NARROW))
        stops.on_root_exec = lambda: self._filter_is_missing(launched)
        stops.on_root_continued = lambda: os.kill(front, signal.SIGCONT)
        launch.collect_from_now_on()
        launched.release(code)
        sender.send([self._header])
        stops.run(sender.send, sender.rest)
        self._raise_if_not_executed(stops, launched)
        self._note_what_was_missed(stops)
        sender.send([*self._follower.events, self._end(stops.root_status)])

    def watch(self, pid: int, sender: feed.Sender) -> None:
        """From attaching to letting go. Raises CannotTrace."""
        stops = self._loop = loop.StopLoop(architecture(), self._follower, self._specs)
        stops.root_executed = True  # there is no filter, whatever it executes from now on
        launch.collect_from_now_on()
        leader = self._seize_all(stops, pid)
        sender.send([self._header])
        self._follower.attached(leader)
        sender.send(self._follower.events)
        self._follower.events.clear()
        signal.signal(signal.SIGUSR1, lambda number, frame: stops.detach())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
        stops.run(sender.send, sender.rest)
        stops.detach()
        stops.finish_detaching()
        sender.send([self._end(stops.root_status)])

    def _seize_all(self, stops: loop.StopLoop, pid: int) -> tracees.Thread:
        """Attach to every thread of the process; new ones may come while we do, so look again until none does."""
        leader: tracees.Thread | None = None
        seized: set[int] = set()
        while new := [tid for tid in processes.threads(pid) if tid not in seized]:
            for tid in new:
                seized.add(tid)
                try:
                    kernel.seize(tid, exit_kill=False)
                except kernel.Gone:
                    continue
                except OSError as error:
                    if leader is not None:
                        continue  # its parent was seized already, and so was it
                    raise launch.CannotTrace(refusal(error, pid)) from None
                if leader is None:
                    leader = stops.adopt(pid, root=True, every=True)
                else:
                    stops.add_thread(tid, leader)
                kernel.request(kernel.PTRACE_INTERRUPT, tid)
        if leader is None:
            raise launch.CannotTrace(f"there is no process {pid}: look for its id with pgrep or ps")
        return leader

    def linger(self) -> None:
        """Serve the processes that outlived the command until the last one ends."""
        if self._loop is not None:
            self._loop.linger()

    def _filter_is_missing(self, launched: launch.Launched) -> bool:
        self._words += launched.last_words()
        if not self._words.startswith(b"f"):
            return False
        why = os.strerror(self._words[1])
        self._note(f"no seccomp filter could be installed ({why}): stopping at every syscall, which is slower")
        return True

    def _raise_if_not_executed(self, stops: loop.StopLoop, launched: launch.Launched) -> None:
        if stops.root_executed:
            return
        words = self._words + launched.last_words()
        at = words.find(b"x")
        if at >= 0:
            name = self._header.argv[0]
            raise launch.CannotRun(f"{name}: can't be executed: {os.strerror(words[at + 1])}", launch.NOT_EXECUTABLE)

    def _note_what_was_missed(self, stops: loop.StopLoop) -> None:
        left = stops.alive
        if left:
            what = "1 process goes" if left == 1 else f"{left} processes go"
            self._note(f"{what} on in the background and can no longer be followed", "left")
        for number in self._follower.handed_over():
            self._note(f"connection {number} was passed to a process that is not traced (SCM_RIGHTS)", "handed")
        ignored = list(self._follower.connecting.ignored)
        if ignored and not self._follower.connecting.connected:
            shown = ", ".join(ignored[:5]) + (" ..." if len(ignored) > 5 else "")
            self._note(f"no connection to a Docker socket; to follow another, name it with --socket: {shown}")

    def _note(self, message: str, kind: str = "") -> None:
        self._follower.events.append(events.Note(t=self._now(), message=message, kind=kind))

    def _end(self, status: int | None) -> events.End:
        return events.End(
            t=self._now(),
            exit_code=os.WEXITSTATUS(status) if status is not None and os.WIFEXITED(status) else None,
            signal=os.WTERMSIG(status) if status is not None and os.WIFSIGNALED(status) else None,
            bytes_out=self._follower.bytes_out,
            bytes_in=self._follower.bytes_in,
            lost=self._follower.lost,
        )


def _utc_now() -> str:
    now = time.time_ns() // 1000
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now // 1_000_000)) + f".{now % 1_000_000:06}Z"


def refusal(error: OSError, pid: int) -> str:
    """Why ptrace(2) refused to attach to `pid`, and what to do about it, in one sentence."""
    if error.errno == errno.EPERM:
        tracer = _tracer_of(pid)
        if tracer:
            return f"process {pid} is already traced by process {tracer}: end that debugger or strace first"
        return (
            f"not permitted to trace process {pid}: run socktrace as root (sudo socktrace ...), in a container with "
            "--cap-add SYS_PTRACE; where /proc/sys/kernel/yama/ptrace_scope is 3, nobody may"
        )
    return f"can't trace process {pid}: {os.strerror(error.errno or 0)}"


def _tracer_of(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("TracerPid:"):
                    return int(line[10:])
    except (OSError, ValueError):
        pass
    return 0
