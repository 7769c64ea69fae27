"""Draws the pictures of the documentation from the recordings: `python docs/make_pictures.py`."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI

from tracer.exchanges import assemble, in_order
from tracer.recording.reader import read
from tracer.views.timeline import Timeline

DOCS = Path(__file__).parent
FIXTURES = DOCS.parent / "fixtures"
PICTURES = {"timeline": ("ps", 92), "run": ("run", 92)}


def main() -> None:
    """One SVG for each entry of PICTURES."""
    for name, (recording, width) in PICTURES.items():
        console = Console(file=io.StringIO(), record=True, width=width, force_terminal=True, _environ={})
        for piece in Timeline().render(in_order(assemble(read(str(FIXTURES / f"{recording}.jsonl"))))):
            console.print(piece, highlight=False, markup=False, soft_wrap=True)
        console.save_svg(str(DOCS / f"{name}.svg"), title="socktrace", theme=DIMMED_MONOKAI, unique_id=name)


if __name__ == "__main__":
    main()
