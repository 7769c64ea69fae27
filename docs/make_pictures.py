"""Draws the pictures of the documentation from the recordings: `python -m docs.make_pictures`."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from tracer.engine.stories import told
from tracer.exchanges import Exchange, assemble, in_order
from tracer.proof import Proof
from tracer.recording.reader import read
from tracer.views import verdict
from tracer.views.lines import Block, painted
from tracer.views.style import UNICODE
from tracer.views.timeline import Timeline

DOCS = Path(__file__).parent
FIXTURES = DOCS.parent / "fixtures"
LESSONS = DOCS.parent / "tracer" / "lessons"
WIDTH = 92


def main() -> None:
    """Two timelines and a verdict."""
    _draw("timeline", _timeline("ps"))
    _draw("run", _timeline("run"))
    _draw("prove", _verdict("run"))


def _draw(name: str, pieces: Iterable[Block]) -> None:
    console = Console(file=io.StringIO(), record=True, width=WIDTH, force_terminal=True, _environ={})
    for piece in pieces:
        console.print(Text.from_ansi(painted(piece, WIDTH, color=True)), soft_wrap=True)
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
