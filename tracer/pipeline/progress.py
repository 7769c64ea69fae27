"""Progress on long work: counts what goes by, and has it drawn from time to time."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.status_line import StatusLine
    from tracer.events import Event
    from tracer.exchanges import Item

PATIENCE = 1.0
"""Seconds before anything is said."""

INTERVAL = 0.2
"""Seconds between two drawings."""


class Meter:
    """Watches events and items on their way to a view, and tells on `line` how far it is."""

    def __init__(self, line: StatusLine) -> None:
        from tracer.views.progress import Progress

        self._line = line
        self._progress = Progress()
        self._begun = time.monotonic()
        self._next = self._begun + PATIENCE

    def events(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events, their bytes counted."""
        from tracer.events import Data

        progress = self._progress
        for event in events:
            if isinstance(event, Data):
                if event.dir == "out":
                    progress.sent += event.size
                else:
                    progress.received += event.size
                now = time.monotonic()
                if now > self._next:
                    self._next = now + INTERVAL
                    self._line.draw(progress.row(now - self._begun, self._columns()))
            yield event

    def items(self, items: Iterable[Item], *, live: bool) -> Iterator[Item]:
        """The items, exchanges and entries counted; if they are shown `live`, the line makes room for them."""
        from tracer.events import Data
        from tracer.exchanges import Exchange, Growth

        progress = self._progress
        try:
            for item in items:
                if isinstance(item, Growth):
                    if item.exchange is not progress.current:
                        progress.current, progress.entries = item.exchange, 0
                    progress.entries += item.entry is not None
                    if not live:
                        continue
                elif isinstance(item, Exchange):
                    progress.exchanges += 1
                    progress.current = None
                if live and not isinstance(item, Data):
                    self._line.clear()
                yield item
        finally:  # also where it fails: the next sentence needs a row of its own
            self._line.clear()

    @staticmethod
    def _columns() -> int:
        try:
            return os.get_terminal_size(2).columns or 80
        except OSError:
            return 80


def metered(
    events: Iterable[Event],
    assembled: Callable[[Iterable[Event], bool], Iterable[Item]],
    line: StatusLine | None,
    *,
    live: bool,
) -> Iterable[Item]:
    """What `assembled` makes of the events (with their growth, if told so); `line`, if any, tells how far it is."""
    if line is None:
        return assembled(events, live)
    meter = Meter(line)
    return meter.items(assembled(meter.events(events), True), live=live)


def line_on_stderr(*, apart: bool = False) -> StatusLine | None:
    """A line if standard error is a terminal, and what people look at goes elsewhere: to a file (`apart`), a pipe."""
    return _line() if os.isatty(2) and (apart or not os.isatty(1)) else None


def line_beside(pid: int) -> StatusLine | None:
    """A line for a process that runs already: on a terminal of our own."""
    line = _line() if os.isatty(2) else None
    return None if line is None or any(line.is_on(pid, fd) for fd in range(3)) else line


def _line() -> StatusLine:
    from tracer.capture.status_line import StatusLine

    return StatusLine(2)
