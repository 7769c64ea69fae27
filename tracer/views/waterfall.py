"""The waterfall: one line an exchange, with a bar for when it was asked, waited for and received.

The scale is the whole run, so nothing can be shown before its end is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracer.engine.names import count, duration, shorten_ids
from tracer.events import End
from tracer.exchanges import Exchange, Item
from tracer.views.lines import BLANK, Block, Indented, Line, cells, plain, shortened, styled
from tracer.views.style import METHOD, QUIET, TARGET, UNICODE, WRONG, Symbols, status_style, visible

WIDEST = 160
TIME = 8
STATUS = 4
LEAST_BAR = 16


class _Signs(Struct, frozen=True):
    """What a bar is made of: waiting for the first byte, receiving, nothing."""

    wait: str
    take: str
    edge: str


BLOCKS = _Signs("░", "█", "│")
ASCII = _Signs(".", "#", "|")


class Row:
    """One exchange of a run of `length` seconds."""

    def __init__(self, exchange: Exchange, length: float, symbols: Symbols) -> None:
        self._exchange = exchange
        self._length = length
        self._symbols = symbols
        self._signs = BLOCKS if symbols is UNICODE else ASCII

    def rows(self, width: int) -> Iterable[Line]:
        """Number, request, status, bar, time; the bar has two fifths of the width."""
        width = min(width, WIDEST)
        bar = max(LEAST_BAR, width * 2 // 5)
        room = max(12, width - bar - TIME - STATUS - 9)
        left = shortened(self._request(), room, self._symbols.ellipsis)
        gap = " " * (room - cells(plain(left)))
        number = f"{self._exchange.number:>4} "
        total = self._exchange.timing.total
        time = f"{duration(total) if total is not None else '':>{TIME}}"
        return (((number, QUIET), *left, (f"{gap} ", ""), self._status(), *self._bar(bar), (time, QUIET)),)

    def _request(self) -> Line:
        if self._exchange.request is None:
            return styled(("connect", METHOD), " ", (visible(self._exchange.party.connect.address), TARGET))
        head = self._exchange.request.head
        return styled((head.method, METHOD), " ", (self._symbols.fit(shorten_ids(visible(head.target))), TARGET))

    def _status(self) -> tuple[str, str]:
        response = self._exchange.response
        if response is None:
            return f"{self._symbols.cross:<{STATUS}}", WRONG
        return f"{response.head.status:<{STATUS}}", status_style(response.head.status)

    def _bar(self, size: int) -> Line:
        timing = self._exchange.timing
        edge = self._signs.edge, QUIET
        if timing.sent is None or timing.done is None:
            return edge, (" " * size, ""), edge
        first = timing.first_byte if timing.first_byte is not None else timing.done

        def cell(t: float) -> int:
            return min(size, max(0, round(size * t / self._length)))

        start = min(size - 1, cell(timing.sent))
        wait = max(0, cell(first) - start)
        take = max(0 if wait else 1, cell(timing.done) - start - wait)
        style = WRONG if self._exchange.has_failed else "cyan"
        rest = size - start - wait - take
        bar = styled((self._signs.wait * wait, style), (self._signs.take * take, style))
        return edge, (" " * start, ""), *bar, (" " * rest, ""), edge


def render(items: Iterable[Item], symbols: Symbols) -> Iterator[Block]:
    """The whole run, once it is over."""
    exchanges: list[Exchange] = []
    length = 0.0
    for item in items:
        if isinstance(item, Exchange):
            exchanges.append(item)
            length = max(length, item.timing.done or 0.0)
        elif isinstance(item, End):
            length = max(length, item.t)
    yield BLANK
    for exchange in exchanges:
        yield Row(exchange, length or 1e-6, symbols)
    signs = BLOCKS if symbols is UNICODE else ASCII
    legend = f"{signs.wait} waiting {symbols.dot} {signs.take} receiving"
    yield Indented(
        styled((f"{count(len(exchanges), 'exchange')} in {duration(length)} {symbols.dot} {legend}", QUIET)), 1
    )
