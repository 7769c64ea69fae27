"""Where blocks go: at once, or held back until the command has ended, in memory or in a file."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import struct
import tempfile
import termios
from typing import IO

import pytest

from tests.runs import rest_of
from tracer.views import screen as screens
from tracer.views.lines import Indented, styled
from tracer.views.screen import Screen


def _lines(number: int) -> list[str]:
    return [f" line {line} Việt → ✓" for line in range(number)]


@pytest.mark.parametrize("room", [screens.SPOOL_IN_MEMORY, 100, 1])
def test_what_is_held_back_comes_whole_and_at_the_end(monkeypatch: pytest.MonkeyPatch, room: int) -> None:
    files: list[IO[str]] = []
    make = tempfile.TemporaryFile

    def counted(*arguments: str, **named: str) -> IO[str]:
        files.append(make(*arguments, **named))  # type: ignore[call-overload]
        return files[-1]

    monkeypatch.setattr(tempfile, "TemporaryFile", counted)
    monkeypatch.setattr(screens, "SPOOL_IN_MEMORY", room)
    target = io.StringIO()
    screen = Screen(target, "never", at_once=False)
    for line in _lines(50):
        screen.show(Indented(styled(line.strip()), 1))
    screen.write_line("as it is")
    assert target.getvalue() == ""
    screen.close()
    assert target.getvalue().splitlines() == [*_lines(50), "as it is"]
    assert len(files) == (room < 1000)
    assert all(file.closed for file in files)


def test_at_once_is_at_once() -> None:
    target = io.StringIO()
    screen = Screen(target, "never", at_once=True)
    screen.write_line("now")
    assert target.getvalue() == "now\n"
    screen.close()


def test_a_full_disk_under_the_spool_is_an_error_of_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(screens, "SPOOL_IN_MEMORY", 1)
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: open("/dev/full", "w", encoding="utf-8"))
    screen = Screen(io.StringIO(), "never", at_once=False)
    screen.write_line("no room for this")
    with pytest.raises(OSError, match=os.strerror(28)):
        screen.close()


@pytest.mark.parametrize(("prompt", "flushes"), [(True, 3), (False, 0)])
def test_each_piece_comes_out_where_somebody_may_wait(prompt: bool, flushes: int) -> None:
    class Counting(io.StringIO):
        flushed = 0

        def flush(self) -> None:
            self.flushed += 1

    target = Counting()
    screen = Screen(target, "never", at_once=True, prompt=prompt)
    for _ in range(3):
        screen.show(Indented(styled("a piece")))
    assert target.flushed == flushes
    screen.close()
    assert target.flushed == flushes + 1


@pytest.mark.parametrize(("small", "width"), [(screens.SMALL, 40), (100, 80)])
def test_what_is_small_is_laid_out_for_the_window_as_it_is_in_the_end(
    monkeypatch: pytest.MonkeyPatch, small: int, width: int
) -> None:
    def resize(columns: int) -> None:
        fcntl.ioctl(ours, termios.TIOCSWINSZ, struct.pack("HHHH", 25, columns, 0, 0))

    monkeypatch.setattr(screens, "SMALL", small)
    monkeypatch.delenv("COLUMNS", raising=False)
    ours, theirs = pty.openpty()
    resize(80)
    with open(theirs, "w", encoding="utf-8") as terminal:
        screen = Screen(terminal, "never", at_once=False)
        for _ in range(3):
            screen.show(Indented(styled("one word after the other " * 10), 1))
        resize(40)
        screen.close()
    shown = rest_of(ours).decode().splitlines()
    assert sum(row.count("other") for row in shown) == 30
    assert width - 10 < max(map(len, shown)) <= width
