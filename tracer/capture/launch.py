"""Starting a command under the tracer, so that neither the command nor the shell notices.

Three processes: the front (the one the user started), the tracer and the command, both its children. The command is
the front's own child, so its exit status and its stops come straight from the kernel; the tracer can stay behind for
processes that outlive the command, whose filtered syscalls would fail with ENOSYS without it, while the front ends
with the command's status. If the front is killed, the tracer is too, and the command with it (PTRACE_O_EXITKILL).
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

PR_SET_PDEATHSIG = 1
PR_SET_PTRACER = 0x59616D61

NOT_FOUND, NOT_EXECUTABLE = 127, 126

TERMINAL_STOPS = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


class CannotRun(Exception):
    """The command can't be executed; `status` is 126 or 127, as shells have it."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


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

    def __init__(self, pid: int, go: int, words: int) -> None:
        self.pid = pid
        self._go = go
        self._words = words

    def release(self) -> None:
        """Let the command install its filter and exec."""
        os.write(self._go, b"g")
        os.close(self._go)

    def last_words(self) -> bytes:
        """What the child wrote since: `f` and an errno if the filter was refused, `x` and one if exec was."""
        os.set_blocking(self._words, False)
        try:
            return os.read(self._words, 64)
        except BlockingIOError:
            return b""


def run(
    program: str,
    argv: Sequence[str],
    install_filter: Callable[[], int],
    trace: Callable[[Launched], int | None],
    linger: Callable[[], None],
) -> int:
    """Run the command under `trace`, which is called in the tracer process and returns an exit status of its own
    or None for the command's; then `linger` there. Returns the exit status, or dies of the command's signal.
    """
    words_read, words_write = os.pipe()
    go_read, go_write = os.pipe()
    verdict_read, verdict_write = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    front = os.getpid()
    tracer = os.fork()
    if tracer == 0:
        for fd in (words_write, go_read, verdict_read):
            os.close(fd)
        _be_tracer(front, words_read, go_write, verdict_write, trace, linger)
    command = os.fork()
    if command == 0:
        for fd in (words_read, go_write, verdict_read, verdict_write):
            os.close(fd)
        _be_command(program, argv, tracer, words_write, go_read, install_filter)
    for fd in (words_read, words_write, go_read, go_write, verdict_write):
        os.close(fd)
    return _be_front(command, tracer, verdict_read)


def _be_tracer(
    front: int,
    words: int,
    go: int,
    verdict: int,
    trace: Callable[[Launched], int | None],
    linger: Callable[[], None],
) -> NoReturn:
    code: int | None = 120
    try:
        for number in (signal.SIGINT, signal.SIGQUIT, *TERMINAL_STOPS, *FORWARDED):
            signal.signal(number, signal.SIG_IGN)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        pid = int.from_bytes(os.read(words, 4), "little")
        if os.getppid() == front and pid:
            code = trace(Launched(pid, go, words))
    finally:
        _flush_all()
        os.write(verdict, b"" if code is None else bytes([code]))
        os.close(verdict)
    _prctl(PR_SET_PDEATHSIG, 0)
    _let_go_of_streams()
    linger()
    os._exit(0)


def _flush_all() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _let_go_of_streams() -> None:
    """Who reads our output must see its end, though we stay for the command's background processes."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd in range(3):
        os.dup2(nothing, fd)


def _prctl(option: int, argument: int) -> None:
    import ctypes

    ulong = ctypes.c_ulong
    ctypes.CDLL(None).prctl(option, ulong(argument), ulong(0), ulong(0), ulong(0))


def _be_command(
    program: str,
    argv: Sequence[str],
    tracer: int,
    words: int,
    go: int,
    install_filter: Callable[[], int],
) -> NoReturn:
    try:
        _prctl(PR_SET_PTRACER, tracer)
        os.write(words, os.getpid().to_bytes(4, "little"))
        if os.read(go, 1) != b"g":
            os._exit(120)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and exec would pass that on
            signal.signal(number, signal.SIG_DFL)
        refused = install_filter()
        if refused:
            os.write(words, bytes([ord("f"), refused]))
        try:
            os.execv(program, argv)
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
        os.execv("/bin/sh", ["sh", program, *argv[1:]])  # as execvp(3) does for a script without #!
    except OSError as error:
        os.write(words, bytes([ord("x"), error.errno or 0]))
    finally:
        os._exit(NOT_EXECUTABLE)


def _be_front(command: int, tracer: int, verdict: int) -> int:
    _forward_signals(command)
    status = _wait(command)
    answer = os.read(verdict, 1)
    own = answer[0] if answer else _tracer_verdict(tracer)
    if own is not None:
        return own
    if os.WIFSIGNALED(status):
        die_of(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def _tracer_verdict(tracer: int) -> int | None:
    """The tracer closed the pipe without a status of its own: it is content, or it died."""
    pid, status = os.waitpid(tracer, os.WNOHANG)
    if pid == 0 or status == 0:
        return None
    sys.stderr.write(f"socktrace: the tracer process died (wait status {status:#x}): please report this\n")
    return 120


def _forward_signals(command: int) -> None:
    def pass_on(number: int, frame: FrameType | None) -> None:
        try:
            os.kill(command, number)
        except ProcessLookupError:
            pass

    def keyboard(number: int, frame: FrameType | None) -> None:
        if not _in_foreground():  # else the terminal has sent it to the command as well
            pass_on(number, frame)

    for number in FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    for number in (signal.SIGINT, signal.SIGQUIT):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, keyboard)
    for number in TERMINAL_STOPS:
        signal.signal(number, signal.SIG_IGN)


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


def _wait(command: int) -> int:
    """The command's wait status. When it is stopped, so are we, for the shell's job control to see."""
    while True:
        _, status = os.waitpid(command, os.WUNTRACED)
        if not os.WIFSTOPPED(status):
            return status
        number = os.WSTOPSIG(status)
        if number in (signal.SIGSTOP, *TERMINAL_STOPS):
            _stop_like(number)


def _stop_like(number: int) -> None:
    if number != signal.SIGSTOP:
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    if number != signal.SIGSTOP:
        signal.signal(number, signal.SIG_IGN)


def die_of(number: int) -> NoReturn:
    """End by a signal, leaving no core dump of our own."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {number})
    os.kill(os.getpid(), number)
    os._exit(128 + number)
