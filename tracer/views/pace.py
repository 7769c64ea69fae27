"""A recording at its own speed, or a piece at a time: small generators between the items and the screen."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from tracer.exchanges import Exchange, Growth, Item
from tracer.views.lines import BLANK, Block

LONGEST = 2.0
"""Seconds: a longer pause of the run is shortened to this."""


def paced(items: Iterable[Item], speed: float, sleep: Callable[[float], None]) -> Iterator[Item]:
    """The items with the pauses that were between them, divided by `speed`."""
    now: float | None = None
    for item in items:
        t = _time(item)
        if t is not None:
            if now is not None and t > now:
                sleep(min(t - now, LONGEST) / speed)
            now = t if now is None else max(now, t)
        yield item


def _time(item: Item) -> float | None:
    if isinstance(item, Exchange):
        return item.timing.done
    if isinstance(item, Growth):
        return item.t
    found: float | None = getattr(item, "t", None)
    return found


def stepped(pieces: Iterable[Block], go_on: Callable[[], bool]) -> Iterator[Block]:
    """The pieces, with a question after each that is not empty; the answer no ends it."""
    for piece in pieces:
        yield piece
        if piece is not BLANK and not go_on():
            return
