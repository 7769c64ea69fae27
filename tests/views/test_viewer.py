"""The viewer, driven by keys."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pyte
import pytest
from textual import events
from textual.widgets import DataTable, Input, Label, Static

from tests.runs import ROOT, Socktrace
from tracer.pipeline.viewing import growing
from tracer.views.pane import Pane, _Screen
from tracer.views.viewer import Viewer

FIXTURES = Path(__file__).parents[2] / "fixtures"
Steps = Callable[["Driven"], Awaitable[None]]


class Driven:
    """A viewer in a terminal of a given size."""

    def __init__(self, app: Viewer, press: Callable[..., Awaitable[None]]) -> None:
        self.app = app
        self._press = press

    async def press(self, *keys: str) -> None:
        await self._press(*keys)
        await asyncio.sleep(0.05)

    async def until(self, is_so: Callable[[], bool]) -> None:
        for _ in range(200):
            if is_so():
                return
            await asyncio.sleep(0.02)
        raise AssertionError("it did not come to that")

    async def search(self, text: str) -> None:
        await self.press("slash")
        self.app.query_one("#search", Input).value = text
        await self.press("enter")

    @property
    def details(self) -> str:
        return str(self.app.query_one("#exchange", Static).render())

    @property
    def title(self) -> str:
        return str(self.app.query_one("#title", Label).render())


def drive(recording: Path, steps: Steps, size: tuple[int, int] = (140, 40)) -> None:
    async def run() -> None:
        is_open = [True]
        app = Viewer("docker run x", lambda: growing(str(recording), lambda: is_open[0], app.warn))
        async with app.run_test(size=size) as pilot:
            await steps(Driven(app, pilot.press))
            is_open[0] = False

    asyncio.run(run())


def test_the_list_and_the_details() -> None:
    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) == 5 and "HEAD /_ping" in seen.details)
        assert "5 exchanges" in seen.title
        await seen.press("j")
        await seen.until(lambda: "POST /v1.41/containers/create" in seen.details)
        assert '"Image": "demo"' in seen.details
        await seen.press("v")
        await seen.until(lambda: '"Image": "demo"' not in seen.details)
        await seen.press("k")
        await seen.until(lambda: "HEAD /_ping" in seen.details)

    drive(FIXTURES / "run.jsonl", steps)


def test_search() -> None:
    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) == 5)
        await seen.search("greeter autoremove")
        await seen.until(lambda: [one.number for one in seen.app.shown] == [2])
        assert "1 of 5 exchanges" in seen.title
        await seen.press("escape")
        await seen.until(lambda: len(seen.app.shown) == 5)
        await seen.search("status>=200")
        await seen.until(lambda: [one.number for one in seen.app.shown] == [1, 2, 4, 5])
        await seen.search("nothing=")
        await seen.until(lambda: len(seen.app._notifications) == 1)

    drive(FIXTURES / "run.jsonl", steps)


@pytest.mark.parametrize("size", [(60, 20), (200, 50)])
def test_every_size_shows_both_parts(size: tuple[int, int]) -> None:
    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) > 0 and bool(seen.details))
        await seen.until(lambda: all(seen.app.query_one(part).size.height > 2 for part in ("#details", "#list")))

    drive(FIXTURES / "life.jsonl", steps, size)


def test_a_recording_that_grows(tmp_path: Path) -> None:
    lines = (FIXTURES / "run.jsonl").read_bytes().splitlines(keepends=True)
    recording = tmp_path / "growing.jsonl"
    half = next(number for number, line in enumerate(lines) if b"201 Created" in line) + 1
    recording.write_bytes(b"".join(lines[:half]) + lines[half][:10])

    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) == 2)
        with recording.open("ab") as file:
            file.write(lines[half][10:] + b"".join(lines[half + 1 :]))
        await seen.until(lambda: len(seen.app.shown) == 5)

    drive(recording, steps)


def test_where_there_is_no_terminal(socktrace: Socktrace) -> None:
    done = socktrace.plain("view", str(FIXTURES / "run.jsonl"))
    assert (done.returncode, done.stderr.count("\n")) == (120, 1)
    assert "socktrace show" in done.stderr


class Terminal:
    """socktrace in a terminal of 120 columns and 30 rows, whose screen is pyte's."""

    def __init__(self, arguments: list[str]) -> None:
        self._screen = pyte.Screen(120, 30)
        self._stream = pyte.ByteStream(self._screen)
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="30", PYTHONPATH=str(ROOT))
            os.execv(sys.executable, [sys.executable, "-m", "tracer", *arguments])
        termios.tcsetwinsize(self._fd, (30, 120))

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._fd)
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)

    @property
    def text(self) -> str:
        return "\n".join(self._screen.display)

    def write(self, keys: bytes) -> None:
        os.write(self._fd, keys)

    def _read(self) -> bool:
        try:
            said = os.read(self._fd, 1 << 16) if select.select([self._fd], [], [], 0.1)[0] else b""
        except OSError:
            return False
        self._stream.feed(said)
        return True

    def until(self, what: str, is_so: Callable[[str], bool]) -> None:
        ends = time.monotonic() + 30
        while not is_so(self.text):
            assert (time.monotonic() < ends and self._read()) or is_so(self.text), f"no {what}:\n{self.text}"

    def ended(self) -> int:
        while self._read():
            continue
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)


def test_in_a_real_terminal(tmp_path: Path) -> None:
    with Terminal(["view", str(FIXTURES / "ps.jsonl")]) as terminal:
        terminal.until("exchange", lambda text: "containers/json" in text)
        terminal.write(b"q")
        assert terminal.ended() == 0


