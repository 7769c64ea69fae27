"""The interactive viewer: on a recording, while it is written, too (`view`), or with a command that runs (`--tui`)."""

from __future__ import annotations

import copy
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import NoReturn

from tracer.pipeline.settings import FAILED, Show, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange

REST = 0.1
"""Seconds between two looks at a file that grows."""

KEPT_OUT = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP)
"""Signals for the command that its session's leader hears as well."""

PATIENCE = 2.0
"""Seconds that a command is given to end once its terminal has hung up."""


def view(path: str, complain: Callable[[str], None]) -> int:
    """Open the viewer; 0, 1 if the recording can't be read, FAILED if there is no terminal or no textual."""
    from tracer.recording.files import RecordingError
    from tracer.recording.reader import read

    if not _is_possible("view", f"socktrace show {shlex.quote(path)} prints the same", complain):
        return FAILED
    from tracer.views.viewer import Viewer

    try:
        header = next(read(path))
    except RecordingError as error:
        complain(str(error))
        return 1
    title = shlex.join(getattr(header, "argv", []))
    viewer = Viewer(title, lambda: growing(path, lambda: viewer.is_running, viewer.warn))
    viewer.run()
    return viewer.return_code or 0


def in_pane(trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Run a command in a pane of the viewer, under the tracer; its exit status, or FAILED.

    Its verdict and its lesson, where they are asked for, are printed in the pane.
    """
    if not _is_possible("--tui", "without it the timeline is printed", complain):
        return FAILED
    from tracer.views.pane import Pane
    from tracer.views.viewer import Viewer

    with tempfile.TemporaryDirectory() as folder:
        recording = os.path.join(folder, "run.jsonl")
        with open(recording, "wb"):
            pass
        command = Command(trace, show, recording, complain)
        viewer = Viewer(
            shlex.join(trace.argv),
            lambda: growing(recording, lambda: viewer.is_running, viewer.warn),
            Pane(command.terminal, command.done, command.resize, command.ended),
        )
        viewer.run()
        return command.finish(complain)


class Command:
    """A command under the tracer on a terminal of its own, recorded to `recording` and where else it was asked for.

    The session's leader stays until we have read all that was said: its end would hang up the terminal, and what
    nobody has read by then is lost (tty_vhangup in the kernel's drivers/tty/tty_io.c).
    """

    def __init__(self, trace: Trace, show: Show, recording: str, complain: Callable[[str], None]) -> None:
        import pty

        inner, quiet = copy.copy(trace), copy.copy(show)
        inner.writes = [*trace.writes, recording]
        quiet.quiet = True
        sys.stdout.flush()
        sys.stderr.flush()
        self.done, report = os.pipe()
        hold, self._hold = os.pipe()
        self._leader, self.terminal = pty.fork()
        if self._leader == 0:
            os.close(self.done)
            os.close(self._hold)
            _lead(report, hold, lambda: _run(inner, quiet, complain))
        os.close(report)
        os.close(hold)
        self._started = False
        self._status: int | None = None

    def resize(self, rows: int, columns: int) -> None:
        """Tell the command the size of its terminal; it starts with the first that it is told."""
        import termios

        termios.tcsetwinsize(self.terminal, (rows, columns))
        if not self._started:
            self._started = True
            os.write(self._hold, b"go")

    def ended(self) -> str:
        """How it ended, in words; waits for it."""
        status = self._wait()
        if status < 0:
            return f"killed by {signal.Signals(-status).name}"
        return f"exit status {status}"

    def finish(self, complain: Callable[[str], None]) -> int:
        """Hang up, as a terminal that is closed does; whoever stays is ended. The exit status as a shell has it."""
        import select

        os.close(self.terminal)
        for number in (signal.SIGTERM, signal.SIGKILL):
            if self._status is not None or select.select([self.done], [], [], PATIENCE)[0]:
                break
            os.killpg(self._leader, number)
            if number == signal.SIGKILL:
                complain("the command did not end when its terminal hung up, nor by SIGTERM: it was killed")
        status = self._wait()
        os.close(self._hold)
        os.waitpid(self._leader, 0)
        return 128 - status if status < 0 else status

    def _wait(self) -> int:
        if self._status is None:
            said = os.read(self.done, 4)
            self._status = int.from_bytes(said, "little", signed=True) if said else -signal.SIGKILL
        return self._status


def _run(trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    from tracer.pipeline import live
    from tracer.views.pane import TERM

    os.environ["TERM"] = TERM
    return live.run(trace, show, complain)


def _lead(report: int, hold: int, work: Callable[[], int]) -> NoReturn:
    """In the session's leader: when `hold` says so, do the work in a child; report how that ended, and stay as long as
    `hold` is held."""
    if not os.read(hold, 2):
        os._exit(FAILED)
    for_child = {number: signal.signal(number, signal.SIG_IGN) for number in KEPT_OUT}
    child = os.fork()
    if child == 0:
        status = FAILED
        try:
            for number, handler in for_child.items():
                signal.signal(number, handler)
            status = work()
            sys.stderr.flush()
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(report, status.to_bytes(4, "little", signed=True))
    os.read(hold, 1)
    os._exit(0)


def _is_possible(what: str, instead: str, complain: Callable[[str], None]) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        complain(f"{what} needs a terminal: {instead}")
        return False
    from importlib.util import find_spec

    if find_spec("textual") is None or find_spec("pyte") is None:
        complain(f"{what} needs the packages textual and pyte: pip install 'socktrace[view]'")
        return False
    return True


def growing(path: str, is_open: Callable[[], bool], warn: Callable[[str], None]) -> Iterator[Exchange]:
    """The exchanges of a recording, those to come too, as long as somebody looks; `warn` is told of damage.

    An exchange comes when its request has begun, when its response has, and as a whole.
    """
    from tracer.engine.stories import told
    from tracer.exchanges import Exchange, Growth, assemble
    from tracer.recording.reader import follow

    def go_on() -> bool:
        time.sleep(REST)
        return is_open()

    while os.path.getsize(path) == 0:  # nothing has been recorded yet
        if not go_on():
            return
    for item in told(assemble(follow(path, go_on, warn), live=True)):
        if isinstance(item, Exchange):
            yield item
        elif isinstance(item, Growth) and item.entry is None:
            yield item.exchange
