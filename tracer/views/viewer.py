"""The interactive viewer: a list of exchanges, the chosen one in full, and a search. On textual.

It is given exchanges as they come, from a thread of their own: a recording that is being written grows on the screen.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import DataTable, Footer, Input, Label, Static
from textual.worker import get_current_worker

from tracer.engine.names import count, duration, shorten_ids
from tracer.exchanges import Exchange
from tracer.views import filters
from tracer.views.json_lines import to_object
from tracer.views.lines import painted
from tracer.views.style import METHOD, QUIET, status_style, visible
from tracer.views.timeline import Timeline

BATCH = 200
MOST_TARGET = 60


class Viewer(App[None]):
    """Shows the exchanges that `load` gives; `title` is the command that was recorded."""

    CSS = """
    #list { width: 1fr; min-width: 40; }
    #details { width: 1fr; border-left: solid $primary; padding: 0 1; }
    #search { dock: top; display: none; }
    #search.shown { display: block; }
    #title { dock: top; text-style: bold; padding: 0 1; }
    .narrow #main { layout: vertical; }
    .narrow #details { border-left: none; border-top: solid $primary; width: 100%; height: 3fr; }
    .narrow #list { width: 100%; height: 2fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "quit"),
        Binding("slash", "search", "search", key_display="/"),
        Binding("escape", "all", "all"),
        Binding("v", "more", "more or less detail"),
        Binding("j", "move(1)", "down", show=False),
        Binding("k", "move(-1)", "up", show=False),
        Binding("tab", "app.focus_next", "other side", show=False),
    ]

    def __init__(self, title: str, load: Callable[[], Iterable[Exchange]]) -> None:
        super().__init__()
        self.HORIZONTAL_BREAKPOINTS = [(0, "narrow"), (100, "wide")]
        self._command = title
        self._load = load
        self._verbosity = 2
        self._test: Callable[[Exchange], bool] = lambda exchange: True
        self.exchanges: list[Exchange] = []
        self.shown: list[Exchange] = []

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Label(f"$ {visible(self._command)}", id="title", markup=False)
        yield Input(placeholder="words, or an expression of --filter: status>=400, method=POST", id="search")
        with Horizontal(id="main"):
            yield DataTable(id="list", cursor_type="row", zebra_stripes=True)
            with VerticalScroll(id="details"):
                yield Static(id="exchange")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to load."""
        table = self._table
        for name in ("#", "status", "time", "method", "request"):
            table.add_column(name, key=name)
        table.focus()
        self.run_worker(self._read, thread=True)

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one("#list", DataTable)

    def _read(self) -> None:
        batch: list[Exchange] = []
        worker = get_current_worker()
        for exchange in self._load():
            if worker.is_cancelled:
                return
            batch.append(exchange)
            if len(batch) >= BATCH or len(self.exchanges) < BATCH:
                self.call_from_thread(self._add, batch)
                batch = []
        self.call_from_thread(self._add, batch)

    def _add(self, batch: list[Exchange]) -> None:
        """Exchanges come as they end; they are listed in the order of their requests."""
        if not self.query("#list"):
            return  # somebody quits while it loads
        last = self.exchanges[-1].number if self.exchanges else 0
        self.exchanges += batch
        numbers = [last, *(exchange.number for exchange in batch)]
        if numbers != sorted(numbers):
            self.exchanges.sort(key=lambda exchange: exchange.number)
            self._keep(self._test)
            return
        for exchange in batch:
            if self._test(exchange):
                self._show_row(exchange)
        self._tell()

    def _show_row(self, exchange: Exchange) -> None:
        self.shown.append(exchange)
        head = exchange.request.head if exchange.request else None
        response = exchange.response
        status = f"{response.head.status}" if response else "✗"
        target = shorten_ids(visible(head.target)) if head else exchange.party.connect.address
        total = exchange.timing.total
        self._table.add_row(
            Text(str(exchange.number), QUIET),
            Text(status, status_style(response.head.status if response else 599)),
            Text(duration(total) if total is not None else "", QUIET, justify="right"),
            Text(head.method if head else "connect", METHOD),
            Text(target[:MOST_TARGET]),
        )

    def _tell(self) -> None:
        whole = count(len(self.exchanges), "exchange")
        part = "" if len(self.shown) == len(self.exchanges) else f"{len(self.shown)} of "
        self.query_one("#title", Label).update(f"$ {visible(self._command)}   {part}{whole}")
        if not self.shown:
            self.query_one("#exchange", Static).update("Nothing fits." if self.exchanges else "")

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        """Show the exchange under the cursor."""
        if 0 <= event.cursor_row < len(self.shown):
            self._show(self.shown[event.cursor_row])

    def _show(self, exchange: Exchange) -> None:
        width = max(40, self.query_one("#details").size.width - 3)
        timeline = Timeline(verbosity=self._verbosity)
        text = "".join(painted(block, width, color=True) for block in timeline.render([exchange]))
        self.query_one("#exchange", Static).update(Text.from_ansi(text.strip("\n")))
        self.query_one("#details").scroll_home(animate=False)

    # What keys do

    def action_move(self, step: int) -> None:
        """The next exchange, or the one before."""
        table = self._table
        table.move_cursor(row=table.cursor_row + step)

    def action_more(self) -> None:
        """Headers, bodies, neither."""
        self._verbosity = (self._verbosity + 1) % 3
        row = self._table.cursor_row
        if 0 <= row < len(self.shown):
            self._show(self.shown[row])

    def action_search(self) -> None:
        """Ask for words or an expression."""
        search = self.query_one("#search", Input)
        search.add_class("shown")
        search.focus()

    def action_all(self) -> None:
        """No search: everything."""
        search = self.query_one("#search", Input)
        search.value = ""
        search.remove_class("shown")
        self._keep(lambda exchange: True)
        self._table.focus()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Show what fits."""
        try:
            self._keep(test(event.value))
        except filters.FilterError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        self._table.focus()

    def _keep(self, test: Callable[[Exchange], bool]) -> None:
        row = self._table.cursor_row
        chosen = self.shown[row].number if 0 <= row < len(self.shown) else 0
        self._test = test
        self.shown = []
        self._table.clear()
        for exchange in self.exchanges:
            if test(exchange):
                self._show_row(exchange)
        at = next((at for at, exchange in enumerate(self.shown) if exchange.number == chosen), 0)
        self._table.move_cursor(row=at)
        self._tell()


def test(text: str) -> Callable[[Exchange], bool]:
    """What fits a search: an expression of --filter where there is an operator in it, else all the words, anywhere.

    Raises FilterError for an expression that is none.
    """
    if any(sign in text for sign in "=<>~"):
        return filters.parse(text)
    words = text.lower().split()

    def has_words(exchange: Exchange) -> bool:
        told = json.dumps(to_object(exchange), ensure_ascii=False).lower()
        return all(word in told for word in words)

    return has_words
