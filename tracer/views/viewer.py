"""The interactive viewer: a list of exchanges, the chosen one in full, and a search. On textual.

It is given exchanges as they come, from a thread of their own: a recording that is being written grows on the screen.
The command that is recorded may have a pane above them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from itertools import pairwise
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
from tracer.views.pane import Pane
from tracer.views.style import METHOD, QUIET, status_style, visible
from tracer.views.timeline import Timeline

BATCH = 200
MOST_TARGET = 60
COLUMNS = {"#": None, "status": 6, "time": 7, "method": 7, "request": None}
"""Their widths; None for as wide as it needs to be."""


class Viewer(App[None], inherit_bindings=False):
    """Shows the exchanges that `load` gives; `title` is the command that was recorded, which runs in `pane`, if any.

    textual's own keys are left out: Ctrl-P and Ctrl-Q are how docker detaches.
    """

    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #pane { height: 2fr; min-height: 5; border: solid $primary; }
    #pane:focus { border: solid $accent; }
    #main { height: 3fr; }
    #list { width: 1fr; min-width: 40; }
    #details { width: 1fr; border-left: solid $primary; padding: 0 1; scrollbar-gutter: stable; }
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
        Binding("f6", "command", "to the command"),
    ]

    def __init__(self, title: str, load: Callable[[], Iterable[Exchange]], pane: Pane | None = None) -> None:
        super().__init__()
        self._pane = pane
        self._warned = False
        self.HORIZONTAL_BREAKPOINTS = [(0, "narrow"), (100, "wide")]
        self._command = title
        self._load = load
        self._verbosity = 2
        self._test: Callable[[Exchange], bool] = lambda exchange: True
        self.exchanges: list[Exchange] = []
        self.shown: list[Exchange] = []
        self._at: dict[int, int] = {}
        """Where an exchange is in `exchanges`, by its number; `_shown_at` says so for `shown`."""
        self._shown_at: dict[int, int] = {}

    def compose(self) -> ComposeResult:
        """The parts of the screen."""
        yield Label(f"$ {visible(self._command)}", id="title", markup=False)
        yield Input(placeholder="words, or an expression of --filter: status>=400, method=POST", id="search")
        if self._pane is not None:
            yield self._pane
        with Horizontal(id="main"):
            yield DataTable(id="list", cursor_type="row", zebra_stripes=True)
            with VerticalScroll(id="details"):
                yield Static(id="exchange")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to load."""
        table = self._table
        for name, width in COLUMNS.items():
            table.add_column(name, key=name, width=width)
        (self._pane or table).focus()
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
        """Exchanges come when they begin, when they are answered, and when they end; each has one row."""
        if not all(self.query(part) for part in ("#list", "#title", "#exchange")):
            return  # somebody quits while it loads
        for exchange in batch:
            if exchange.number in self._at:
                self.exchanges[self._at[exchange.number]] = exchange
            else:
                self._at[exchange.number] = len(self.exchanges)
                self.exchanges.append(exchange)
            if not self._test(exchange):
                continue
            if exchange.number in self._shown_at:
                self._change_row(exchange)
            else:
                self._show_row(exchange)
        if any(before.number > after.number for before, after in pairwise(self.shown[-len(batch) - 1 :])):
            self.exchanges.sort(key=lambda exchange: exchange.number)
            self._at = {exchange.number: at for at, exchange in enumerate(self.exchanges)}
            self._keep(self._test)
        self._tell()

    def _show_row(self, exchange: Exchange) -> None:
        self._shown_at[exchange.number] = len(self.shown)
        self.shown.append(exchange)
        self._table.add_row(*_cells(exchange), key=str(exchange.number))

    def _change_row(self, exchange: Exchange) -> None:
        at = self._shown_at[exchange.number]
        self.shown[at] = exchange
        for column, cell in zip(COLUMNS, _cells(exchange), strict=True):
            self._table.update_cell(str(exchange.number), column, cell, update_width=COLUMNS[column] is None)
        if self._table.cursor_row == at:
            self._show(exchange)

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
        width = max(40, self.query_one("#details").scrollable_content_region.width)
        timeline = Timeline(verbosity=self._verbosity)
        text = "".join(painted(block, width, color=True) for block in timeline.render([exchange]))
        self.query_one("#exchange", Static).update(Text.from_ansi(text.strip("\n")))
        self.query_one("#details").scroll_home(animate=False)

    def warn(self, message: str) -> None:
        """Show a sentence about the recording, from any thread."""
        self.call_from_thread(self.notify, message, severity="warning", timeout=20, markup=False)

    def on_pane_ended(self, event: Pane.Ended) -> None:
        """The command is done: what it said is what matters now."""
        if event.pane.has_focus:
            self._table.focus()

    # What keys do

    async def action_quit(self) -> None:
        """Leave; a command that still runs is told first to whom it matters."""
        if self._pane is not None and not self._pane.ended and not self._warned:
            self._warned = True
            self.notify("The command still runs: q once more hangs up.", severity="warning")
            return
        self.exit()

    def action_command(self) -> None:
        """The keys are the command's."""
        if self._pane is not None:
            self._pane.focus()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Without a pane there is no way to it."""
        return action != "command" or self._pane is not None

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
        self._shown_at = {}
        self._table.clear()
        for exchange in self.exchanges:
            if test(exchange):
                self._show_row(exchange)
        at = next((at for at, exchange in enumerate(self.shown) if exchange.number == chosen), 0)
        self._table.move_cursor(row=at)
        self._tell()


def _cells(exchange: Exchange) -> list[Text]:
    """A row: one cell for each of COLUMNS."""
    head = exchange.request.head if exchange.request else None
    response = exchange.response
    goes_on = response is None and not exchange.failure
    status = f"{response.head.status}" if response else "…" if goes_on else "✗"
    style = QUIET if goes_on else status_style(response.head.status if response else 599)
    target = shorten_ids(visible(head.target)) if head else exchange.party.connect.address
    total = exchange.timing.total
    return [
        Text(str(exchange.number), QUIET),
        Text(status, style),
        Text(duration(total) if total is not None else "", QUIET, justify="right"),
        Text(head.method if head else "connect", METHOD),
        Text(target[:MOST_TARGET]),
    ]


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
