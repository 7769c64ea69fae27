"""The annotated timeline: who talked to whom, then each exchange with what it means.

A generator from items to blocks: it knows neither the output nor its width, and prints nothing.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from tracer.engine import generic, grpc, tls
from tracer.engine.diagnosis import in_words
from tracer.engine.meaning import Meaning, meaning_of
from tracer.engine.names import count, duration, shorten_ids, size
from tracer.engine.progress import GROWING, entry_in_words
from tracer.events import Connect, End, Header, Note, Peer
from tracer.exchanges import Call, Exchange, Growth, Item, Party
from tracer.views import details
from tracer.views.lines import BLANK, Block, Group, Indented, Line, Spread, joined, styled
from tracer.views.stories import Chapter
from tracer.views.style import (
    METHOD,
    PARTY,
    QUIET,
    TARGET,
    UNICODE,
    WARN,
    WORDS,
    WRONG,
    Symbols,
    status_style,
    visible,
)
from tracer.words import Said, say

INDENT = 5
MOST_CALLS = 6


class _Introduced:
    """Which connections were shown; remembers the last ones only, since a poller may make them for months."""

    KEPT = 1000

    def __init__(self) -> None:
        self.made = 0
        self.refused = 0
        self._numbers: dict[int, None] = {}
        self._ends: dict[tuple[object, ...], None] = {}

    def is_new(self, party: Party) -> bool:
        """Whether this connection was not shown before; it counts as shown from now on."""
        if party.number in self._numbers:
            return False
        _remember(self._numbers, party.number, self.KEPT)
        if party.connect.error is None:
            self.made += 1
        else:
            self.refused += 1
        return True

    def has_same_ends(self, party: Party) -> bool:
        """Whether the same two processes were shown before; they count as shown from now on."""
        connect = party.connect
        ends = connect.pid, connect.address, connect.peer and connect.peer.pid, connect.error
        known = ends in self._ends
        _remember(self._ends, ends, self.KEPT)
        return known


class _Growing:
    """Which exchanges are being shown as they grow, and the last status of each layer in them."""

    def __init__(self) -> None:
        self._last: dict[int, dict[str, str]] = {}

    def begins(self, exchange: Exchange) -> bool:
        """Whether nothing of it was shown yet."""
        if exchange.number in self._last:
            return False
        self._last[exchange.number] = {}
        return True

    def is_news(self, exchange: Exchange, entry: Any) -> bool:
        """Not for a progress line that says the same of its layer as the one before."""
        if not isinstance(entry, dict) or "status" not in entry or not isinstance(entry.get("id"), str):
            return True
        last = self._last.get(exchange.number, {})
        before, status = last.get(entry["id"]), str(entry["status"])
        last[entry["id"]] = status
        return before != status

    def over(self, exchange: Exchange) -> None:
        """The exchange is shown as a whole now."""
        self._last.pop(exchange.number, None)


def _remember(kept: dict[Any, None], key: object, most: int) -> None:
    kept[key] = None
    if len(kept) > most:
        del kept[next(iter(kept))]


class Timeline(Struct):
    """How to show: `verbosity` 0 to 3 (headers, bodies, every syscall); `compact` is one line an exchange."""

    verbosity: int = 0
    symbols: Symbols = UNICODE
    compact: bool = False
    language: str = "en"

    def render(self, items: Iterable[Item | Chapter]) -> Iterator[Block]:
        """The timeline of a run, piece by piece."""
        introduced = _Introduced()
        growing = _Growing()
        advised: set[str] = set()
        shown = 0
        for item in items:
            if isinstance(item, Header):
                yield from self._title(item)
            elif isinstance(item, Note):
                yield Indented(styled((f"{self.symbols.note} {visible(item.message)}", WARN)), 1, 2)
            elif isinstance(item, Exchange):
                shown += 1
                growing.over(item)
                if introduced.is_new(item.party):
                    yield from self._introduce(item.party, introduced)
                pieces = self._one_line(item) if self.compact else self._exchange(item, advised)
                yield Group(pieces)  # printed in one go
            elif isinstance(item, Growth):
                yield from self._growth(item, introduced, growing)
            elif isinstance(item, Chapter):
                yield from self._chapter(item)
            elif isinstance(item, End):
                yield from self._summary(item, shown, introduced)

    def _title(self, header: Header) -> Iterator[Block]:
        yield BLANK
        command = visible(" ".join(_quoted(word) for word in header.argv))
        yield Indented(styled(("socktrace ", QUIET), (command or "?", "bold")), 1, 10)

    # Connections

    def _introduce(self, party: Party, introduced: _Introduced) -> Iterator[Block]:
        connect = party.connect
        again = introduced.has_same_ends(party)
        if again and (self.compact or connect.error is not None):
            return
        yield BLANK
        if again:
            words = f"connection {party.number}: {self._connect_call(connect)}, same two processes"
            yield Indented(styled((words, QUIET)), 1, 4)
            return
        parts: Line = (
            (f"{visible(party.program)}", PARTY),
            (f" pid {connect.pid}", QUIET),
            (f" {self.symbols.arrow} ", ""),
            (visible(connect.address), TARGET),
        )
        if connect.error is None:
            parts = (*parts, (f" {self.symbols.arrow} ", ""), *_peer(connect.peer, connect))
        yield Indented(parts, 1, 4)
        yield Indented(styled((f"connection {party.number}: {self._connect_call(connect)}", QUIET)), 1, 4)
        if party.tls is not None:
            opened = "" if party.tls.problem else "; opened with the client's own secrets"
            yield Indented(styled((f"{visible(tls.in_words(party.tls))}{opened}", QUIET)), 1, 4)

    def _connect_call(self, connect: Connect) -> str:
        thread = "" if connect.tid == connect.pid else f" in thread {connect.tid}"
        if connect.family == "pipe":
            return f"pipes to a helper, fd {connect.fd}"
        return f"connect on fd {connect.fd}{thread}"

    # Exchanges

    def _exchange(self, exchange: Exchange, advised: set[str]) -> Iterator[Block]:
        meaning = meaning_of(exchange)
        yield BLANK
        yield Spread(self._request_lines(exchange), self._status(exchange), self.symbols.ellipsis)
        yield from self._annotation(exchange, meaning)
        if meaning.agreed:
            yield Indented(styled((meaning.agreed, WORDS)), INDENT)
        for label, text in (("sent", meaning.asked), ("received", meaning.answered)):
            if text:
                yield self._said(label, text, exchange)
        yield from self._grpc_calls(exchange)
        if exchange.failure:
            yield from self._failure(exchange)
        if meaning.advice and "message" not in meaning.advice.values:  # else docker's message says it all
            yield from self._advice(meaning.advice, advised)
        if self.verbosity >= 1:
            yield from details.headers(exchange, meaning, INDENT, bodies=self.verbosity >= 2)
        if self.verbosity >= 3:
            yield from details.syscalls(exchange, INDENT)
        else:
            yield from self._calls(exchange, meaning)

    def _one_line(self, exchange: Exchange) -> Iterator[Block]:
        """For long-running clients: the request, what was answered, the status and the time."""
        meaning = meaning_of(exchange)
        told = exchange.failure or meaning.answered
        lines = self._request_lines(exchange)
        if told:
            said = (
                f"  {self.symbols.received} {self.symbols.fit(visible(told))}",
                WRONG if exchange.failure else QUIET,
            )
            lines = [*((*line, said) for line in lines), *lines]
        yield Spread(lines, self._status(exchange), self.symbols.ellipsis)

    def _request_lines(self, exchange: Exchange) -> list[Line]:
        """The request line, and for narrow terminals the same without its query."""
        number = f"{exchange.number:>3}  ", QUIET
        if exchange.request is None:
            unread = "TLS" if exchange.party.tls else "bytes"
            what = "connect" if exchange.party.connect.error else exchange.upgrade or unread
            return [styled(number, (what, METHOD), " ", (visible(exchange.party.connect.address), TARGET))]
        head = exchange.request.head
        target = visible(head.target) if self.verbosity else self.symbols.fit(shorten_ids(visible(head.target)))
        path, mark, _ = target.partition("?")
        forms = [target, path + mark + self.symbols.ellipsis] if mark else [target]
        return [styled(number, (head.method, METHOD), " ", (form, TARGET)) for form in forms]

    def _status(self, exchange: Exchange) -> Line:
        parts: list[Line] = []
        if exchange.response is not None:
            head = exchange.response.head
            parts.append(styled((visible(f"{head.status} {head.reason}".strip()), status_style(head.status))))
        elif exchange.failure:
            error = exchange.party.connect.error
            parts.append(styled((error or "no response", WRONG)))
        total = exchange.timing.total
        if total is not None and exchange.request is not None:
            parts.append(styled((f"{duration(total):>7}", QUIET)))
        return joined(parts, "  ")

    def _annotation(self, exchange: Exchange, meaning: Meaning) -> Iterator[Block]:
        if meaning.sentence:
            yield Indented(styled((meaning.sentence, WORDS)), INDENT)
        elif meaning.api:
            said = generic.sentence(exchange)
            yield from [Indented(styled((said, WORDS)), INDENT)] if said else []

    def _said(self, direction: str, text: str, exchange: Exchange) -> Block:
        symbol = self.symbols.sent if direction == "sent" else self.symbols.received
        wrong = direction == "received" and exchange.response is not None and exchange.response.head.status >= 400
        return Indented(styled(f"{symbol} ", (self.symbols.fit(visible(text)), WRONG if wrong else "bold")), INDENT, 2)

    def _grpc_calls(self, exchange: Exchange) -> Iterator[Block]:
        if exchange.stream is None:
            return
        calls, all_calls = exchange.stream.calls, exchange.stream.count
        most = len(calls) if self.verbosity else MOST_CALLS
        for call in calls[:most]:
            text = f"{self.symbols.dot} {visible(grpc.in_words(call))}"
            yield Indented(styled(self.symbols.fit(text)), INDENT, 2)
        if all_calls > most:
            hint = "" if self.verbosity else ": -v shows them"
            yield Indented(styled((f"{self.symbols.dot} {all_calls - most} more calls{hint}", QUIET)), INDENT)

    def _failure(self, exchange: Exchange) -> Iterator[Block]:
        error = exchange.party.connect.error
        text = f"{in_words(error)} ({error})" if error else exchange.failure or ""
        yield Indented(styled((f"{self.symbols.cross} {visible(text)}", WRONG)), INDENT, 2)

    def _advice(self, advice: Said, advised: set[str]) -> Iterator[Block]:
        """What to do about a failure, once for each."""
        text = say(self.language, advice.key, **advice.values)
        if text not in advised:
            advised.add(text)
            yield Indented(styled(self.symbols.fit(visible(text))), INDENT + 2)

    def _calls(self, exchange: Exchange, meaning: Meaning) -> Iterator[Block]:
        calls = exchange.calls
        if not calls:
            return
        shown = calls if len(calls) <= MOST_CALLS else [*calls[: MOST_CALLS - 1], calls[-1]]
        parts = [_call(call) for call in shown]
        if len(shown) < len(calls):
            parts.insert(-1, f"{self.symbols.ellipsis} {len(calls) - len(shown)} more {self.symbols.ellipsis}")
        wait = exchange.timing.wait
        if wait is not None:
            parts.append(f"first byte after {duration(wait)}")
        parts = [*(visible(text) for text in meaning.context), *parts]
        yield Indented(styled((self.symbols.fit(f" {self.symbols.dot} ".join(parts)), QUIET)), INDENT)

    # What is still going on

    def _growth(self, growth: Growth, introduced: _Introduced, growing: _Growing) -> Iterator[Block]:
        """A line for each entry of an answer that grows; the first comes with the request's own line."""
        exchange = growth.exchange
        operation = meaning_of(exchange).operation
        if operation is not None and operation.id not in GROWING:
            return
        words = entry_in_words(growth.entry)
        if words is None or not growing.is_news(exchange, growth.entry):
            return
        if growing.begins(exchange):
            if introduced.is_new(exchange.party):
                yield from self._introduce(exchange.party, introduced)
            yield Spread(self._request_lines(exchange), self._status(exchange), self.symbols.ellipsis)
        symbol = self.symbols.sent if growth.is_input else self.symbols.received
        number = f"{exchange.number:>3}  ", QUIET
        for line in visible(words).splitlines():
            yield Indented(styled(number, (f"{symbol} ", QUIET), self.symbols.fit(line)), 0, 7)

    def _chapter(self, chapter: Chapter) -> Iterator[Block]:
        yield BLANK
        yield Indented(styled((visible(chapter.title), "bold underline")), 1)

    # The end

    def _summary(self, end: End, exchanges: int, introduced: _Introduced) -> Iterator[Block]:
        yield BLANK
        if end.signal is not None:
            ended = f"killed by {_signal_name(end.signal)}"
        else:
            ended = f"exit status {end.exit_code}" if end.exit_code is not None else "left running"
        refused = introduced.refused
        parts = [
            f"{count(exchanges - refused, 'exchange')} on {count(introduced.made, 'connection')}",
            *([count(refused, "failed connect")] if refused else []),
            f"{size(end.bytes_out)} sent, {size(end.bytes_in)} received",
            f"{ended} after {duration(end.t)}",
        ]
        if end.lost:
            parts.append(f"{end.lost:,} bytes could not be read")
        yield Indented(styled((f" {self.symbols.dot} ".join(parts), "bold")), 1)


def _quoted(word: str) -> str:
    import shlex

    return shlex.quote(word)


def _peer(peer: Peer | None, connect: Connect) -> Line:
    if peer is None:
        return styled(("unknown process" if connect.family == "unix" else "the daemon", QUIET))
    name = peer.comm or (peer.exe or "").rsplit("/", 1)[-1] or "process"
    if peer.how == "helper":
        return styled(("carried by ", QUIET), (visible(name), PARTY), (f" pid {peer.pid}", QUIET))
    user = "root" if peer.uid == 0 else f"uid {peer.uid}" if peer.uid is not None else ""
    if peer.pid == 0:  # it has no id in our pid namespace, pid_namespaces(7)
        return styled(("a process outside this container", PARTY), (f" {user}", QUIET))
    facts = ", ".join(part for part in (f"pid {peer.pid}", user) if part)
    return styled((visible(name), PARTY), (f" {facts}", QUIET))


def _call(call: Call) -> str:
    if call.size == 0:
        return f"{call.syscall} fd {call.fd} end of stream"
    times = f" ×{call.count:,}" if call.count > 1 else ""
    return f"{call.syscall} fd {call.fd}{times} {size(call.size)}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
