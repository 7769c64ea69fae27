"""The bundled lessons as people see them, in both languages, and shown at a pace. SOCKTRACE_GOLDEN=write renews."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.make_lessons import lesson_of, page
from tests.views.test_golden import compare, printed
from tracer.engine.stories import told
from tracer.events import Close, Connect
from tracer.exchanges import Exchange, assemble
from tracer.pipeline.lessons import lessons
from tracer.recording.reader import read
from tracer.views.lesson import LessonView
from tracer.views.lines import BLANK, Block, Whole, styled
from tracer.views.pace import LONGEST, paced, stepped
from tracer.views.style import ASCII, UNICODE
from tracer.words import LANGUAGES

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tracer" / "lessons"


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", lessons())
def test_a_lesson_on_the_screen(name: str, language: str, width: int) -> None:
    shown = printed(LessonView(UNICODE, language).render(lesson_of(name)), width)
    compare(f"lesson-{name}-{language}-{width}.txt", shown)
    assert max(len(line) for line in shown.splitlines()) <= width


@pytest.mark.parametrize("name", lessons())
def test_the_page_of_a_lesson_is_made_from_the_same_source(name: str) -> None:
    assert (ROOT / "docs" / "lessons" / f"{name}.md").read_text(encoding="utf-8") == page(name)


def test_a_terminal_without_unicode() -> None:
    assert printed(LessonView(ASCII, "en").render(lesson_of("run")), 80).isascii()


def test_a_lesson_that_names_no_client_says_so() -> None:
    from tracer.engine.lesson import Teacher

    assert "No client of this run" in printed(LessonView(UNICODE, "en").render(Teacher().lesson()), 80)


@pytest.mark.parametrize(("closed", "taught"), [(1.0, False), (3.0, True)])
def test_connections_are_a_point_where_one_was_needed_beside_another(closed: float, taught: bool) -> None:
    """A client that gave up on one and tried again did not need two."""
    from tracer.engine.lesson import Teacher

    teacher = Teacher()
    for number, t in ((1, 0.0), (2, 2.0)):
        connect = Connect(t=t, conn=number, pid=7, tid=7, fd=3, family="unix", address="/run/docker.sock")
        list(teacher.watch([connect, Close(t=closed if number == 1 else 9.0, conn=number, pid=7, tid=7)]))
    assert any(said.key == "point.connections" for said in teacher.lesson().points) == taught


def test_pauses_are_those_of_the_run_divided_by_the_speed() -> None:
    pauses: list[float] = []
    items = list(told(assemble(read(str(RECORDINGS / "run.jsonl")), live=True)))
    assert list(paced(items, 2.0, pauses.append)) == items
    last = max(item.timing.done or 0.0 for item in items if isinstance(item, Exchange))
    assert 0.4 * last < sum(pauses) < 0.6 * last + 0.1
    assert max(pauses) <= LONGEST / 2


def test_a_step_at_a_time_until_somebody_has_enough() -> None:
    answers = iter([True, True, False])
    pieces: list[Block] = [Whole(styled("one")), BLANK, *(Whole(styled(word)) for word in ("two", "three", "four"))]
    assert list(stepped(pieces, lambda: next(answers))) == pieces[:4]
