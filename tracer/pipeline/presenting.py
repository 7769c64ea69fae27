"""Events to a view: exchanges, their stories, then the timeline, JSON, the lesson and the verdict."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

from tracer.pipeline.progress import line_on_stderr, metered
from tracer.pipeline.settings import FAILED, UNPROVEN, Show

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from tracer.capture.status_line import StatusLine
    from tracer.engine.lesson import Teacher
    from tracer.events import Event
    from tracer.exchanges import Exchange, Item
    from tracer.proof import Proof
    from tracer.views.lines import Block
    from tracer.views.screen import Screen


def present(
    events: Iterable[Event],
    show: Show,
    stream: TextIO,
    *,
    at_once: bool,
    prompt: bool = True,
    line: StatusLine | None = None,
) -> bool:
    """Events to a view on `stream`: piece by piece, or in one when the events have ended. `line` tells how far it is.

    Without `prompt` pieces may come together, where no terminal waits for them.

    Whether every claim holds, where a proof is asked for. Raises OSError if it can't be written.
    """
    proof, teacher = _proof(show), _teacher(show)
    if show.quiet and proof is None and teacher is None:
        for _ in events:
            continue
        return True
    from tracer.wire.tls import opened

    if proof is not None or teacher is not None:
        events = opened(events)
    for watcher in (proof, teacher):
        if watcher is not None:
            events = watcher.watch(events)
    items = _items(events, show, line)
    for watcher in (proof, teacher):
        if watcher is not None:
            items = _watched(items, watcher.take)
    if show.filter is not None:
        items = _filtered(items, show.filter)
    if show.quiet or teacher is not None:
        for _ in items:
            continue
        items = ()
    from tracer.views.screen import Screen

    screen = Screen(stream, show.color, at_once=at_once, prompt=prompt)
    if not show.quiet and teacher is None:
        _show_items(items, show, screen)
    if teacher is not None:
        from tracer.views.lesson import LessonView

        _show_all(LessonView(screen.symbols, show.language).render(teacher.lesson()), screen, show)
    holds = proof is None or _verdict(proof, show, screen)
    screen.close()
    return holds


def _proof(show: Show) -> Proof | None:
    if not show.prove:
        return None
    from tracer.proof import Proof

    return Proof()


def _teacher(show: Show) -> Teacher | None:
    """JSON is for programs: it has no lesson."""
    if not show.explain or show.json:
        return None
    from tracer.engine.lesson import Teacher

    return Teacher()


def _items(events: Iterable[Event], show: Show, line: StatusLine | None) -> Iterable[Item]:
    """Exchanges with their stories, in the order in which they are to be shown."""
    from tracer.engine.stories import told
    from tracer.exchanges import assemble, in_order

    def assembled(events: Iterable[Event], live: bool) -> Iterable[Item]:
        return told(assemble(events, keep_pieces=show.verbosity >= 3, live=live, digests=show.json))

    if show.pace is not None:
        import time

        from tracer.views.pace import paced

        return paced(assembled(events, True), show.pace, time.sleep)
    items = metered(events, assembled, line, live=show.live)
    return items if show.live else in_order(items)


def _show_items(items: Iterable[Item], show: Show, screen: Screen) -> None:
    """As JSON or as a timeline."""
    if show.json:
        from tracer.views import json_lines

        for line in json_lines.render(items):
            screen.write_line(line)
        return
    if show.waterfall:
        from tracer.views import waterfall

        _show_all(waterfall.render(items, screen.symbols), screen, show)
        return
    from tracer.views.stories import by_story
    from tracer.views.timeline import Timeline

    live = show.live or show.pace is not None
    timeline = Timeline(show.verbosity, screen.symbols, live and not show.verbosity, show.language)
    _show_all(timeline.render(by_story(items) if show.stories else items), screen, show)


def _verdict(proof: Proof, show: Show, screen: Screen) -> bool:
    """Show the claims; whether none of them fails."""
    from tracer.views import verdict

    claims = proof.claims()
    if show.json:
        screen.write_line(verdict.as_line(claims, show.language))
    else:
        for piece in verdict.render(claims, screen.symbols, show.language):
            screen.show(piece)
    return all(claim.holds is not False for claim in claims)


def _show_all(pieces: Iterable[Block], screen: Screen, show: Show) -> None:
    if show.go_on is not None:
        from tracer.views.pace import stepped

        pieces = stepped(pieces, show.go_on)
    for piece in pieces:
        screen.show(piece)


def _watched(items: Iterable[Item], take: Callable[[Exchange], None]) -> Iterator[Item]:
    """The items, each exchange shown to a watcher."""
    from tracer.exchanges import Exchange

    for item in items:
        if isinstance(item, Exchange):
            take(item)
        yield item


def _filtered(items: Iterable[Item], keep: Callable[[Exchange], bool]) -> Iterator[Item]:
    from tracer.exchanges import Exchange, Growth

    for item in items:
        exchange = item.exchange if isinstance(item, Growth) else item
        if not isinstance(exchange, Exchange) or keep(exchange):
            yield item


def unwritable(error: OSError) -> str:
    """Why the timeline can't be written, in one sentence."""
    where = f" to {error.filename}" if error.filename else ""
    return f"the timeline can't be written{where}: {os.strerror(error.errno or 0)}"


def replayed(path: str, show: Show, complain: Callable[[str], None]) -> int:
    """Show a recording on stdout; 0, or 1 if it can't be read or is damaged."""
    from tracer.recording.files import RecordingError
    from tracer.recording.reader import read

    damages: list[str] = []
    try:
        output = open(show.output, "w", encoding="utf-8") if show.output else sys.stdout
        line = None if show.quiet or show.go_on or show.pace else line_on_stderr(apart=show.output is not None)
        prompt = show.live or show.pace is not None or show.go_on is not None or not os.path.isfile(path)
        proven = present(read(path, damages.append), show, output, at_once=True, prompt=prompt, line=line)
    except RecordingError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(unwritable(error))
        return FAILED
    for message in damages:
        complain(message)
    return 1 if damages else 0 if proven else UNPROVEN
