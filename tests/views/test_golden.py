"""What people see, exactly. After a change that is meant: SOCKTRACE_GOLDEN=write, then look at the difference."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from tracer.engine.stories import told
from tracer.exchanges import assemble, in_order
from tracer.recording.reader import read
from tracer.views import waterfall
from tracer.views.lines import Block, painted
from tracer.views.stories import by_story
from tracer.views.style import ASCII, UNICODE, Symbols
from tracer.views.timeline import Timeline

FIXTURES = Path(__file__).parents[2] / "fixtures"
GOLDEN = Path(__file__).parent / "golden"

SCREENS = [
    *[(path.stem, 80, 0) for path in sorted(FIXTURES.glob("*.jsonl"))],
    *[(name, 200, 0) for name in ("ps", "run", "life", "buildkit", "refused", "sdk")],
    *[(name, 100, 2) for name in ("run-terminal", "run-stdin", "logs-look-alike", "buildkit")],
    ("run", 80, 1),
    ("curl-create", 80, 2),
    ("ps", 80, 3),
    ("life", 40, 0),
]


def timeline(name: str, width: int, verbosity: int, symbols: Symbols = UNICODE, color: bool = False) -> str:
    items = in_order(told(assemble(read(str(FIXTURES / f"{name}.jsonl")), keep_pieces=verbosity >= 3)))
    return printed(Timeline(verbosity, symbols).render(items), width, color)


def printed(pieces: Iterable[Block], width: int, color: bool = False) -> str:
    """Pieces of a view on a terminal of this width."""
    return "".join(painted(piece, width, color=color) for piece in pieces)


@pytest.mark.parametrize(("name", "width", "verbosity"), SCREENS)
def test_the_timeline(name: str, width: int, verbosity: int) -> None:
    compare(f"{name}-{width}{'v' * verbosity}.txt", timeline(name, width, verbosity))


def compare(file: str, shown: str) -> None:
    """What is shown is what the golden file says."""
    golden = GOLDEN / file
    if os.environ.get("SOCKTRACE_GOLDEN") == "write":
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(shown, encoding="utf-8")
    assert shown == golden.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 120])
@pytest.mark.parametrize("name", ["run", "refused", "buildkit"])
def test_the_waterfall(name: str, width: int) -> None:
    items = in_order(told(assemble(read(str(FIXTURES / f"{name}.jsonl")))))
    shown = printed(waterfall.render(items, UNICODE), width)
    assert max(map(len, shown.splitlines())) <= width
    compare(f"{name}-waterfall-{width}.txt", shown)


def test_grouped_by_story() -> None:
    items = in_order(told(assemble(read(str(FIXTURES / "life.jsonl")))))
    compare("life-stories-80.txt", printed(Timeline().render(by_story(items)), 80))


@pytest.mark.parametrize("name", ["logs-follow", "pull", "build", "run-stdin"])
def test_as_it_happens(name: str) -> None:
    items = told(assemble(read(str(FIXTURES / f"{name}.jsonl")), live=True))
    compare(f"{name}-live-80.txt", printed(Timeline(compact=True).render(items), 80))


@pytest.mark.parametrize(("name", "width", "verbosity"), SCREENS)
def test_no_line_is_wider_than_the_terminal(name: str, width: int, verbosity: int) -> None:
    for line in timeline(name, width, verbosity).splitlines():
        assert len(line) <= width or "https://" in line


def test_colours_change_nothing_but_colour() -> None:
    from rich.text import Text

    assert Text.from_ansi(timeline("run", 80, 0, color=True)).plain.split() == timeline("run", 80, 0).split()


def test_a_terminal_without_unicode_gets_ascii_signs() -> None:
    assert timeline("run", 80, 0, ASCII).isascii()
