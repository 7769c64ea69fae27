"""Starting a command under the tracer, so that neither the command nor the shell notices.

Three processes: the front (the one the user started), the tracer and the command, both its children. The command is
the front's own child, so its exit status and its stops come straight from the kernel. The tracer can stay behind for
processes that outlive the command, whose filtered syscalls would fail with ENOSYS without it, while the front ends
with the command's status. If the front is killed, the tracer is too, and the command with it (PTRACE_O_EXITKILL).

This module is imported before the forks. What it imports is what two of the three need: once, and not twice at the same
time, by two processes that share the CPUs. What only one needs is left to that one.
"""

from __future__ import annotations

import ctypes
import errno
import gc
import os
import signal
import struct
import sys
from collections.abc import Callable, Sequence

from tracer.capture.feed import receive

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType
    from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
PR_SET_PTRACER = 0x59616D61
SECCOMP_MODE_FILTER = 2

NOT_FOUND, NOT_EXECUTABLE, FAILED = 127, 126, 120

TERMINAL_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
GIVING_WAY = 5
"""Niceness of the front: on two CPUs, decoding must not keep the command, its daemon and the tracer waiting. With less
it does; with more, a busy machine would hardly get to show anything (sched(7): five steps leave a third)."""

RESET = (signal.SIGPIPE, signal.SIGXFSZ)
"""Signals that Python ignores, and would let the command ignore."""


class CannotRun(Exception):
    """The command can't be executed; `status` is 126 or 127, as shells have it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class CannotTrace(Exception):
    """This machine, or this user, may not trace; the message says what to do."""


def find_program(name: str) -> str:
    """The file that execvp(3) would run for `name`. Raises CannotRun with a sentence and the shell's status."""
    if not name:
        raise CannotRun("the command is an empty string: name a program to run", NOT_FOUND)
    if "/" in name:
        candidates = [name]
    else:
        path = os.environ.get("PATH", os.defpath)
        candidates = [os.path.join(folder or ".", name) for folder in path.split(os.pathsep)]
    found = [file for file in candidates if os.path.exists(file)]
    for file in found:
        if os.path.isfile(file) and os.access(file, os.X_OK):
            return file
    if not found:
        where = "" if "/" in name else " on PATH"
        raise CannotRun(f"{name}: command not found{where}: check its spelling, or give its path", NOT_FOUND)
    if os.path.isdir(found[0]):
        raise CannotRun(f"{found[0]}: is a directory: name a program in it", NOT_EXECUTABLE)
    raise CannotRun(f"{found[0]}: not executable: permission denied (chmod +x allows it)", NOT_EXECUTABLE)


class Launched:
    """The command, waiting to be released: what the tracer process knows of it."""

    def __init__(self, words: int, go: int) -> None:
        self._words = words
        self._go = go

    def pid(self) -> int:
        """The command's process id, once it is ready to be seized; 0 if it died before."""
        return int.from_bytes(os.read(self._words, 4), "little")

    def release(self, seccomp_filter: bytes) -> None:
        """Let the command install the filter (an array of struct sock_filter) and exec."""
        os.write(self._go, seccomp_filter)
        os.close(self._go)

    def last_words(self) -> bytes:
        """What the child wrote since: `f` and an errno if the filter was refused, `x` and one if exec was."""
        os.set_blocking(self._words, False)
        try:
            return os.read(self._words, 64)
        except BlockingIOError:
            return b""


class Front:
    """The front's side of a started command: the tracer's events, and the command's end."""

    def __init__(self, command: int, feed: int) -> None:
        self.events = receive(feed)
        self._command = command
        self._status: int | None = None
        self._watch_signals()

    def wait(self) -> int:
        """The command's wait status. While it is stopped, so are we, for the shell's job control to see."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        while self._status is None:
            self._reap(0)
        return self._status

    def _reap(self, options: int) -> None:
        try:
            pid, status = os.waitpid(self._command, options | os.WUNTRACED)
        except ChildProcessError:
            self._status = self._status if self._status is not None else 0
            return
        if pid == 0:
            return
        if not os.WIFSTOPPED(status):
            self._status = status
        elif os.WSTOPSIG(status) in (signal.SIGSTOP, *TERMINAL_STOPS):
            _stop_like(os.WSTOPSIG(status))

    def _watch_signals(self) -> None:
        def on_child(number: int, frame: FrameType | None) -> None:
            if self._status is None:
                self._reap(os.WNOHANG)

        def pass_on(number: int, frame: FrameType | None) -> None:
            if self._status is None:
                os.kill(self._command, number)

        def keyboard(number: int, frame: FrameType | None) -> None:
            if not _in_foreground():  # else the terminal has sent it to the command as well
                pass_on(number, frame)

        handlers = dict.fromkeys(FORWARDED, pass_on) | dict.fromkeys((signal.SIGINT, signal.SIGQUIT), keyboard)
        for number, handler in handlers.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, handler)
        for number in TERMINAL_STOPS:
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, on_child)
        on_child(signal.SIGCHLD, None)  # in case it has stopped or ended already


class Watching:
    """The front's side of an attached tracer: Ctrl-C and the other ways to end it make the tracer let go."""

    def __init__(self, tracer: int, feed: int) -> None:
        self.events = receive(feed)

        def let_go(number: int, frame: FrameType | None) -> None:
            try:
                os.kill(tracer, signal.SIGUSR1)
            except ProcessLookupError:
                pass

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, let_go)


