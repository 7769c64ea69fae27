"""`docker run -it` and `docker exec -it` behave in a terminal as they do alone."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import termios
import time

import pytest

from fixtures.private_daemon import IMAGE, Daemon
from tests.runs import COMMAND, ROOT, rest_of


class Terminal:
    """A command in a pseudo terminal of a given size."""

    def __init__(self, argv: list[str], environment: dict[str, str], rows: int = 33, columns: int = 77) -> None:
        self.screen = b""
        environment = {name: value for name, value in environment.items() if name != "COLUMNS"}
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(argv[0], argv, environment)
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def wait_for(self, words: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while words.encode() not in self.screen:
            assert time.monotonic() < end, self.screen.decode(errors="replace")
            if select.select([self.fd], [], [], 0.1)[0]:
                self.screen += os.read(self.fd, 4096)
        self.screen = self.screen.partition(words.encode())[2]

    def end(self) -> int:
        """Read what is left; the exit status."""
        self.screen += rest_of(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


@pytest.mark.parametrize("traced", [False, True], ids=["alone", "traced"])
def test_run_it(traced: bool, daemon: Daemon) -> None:
    command = ["docker", "run", "--rm", "-it", "--network", "none", IMAGE, "sh"]
    environment = {**daemon.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    terminal = Terminal([*COMMAND, *command] if traced else command, environment)
    terminal.wait_for("# ")
    time.sleep(0.5)
    terminal.type("stty size\n")
    terminal.wait_for("33 77")
    terminal.resize(44, 99)
    time.sleep(0.5)
    terminal.type("stty size\n")
    terminal.wait_for("44 99")
    terminal.type("sleep 100\n")
    time.sleep(0.3)
    terminal.type("\x03")
    terminal.type("echo status=$?\n")
    terminal.wait_for("status=130")
    terminal.type("exit 9\n")
    assert terminal.end() == 9
    assert (b"/resize" in terminal.screen) == traced
    rows = re.sub(rb"\x1b\[[0-9;]*m", b"", terminal.screen).decode().splitlines()
    assert (max(map(len, rows)) == 99) == traced


def test_exec_it(daemon: Daemon) -> None:
    daemon.docker("run", "-d", "--name", "for-exec", "--network", "none", IMAGE, "sleep", "1000")
    environment = {**daemon.environment, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    terminal = Terminal([*COMMAND, "docker", "exec", "-it", "for-exec", "sh"], environment)
    terminal.wait_for("# ")
    terminal.type("echo in$((1+1))side; exit 4\n")
    terminal.wait_for("in2side")
    assert terminal.end() == 4
    assert b"/exec/" in terminal.screen
    daemon.docker("rm", "-f", "for-exec")
