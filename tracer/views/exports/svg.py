"""The sequence diagram as a picture: SVG 1.1, for slides. Its colours suit light and dark backgrounds alike."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape

from tracer.engine.meaning import meaning_of
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded
from tracer.views.exports.sequence import answer, ends, question

WIDTH, MARGIN, TOP, ROW = 860, 120, 70, 64
CLIENT, DAEMON = MARGIN, WIDTH - MARGIN

STYLE = """
text { font: 13px ui-monospace, monospace; fill: #7a8290 }
.end { font-weight: bold; fill: #a05fc0 }
.asked { font-weight: bold; fill: #1f8fa8 }
.good { fill: #2e9e5b } .bad { fill: #d64545 }
line { stroke: #9aa3b0; stroke-width: 1.5 } .life { stroke-dasharray: 4 4 }
"""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The picture; where other processes talk, their names are said again."""
    rows = list(_rows(recorded.exchanges))
    height = TOP + ROW * len(rows) + 20
    title = escape(" ".join(recorded.header.argv))
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img" aria-label="{escape(title, {chr(34): "&quot;"})}">\n<title>{title}</title>\n'
        f"<style>{STYLE}</style>\n"
        '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path d="M0 0 L9 4 L0 8 z" fill="#9aa3b0"/></marker></defs>\n'
    ).encode()
    for x in (CLIENT, DAEMON):
        yield f'<line class="life" x1="{x}" y1="{TOP - 20}" x2="{x}" y2="{height - 10}"/>\n'.encode()
    for number, row in enumerate(rows):
        yield row(TOP + ROW * number).encode()
    yield b"</svg>\n"


class _Ends:
    """A row that says who talks."""

    def __init__(self, pair: tuple[str, str]) -> None:
        self._pair = pair

    def __call__(self, y: int) -> str:
        spots = zip((CLIENT, DAEMON), self._pair, strict=True)
        return "".join(_text(x, y - 30, "end", label, "middle") for x, label in spots)


class _Exchange:
    """A row with an arrow to the right and one back."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __call__(self, y: int) -> str:
        exchange = self._exchange
        style = "bad" if exchange.has_failed or exchange.response is None else "good"
        summary = escape(meaning_of(exchange).summary or "")
        return (
            f"<g><title>{summary}</title>\n"
            + _text(CLIENT - 12, y + 4, "", str(exchange.number), "end")
            + _text(CLIENT + 12, y - 6, "asked", question(exchange), "start")
            + _arrow(CLIENT, DAEMON, y)
            + _text(DAEMON - 12, y + 20, style, answer(exchange), "end")
            + _arrow(DAEMON, CLIENT, y + 26)
            + "</g>\n"
        )


def _rows(exchanges: list[Exchange]) -> Iterator[_Ends | _Exchange]:
    before = None
    for exchange in exchanges:
        pair = ends(exchange)
        if pair != before:
            before = pair
            yield _Ends(pair)
        yield _Exchange(exchange)


def _arrow(start: int, end: int, y: int) -> str:
    return f'<line x1="{start}" y1="{y}" x2="{end}" y2="{y}" marker-end="url(#tip)"/>\n'


def _text(x: int, y: int, style: str, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" class="{style}" text-anchor="{anchor}">{escape(text)}</text>\n'
