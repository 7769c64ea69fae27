"""The lesson of --explain on the screen."""

from __future__ import annotations

from collections.abc import Iterator

from tracer.engine.json_diff import shown
from tracer.engine.lesson import CommandTold, FlagTold, Lesson, Step
from tracer.engine.names import shorten_ids
from tracer.views.lines import BLANK, Block, Indented, Line, styled
from tracer.views.style import METHOD, PARTY, QUIET, TARGET, WRONG, Symbols, status_style, visible
from tracer.words import Said, say

MOST_VALUE = 60
"""Characters of a JSON value that are shown beside a flag."""


class LessonView:
    """Renders a lesson in one language."""

    def __init__(self, symbols: Symbols, language: str) -> None:
        self._symbols = symbols
        self._language = language

    def render(self, lesson: Lesson) -> Iterator[Block]:
        """The parts that the run has, one after the other."""
        if not lesson.steps and not lesson.why:
            yield BLANK
            yield self._line(styled(self._say("lesson.nothing")), 1)
            return
        for command in lesson.commands:
            yield from self._command(command)
        if lesson.steps:
            yield from self._title("lesson.steps")
            for step in lesson.steps:
                yield from self._step(step)
        if lesson.points and lesson.steps:
            yield from self._title("lesson.points")
            for said in lesson.points:
                yield self._bullet(said)
        if lesson.afterwards:
            yield from self._title("lesson.next")
            for said in lesson.afterwards:
                yield self._bullet(said, str(said.values["operation"]))
        if lesson.same:
            yield from self._title("lesson.same")
            for same in lesson.same:
                yield self._line(styled((f"{same.number:>3}  ", QUIET), visible(same.command)), 0, 7)
        if lesson.why:
            yield from self._title("lesson.why")
            for number, why in lesson.why:
                words = self._symbols.fit(visible(self._said(why)))
                yield self._line(
                    styled((f"{number or '':>3}  ", QUIET), (f"{self._symbols.cross} ", WRONG), words), 0, 7
                )

    def _command(self, command: CommandTold) -> Iterator[Block]:
        yield from self._title("lesson.command_line")
        name = f"{command.program} {command.command}"
        yield self._line(styled((visible(name), PARTY), "  ", self._said(command.said)), 2, 4)
        for word in command.words:
            yield self._word(word)

    def _word(self, word: FlagTold) -> Block:
        line = styled((visible(word.text), "bold"))
        where = self._where(word)
        if where:
            line += styled((self._symbols.fit(f" → {visible(where)}"), TARGET))
        line += styled((f"  {self._symbols.fit(self._said(word.said))}", QUIET if not word.place else ""))
        return self._line(line, 2, 4)

    def _where(self, word: FlagTold) -> str:
        if word.number is None:
            return word.place
        value = shown(word.sent, MOST_VALUE)
        return self._say("lesson.sent_as", place=word.place, value=value, number=word.number)

    def _step(self, step: Step) -> Iterator[Block]:
        target = self._symbols.fit(shorten_ids(visible(step.target.split("?")[0])))
        status = str(step.status) if step.status is not None else self._say("lesson.no_answer")
        style = status_style(step.status) if step.status is not None else WRONG
        head = styled(
            (f"{step.number:>3}  ", QUIET), (step.method, METHOD), " ", (target, TARGET), "  ", (status, style)
        )
        sentence = self._sentence(step)
        if sentence:
            head += styled(f"  {sentence}")
        yield self._line(head, 0, 5)
        for symbol, text in ((self._symbols.sent, step.asked), (self._symbols.received, step.answered)):
            if text and self._language == "en":  # summaries are in English only
                yield self._line(styled((f"{symbol} {self._symbols.fit(visible(text))}", QUIET)), 5, 2)

    def _sentence(self, step: Step) -> str | None:
        if step.operation is None or self._language == "en":
            return step.sentence
        return self._say(f"operation.{step.operation}")

    def _title(self, key: str) -> Iterator[Block]:
        yield BLANK
        yield self._line(styled((self._say(key), "bold underline")), 1)

    def _bullet(self, said: Said, label: str = "") -> Block:
        line = styled(f"{self._symbols.dot} ")
        if label:
            line += styled((f"{label}: ", "bold"))
        line += styled(self._symbols.fit(visible(self._said(said))))
        return self._line(line, 2, 2)

    def _said(self, said: Said) -> str:
        return say(self._language, said.key, **said.values)

    def _say(self, key: str, **values: object) -> str:
        return say(self._language, key, **values)

    def _line(self, text: Line, indent: int, hanging: int = 0) -> Block:
        return Indented(text, indent, hanging)
