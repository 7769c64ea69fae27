"""Draws the pictures of the documentation from the recordings: `python -m docs.make_pictures`."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tracer.engine.stories import told
from tracer.exchanges import Exchange, assemble, in_order
from tracer.pipeline.exporting import export
from tracer.proof import Proof
from tracer.recording.reader import read
from tracer.views import verdict
from tracer.views.lines import Block, painted
from tracer.views.style import UNICODE
from tracer.views.timeline import Timeline
from tracer.views.viewer import Viewer

DOCS = Path(__file__).parent
FIXTURES = DOCS.parent / "fixtures"
LESSONS = DOCS.parent / "tracer" / "lessons"
WIDTH = 92


def main() -> None:
    """Two timelines, a verdict, the viewer, and the report in a browser: dark, opened, and on a phone."""
    _draw("timeline", _timeline("ps"))
    _draw("run", _timeline("run"))
    _draw("prove", _verdict("run"))
    asyncio.run(_viewer())
    opened = "document.documentElement.dataset.theme = 'dark'; document.querySelectorAll('.row')[1].click();"
    _shoot("report", "1100,900", opened)
    _shoot("report-phone", "500,900", "document.querySelectorAll('.row')[4].click();")


async def _viewer() -> None:
    """The viewer, an exchange chosen."""
    app = Viewer("docker run --rm --network none --name greeter demo echo hi", lambda: _exchanges("run"))
    async with app.run_test(size=(130, 30)) as pilot:
        while len(app.shown) < 5:
            await asyncio.sleep(0.05)
        await pilot.press("j")
        await asyncio.sleep(0.5)
        (DOCS / "viewer.svg").write_text(app.export_screenshot(title="socktrace view"), encoding="utf-8")


def _exchanges(lesson: str) -> Iterator[Exchange]:
    items = in_order(told(assemble(read(str(LESSONS / f"{lesson}.jsonl")))))
    return (item for item in items if isinstance(item, Exchange))


def _shoot(name: str, size: str, script: str) -> None:
    """A picture of the report of the lesson `run`, after a script."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        export(str(LESSONS / "run.jsonl"), "html", str(page), print)
        with page.open("a") as file:
            file.write(f"<script>{script}</script>")
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--window-size={size}"]
        picture = f"--screenshot={DOCS / name}.png"
        subprocess.run(["chromium", *options, picture, f"file://{page}"], check=True, stderr=subprocess.DEVNULL)


def _draw(name: str, pieces: Iterable[Block]) -> None:
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, _environ={})
    for piece in pieces:
        console.print(Text.from_ansi(painted(piece, WIDTH, color=True)), soft_wrap=True, end="")
    console.save_svg(str(DOCS / f"{name}.svg"), title="socktrace", theme=DIMMED_MONOKAI, unique_id=name)


def _timeline(recording: str) -> Iterator[Block]:
    return Timeline().render(in_order(told(assemble(read(str(FIXTURES / f"{recording}.jsonl"))))))


def _verdict(lesson: str) -> Iterator[Block]:
    proof = Proof()
    for item in assemble(proof.watch(read(str(LESSONS / f"{lesson}.jsonl")))):
        if isinstance(item, Exchange):
            proof.take(item)
    return verdict.render(proof.claims(), UNICODE, "en")


if __name__ == "__main__":
    main()