def test_quitting_while_it_loads() -> None:
    """Exchanges that come when the screen is gone already are nobody's."""

    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) == 5)
        before = list(seen.app.exchanges)
        await seen.app.query_one("#main").remove()
        seen.app._add(before)
        assert seen.app.exchanges == before

    drive(FIXTURES / "run.jsonl", steps)


def test_damage_is_told(tmp_path: Path) -> None:
    lines = (FIXTURES / "run.jsonl").read_bytes().splitlines(keepends=True)
    recording = tmp_path / "damaged.jsonl"
    half = next(number for number, line in enumerate(lines) if b"201 Created" in line) + 1
    recording.write_bytes(b"".join(lines[:half]) + b"{not json\n" + b"".join(lines[half:]))

    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app._notifications) == 1)
        said = next(iter(seen.app._notifications)).message
        assert f"line {half + 1}: " in said
        assert len(seen.app.shown) == 2

    drive(recording, steps)


def test_what_goes_on_has_a_row_from_its_request_on(tmp_path: Path) -> None:
    """An attach lasts as long as its container: it is listed when it is asked for, and filled in."""
    lines = (FIXTURES / "run.jsonl").read_bytes().splitlines(keepends=True)
    recording = tmp_path / "growing.jsonl"
    asked = next(number for number, line in enumerate(lines) if b'"out"' in line and b"/attach?" in line) + 1
    answered = next(number for number, line in enumerate(lines) if b"101 UPGRADED" in line) + 1
    recording.write_bytes(b"".join(lines[:asked]))

    async def steps(seen: Driven) -> None:
        await seen.until(lambda: _row(seen, 3)[:2] == ["3", "…"])
        with recording.open("ab") as file:
            file.write(b"".join(lines[asked:answered]))
        await seen.until(lambda: _row(seen, 3)[1] == "101")
        with recording.open("ab") as file:
            file.write(b"".join(lines[answered:]))
        await seen.until(lambda: len(seen.app.exchanges) == 5)
        assert [one.number for one in seen.app.shown] == [1, 2, 3, 4, 5]

    drive(recording, steps)


def _row(seen: Driven, number: int) -> list[str]:
    table = seen.app.query_one("#list", DataTable)
    if str(number) not in [key.value for key in table.rows]:
        return ["", ""]
    return [str(cell) for cell in table.get_row(str(number))]


def test_a_pane_has_the_command(tmp_path: Path) -> None:
    """--tui on a terminal: the command has one of its own, keys reach it, and its exit status is ours."""
    recording = tmp_path / "kept.jsonl"
    script = "stty size; read line; echo got $line; echo to std''err >&2; exit 7"
    with Terminal(["--tui", "-w", str(recording), "sh", "-c", script]) as terminal:
        terminal.until("size", lambda text: re.search(r"│\d+ 118", text) is not None)
        terminal.write(b"hello\r")
        terminal.until("its output", lambda text: "got hello" in text and "to stderr" in text)
        terminal.until("its end", lambda text: "exit status 7" in text)
        terminal.write(b"q")
        assert terminal.ended() == 7
    assert b'"exit_code":7' in recording.read_bytes()


def test_what_a_quick_command_says_is_not_lost() -> None:
    with Terminal(["--tui", "no-such-command"]) as terminal:
        terminal.until("the complaint", lambda text: "no-such-command: command not found" in text)
        terminal.until("the status", lambda text: "exit status 127" in text)
        terminal.write(b"q")
        assert terminal.ended() == 127


def test_leaving_a_command_that_runs() -> None:
    script = "trap '' HUP TERM; echo rea''dy; for i in $(seq 60); do sleep 1; done"
    with Terminal(["--tui", "sh", "-c", script]) as terminal:
        terminal.until("the command", lambda text: "ready" in text)
        terminal.write(b"\x1b[17~")
        terminal.until("the list's keys", lambda text: "f6 to the command" in text)
        terminal.write(b"q")
        terminal.until("the question", lambda text: "q once more" in text)
        terminal.write(b"q")
        assert terminal.ended() == 137
        terminal.until("the sentence", lambda text: "it was killed" in text)


def test_a_smaller_pane_keeps_the_end() -> None:
    screen = _Screen(lambda text: None)
    stream = pyte.ByteStream(screen)
    screen.resize(15, 40)
    stream.feed(b"".join(b"line %d\r\n" % number for number in range(30)))
    screen.resize(6, 30)
    stream.feed(b"the end")
    assert [line.strip() for line in screen.display] == [*(f"line {number}" for number in range(25, 30)), "the end"]
    screen.prev_page()
    assert screen.display[0].strip() == "line 22"


@pytest.mark.parametrize(
    ("key", "character", "sent"),
    [
        ("a", "a", "a"),
        ("ế", "ế", "ế"),
        ("enter", "\r", "\r"),
        ("ctrl+p", "\x10", "\x10"),
        ("ctrl+q", "\x11", "\x11"),
        ("ctrl+c", "\x03", "\x03"),
        ("up", None, "\x1b[A"),
        ("alt+f", None, "\x1bf"),
        ("tab", "\t", "\t"),
        ("f6", None, None),
    ],
)
def test_keys_of_the_pane(key: str, character: str | None, sent: str | None) -> None:
    pane = Pane(-1, -1, lambda rows, columns: None, lambda: "")
    assert pane._typed(events.Key(key, character)) == sent


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--tui", "true"], 120, "needs a terminal"),
        (["--tui", "-p", "1"], 2, "needs a COMMAND"),
        (["--tui", "-w", "-", "true"], 2, "name of a file"),
    ],
)
def test_where_a_pane_can_not_be(arguments: list[str], status: int, words: str, socktrace: Socktrace) -> None:
    done = socktrace.plain(*arguments)
    assert (done.returncode, done.stderr.count("\n")) == (status, 1)
    assert words in done.stderr
