"""The viewer, driven by keys."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from textual.widgets import Input, Label, Static

from tests.runs import Socktrace
from tracer.pipeline.viewing import growing
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
        app = Viewer("docker run x", lambda: growing(str(recording), lambda: is_open[0]))
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
        assert seen.app.query_one("#details").size.height > 2
        assert seen.app.query_one("#list").size.height > 2

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


def test_in_a_real_terminal(tmp_path: Path) -> None:
    import os
    import pty
    import select
    import sys
    import time

    recording = tmp_path / "x.jsonl"
    shutil.copy(FIXTURES / "ps.jsonl", recording)
    child, terminal = pty.fork()
    if child == 0:
        os.environ.update(TERM="xterm-256color", COLUMNS="120", LINES="30")
        os.execv(sys.executable, [sys.executable, "-m", "tracer", "view", str(recording)])
    seen = b""
    ends = time.monotonic() + 20
    while time.monotonic() < ends and b"containers/json" not in seen:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 65536)
    assert b"containers/json" in seen
    os.write(terminal, b"q")
    while time.monotonic() < ends:
        try:
            if select.select([terminal], [], [], 0.2)[0] and not os.read(terminal, 65536):
                break
        except OSError:
            break
    _, status = os.waitpid(child, 0)
    os.close(terminal)
    assert status == 0


def test_quitting_while_it_loads() -> None:
    """Exchanges that come when the screen is gone already are nobody's."""

    async def steps(seen: Driven) -> None:
        await seen.until(lambda: len(seen.app.shown) == 5)
        before = list(seen.app.exchanges)
        await seen.app.query_one("#main").remove()
        seen.app._add(before)
        assert seen.app.exchanges == before

    drive(FIXTURES / "run.jsonl", steps)
