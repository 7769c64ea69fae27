"""Writes a page for each bundled lesson, from the recording and the catalogues: `python -m docs.make_lessons`."""

from __future__ import annotations

from pathlib import Path

from tracer.engine.lesson import Lesson, Teacher
from tracer.engine.stories import told
from tracer.exchanges import Exchange, assemble, in_order
from tracer.pipeline.lessons import lessons
from tracer.recording.reader import read
from tracer.views.lesson import LessonView
from tracer.views.lines import painted
from tracer.views.style import UNICODE
from tracer.words import LANGUAGES, say

DOCS = Path(__file__).parent
RECORDINGS = DOCS.parent / "tracer" / "lessons"
WIDTH = 100


def lesson_of(name: str) -> Lesson:
    """What a bundled recording teaches."""
    teacher = Teacher()
    for item in in_order(told(assemble(teacher.watch(read(str(RECORDINGS / f"{name}.jsonl")))))):
        if isinstance(item, Exchange):
            teacher.take(item)
    return teacher.lesson()


def page(name: str) -> str:
    """The page of a lesson, in every language, in Markdown."""
    parts = []
    for language in LANGUAGES:
        shown = LessonView(UNICODE, language).render(lesson_of(name))
        text = "".join(painted(piece, WIDTH, color=False) for piece in shown)
        option = "" if language == "en" else f" --lang {language}"
        parts.append(
            f"## {say(language, f'lessons.{name}.title')}\n\n{say(language, f'lessons.{name}.intro')}\n\n"
            f"```\n$ socktrace demo {name}{option}\n{text.rstrip()}\n```\n"
        )
    return f"# {name}\n\n" + "\n".join(parts)


def main() -> None:
    """One page a lesson."""
    for name in lessons():
        (DOCS / "lessons" / f"{name}.md").write_text(page(name), encoding="utf-8")


if __name__ == "__main__":
    main()