def put_off_collecting() -> None:
    """No garbage collection while modules are imported, here and in what is forked from here: it would come at any
    moment, and what it looks at stays anyway."""
    gc.disable()


def collect_from_now_on() -> None:
    """The modules are there; they are never looked at again."""
    gc.freeze()
    gc.enable()


def attach(trace: Callable[[int], None]) -> Watching:
    """Fork the tracer, which calls `trace` with the descriptor to send events to and lets go at SIGUSR1."""
    feed_read, feed_write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    front = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    tracer = os.fork()
    if tracer == 0:
        _close(feed_read)
        _be_tracer(front, lambda: trace(feed_write))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR1})
    _close(feed_write)
    os.nice(GIVING_WAY)
    return Watching(tracer, feed_read)


def start(program: str, argv: Sequence[str], trace: Callable[[Launched, int], None]) -> Front:
    """Fork the tracer, which calls `trace` with the command and the descriptor to send events to, and the command."""
    words_read, words_write = os.pipe()
    go_read, go_write = os.pipe()
    feed_read, feed_write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    front = os.getpid()
    tracer = os.fork()
    if tracer == 0:
        _close(words_write, go_read, feed_read)
        _be_tracer(front, lambda: trace(Launched(words_read, go_write), feed_write))
    command = os.fork()
    if command == 0:
        _close(words_read, go_write, feed_read, feed_write)
        _be_command(program, argv, tracer, words_write, go_read)
    _close(words_read, words_write, go_read, go_write, feed_write)
    os.nice(GIVING_WAY)
    return Front(command, feed_read)


def _close(*descriptors: int) -> None:
    for fd in descriptors:
        os.close(fd)


def _be_tracer(front: int, trace: Callable[[], None]) -> NoReturn:
    try:
        for number in (signal.SIGINT, signal.SIGQUIT, *TERMINAL_STOPS, *FORWARDED):
            signal.signal(number, signal.SIG_IGN)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == front:
            trace()
    except BaseException:
        sys.excepthook(*sys.exc_info())
        os._exit(FAILED)
    os._exit(0)


def stay_behind() -> None:
    """In the tracer, when the command has ended and processes of it live on: stay without the front, and let go of
    its streams, since who reads them must see their end."""
    prctl(PR_SET_PDEATHSIG, 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)


def prctl(option: int, argument: int) -> None:
    """prctl(2) with one argument; a refusal changes nothing and is not reported."""
    ulong = ctypes.c_ulong
    ctypes.CDLL(None).prctl(option, ulong(argument), ulong(0), ulong(0), ulong(0))


def _be_command(program: str, argv: Sequence[str], tracer: int, words: int, go: int) -> NoReturn:
    try:
        prctl(PR_SET_PTRACER, tracer)
        os.write(words, os.getpid().to_bytes(4, "little"))
        seccomp_filter = os.read(go, 1 << 16)
        if not seccomp_filter:
            os._exit(FAILED)
        for number in RESET:
            signal.signal(number, signal.SIG_DFL)
        refused = install_filter(seccomp_filter)
        if refused:
            os.write(words, bytes([ord("f"), refused]))
        try:
            os.execv(program, list(argv))
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        os.execv("/bin/sh", ["sh", program, *argv[1:]])  # as execvp(3) does for a script without #!
    except OSError as error:
        os.write(words, bytes([ord("x"), error.errno or 0]))
    finally:
        os._exit(NOT_EXECUTABLE)


def install_filter(code: bytes) -> int:
    """Install a seccomp filter on the calling thread; 0, or the errno with which the kernel refused.

    no_new_privs is set only where the kernel demands it, so that setuid programs go on working under root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    ulong = ctypes.c_ulong
    holder = ctypes.create_string_buffer(code, len(code))
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(code) // 8, ctypes.addressof(holder)))

    def attempt() -> int:
        if libc.prctl(PR_SET_SECCOMP, ulong(SECCOMP_MODE_FILTER), fprog, ulong(0), ulong(0)) == 0:
            return 0
        return ctypes.get_errno()

    refused = attempt()
    if refused in (errno.EACCES, errno.EPERM):
        prctl(PR_SET_NO_NEW_PRIVS, 1)
        refused = attempt()
    return refused


def _in_foreground() -> bool:
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


def _stop_like(number: int) -> None:
    if number != signal.SIGSTOP:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    if number != signal.SIGSTOP:
        signal.signal(number, signal.SIG_IGN)


def die_of(number: int) -> NoReturn:
    """End by a signal, leaving no core dump of our own."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)
