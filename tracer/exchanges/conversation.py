"""One connection: feeds its decoder and sorts what that says into exchanges."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from tracer.events import Credentials, Data, Direction, Failed, Shutdown, Tls
from tracer.exchanges import http2
from tracer.exchanges.pending import Pending, Side
from tracer.exchanges.types import Call, Exchange, Growth, Message, Party
from tracer.wire import registry_auth
from tracer.wire.bodies.pieces import OnEntry
from tracer.wire.connection import HttpConnection, Step, Upgraded
from tracer.wire.heads import Head
from tracer.wire.http1 import Body as BodyPiece
from tracer.wire.http1 import Broken, Complete, Opaque, Trailers
from tracer.wire.registry_auth import Login
from tracer.wire.streams import Http2, reader_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.wire.http2 import Call as Call2


class Conversation:
    """One connection: feeds the decoder and sorts what it says into exchanges."""

    def __init__(self, party: Party, *, keep_pieces: bool, keep_bodies: int, live: bool, digests: bool) -> None:
        self.party = party
        self._keep_pieces = keep_pieces
        self._keep_bodies = keep_bodies
        self._live = live
        self._digests = digests
        self._grown: list[Growth] = []
        self._called: list[Call2] = []
        """Calls over HTTP/2 that have ended and are no exchanges yet."""
        self._now = 0.0
        self._credentials: dict[int, list[Login]] = {}
        """What was said of the masked headers of a request, by the offset of its head."""
        self._wire = HttpConnection(midway=party.connect.midway)
        self._pending: deque[Pending] = deque()
        self._first_number = 0
        """Number, within this connection, of the oldest pending exchange."""
        self._offsets: dict[Direction, int] = {"out": 0, "in": 0}
        self._waiting: dict[Direction, deque[tuple[Data, int, int]]] = {"out": deque(), "in": deque()}
        """Syscalls with bytes that are not in an exchange yet: the event, its offset, and up to where it was shared."""
        self._last_failure: Failed | None = None
        self._ended_by_peer = False
        """A read told the client that nothing more comes."""
        self._sealed: Exchange | None = None
        """What stands for TLS records that can't be read: their number and size are all that is known."""
        self.closed = False

    def credentials(self, event: Credentials) -> None:
        """What a masked header of a request, whose head comes next, said."""
        login = Login(event.registry, event.user, event.kind)
        self._credentials.setdefault(event.at, []).append(login)

    def shutdown(self, event: Shutdown) -> None:
        """The client sends no more on a connection that may be a stream."""
        for pending in self._pending:
            if pending.stream is not None and "wr" in event.how:
                pending.stream.half_closed(event.t)

    def secured(self, event: Tls, numbers: Iterator[int]) -> None:
        """What is known of the TLS session around this connection's bytes."""
        self.party.tls = event
        if event.problem is not None and not self.party.exchanges:
            self.party.exchanges += 1
            failure = event.problem if event.alerts else f"TLS that can't be read: {event.problem}"
            self._sealed = Exchange(next(numbers), self.party, failure=failure)

    def data(self, event: Data, numbers: Iterator[int]) -> Sequence[Exchange | Growth]:
        """The bytes of one syscall: what has grown or ended with them."""
        self._now = event.t
        if self._sealed is not None:
            self._count(self._sealed, event)
            return ()
        self._ended_by_peer |= event.dir == "in" and not event.size
        start = self._offsets[event.dir]
        self._offsets[event.dir] = start + event.size
        steps = self._wire.take(event.dir, event.size, event.payload)
        touched = self._in_progress(event.dir)
        for step in steps:
            pending = self._step(step, event, numbers)
            if pending is not None and pending not in touched:
                touched.append(pending)
        self._waiting[event.dir].append((event, start, start))
        for direction, waiting in self._waiting.items():  # an answer may have been seen before its request
            if waiting:
                self._share_out(direction, touched)
        if self._grown or self._called or (self._pending and self._pending[0].is_over):
            return [*self._growth(), *self._http2_exchanges(numbers), *self._finished(event.t)]
        return ()

    def _http2_exchanges(self, numbers: Iterator[int]) -> Iterator[Exchange]:
        """Calls over HTTP/2 that are not gRPC's are exchanges of their own, within that of the connection."""
        called, self._called = self._called, []
        for call in called:
            self.party.exchanges += 1
            yield http2.exchange(next(numbers), self.party, call)

    def _count(self, sealed: Exchange, event: Data) -> None:
        timing = sealed.timing
        if event.dir == "out":
            timing.sent = event.t if timing.sent is None else timing.sent
        else:
            timing.first_byte = event.t if timing.first_byte is None else timing.first_byte
        timing.done = event.t
        piece = [event.payload] if self._keep_pieces else []
        call = Call(event.t, event.syscall, event.fd, event.tid, event.dir, event.size, pieces=piece)
        if self._keep_pieces or not _joined(sealed.calls, call):
            sealed.calls.append(call)

    def _share_out(self, direction: Direction, touched: list[Pending]) -> None:
        """Give syscalls to the exchanges that their bytes belong to. A piece of a head, or bytes that are held back
        until a change of protocol is decided, belong to an exchange only later."""
        waiting = self._waiting[direction]
        understood = self._wire.understood(direction)
        while waiting and waiting[0][2] <= understood:
            event, begin, shared = waiting[0]
            for pending in touched:
                self._carry(pending, event, begin, shared, understood)
            if understood < begin + event.size:
                waiting[0] = (event, begin, understood)
                return
            waiting.popleft()

    def _in_progress(self, direction: Direction) -> list[Pending]:
        """The exchange whose message of this direction has begun and not ended, if there is one."""
        for pending in self._pending:
            if direction in pending.start and direction not in pending.end:
                return [pending]
        return []

    def _step(self, step: Step, event: Data, numbers: Iterator[int]) -> Pending | None:
        pending = self._of(step, numbers, event)
        if pending is not None:
            _BY_KIND[type(step.event)](self, pending, step.direction, step.event, event)
        return pending

    def _of(self, step: Step, numbers: Iterator[int], event: Data) -> Pending | None:
        """The exchange that a step belongs to; made when its first request byte is seen."""
        kind = type(step.event)
        if kind in _OF_STREAMS and self._pending:
            return self._pending[-1] if kind is Opaque else self._pending[0]
        index = step.number - self._first_number
        if 0 <= index < len(self._pending):
            return self._pending[index]
        if step.direction == "in" and kind not in _BEGINNINGS:
            return None
        exchange = Exchange(next(numbers), self.party)
        exchange.timing.sent = event.t if step.direction == "out" else None
        self.party.exchanges += 1
        pending = Pending(exchange)
        pending.start = {}
        self._pending.append(pending)
        return pending

    def _head(self, pending: Pending, direction: Direction, head: Head, event: Data) -> None:
        pending.start.setdefault(direction, head.at)
        if direction == "out":
            pending.request = self._side(pending, direction, head)
            pending.exchange.logins = self._credentials.pop(head.at, []) or registry_auth.of_head(head)
            pending.exchange.timing.sent = self._began("out", event)
            self._tell(pending, direction, None)
            return
        if pending.exchange.timing.first_byte is None:
            pending.exchange.timing.first_byte = self._began("in", event)
        if 100 <= head.status < 200 and head.status != 101:
            pending.exchange.informational.append(head)
        else:
            pending.response = self._side(pending, direction, head)
            self._tell(pending, direction, None)

    def _side(self, pending: Pending, direction: Direction, head: Head) -> Side:
        return Side(head, self._on_entry(pending, direction), self._keep_bodies, digest=self._digests)

    def _on_entry(self, pending: Pending, direction: Direction) -> OnEntry | None:
        """For a live view: what to tell about an exchange that grows."""
        return partial(self._tell, pending, direction) if self._live else None

    def _tell(self, pending: Pending, direction: Direction, entry: Any) -> None:
        """A live view hears of a new head, or of an entry of a body or stream."""
        if not self._live:
            return
        exchange = pending.exchange
        if pending.request is not None and exchange.request is None:
            exchange.request = Message(pending.request.head, complete=False)
        if pending.response is not None and exchange.response is None:
            exchange.response = Message(pending.response.head, complete=False)
        self._grown.append(Growth(exchange, self._now, direction, entry))

    def _began(self, direction: Direction, event: Data) -> float:
        """When the first byte of a head that is complete now was seen."""
        waiting = self._waiting[direction]
        return waiting[0][0].t if waiting else event.t

    def _body(self, pending: Pending, direction: Direction, body: BodyPiece, event: Data) -> None:
        side = pending.side(direction)
        if side is not None:
            side.feed(body.data, event.t)

    def _trailers(self, pending: Pending, direction: Direction, trailers: Trailers, event: Data) -> None:
        side = pending.side(direction)
        if side is not None:
            side.trailers = trailers.headers

    def _complete(self, pending: Pending, direction: Direction, complete: Complete, event: Data) -> None:
        side = pending.side(direction)
        if side is None:
            return  # the end of a 1xx response
        side.complete = True
        pending.end[direction] = complete.end
        if direction == "in":
            pending.exchange.timing.done = event.t

    def _broken(self, pending: Pending, direction: Direction, broken: Broken, event: Data) -> None:
        pending.broken = pending.broken or broken.reason
        pending.start.setdefault(direction, broken.at)

    def _upgraded(self, pending: Pending, direction: Direction, upgraded: Upgraded, event: Data) -> None:
        pending.exchange.upgrade = upgraded.protocol
        media_type = pending.response.head.value("content-type") if pending.response else None
        pending.stream = reader_for(upgraded.protocol, media_type or "", self._on_entry(pending, "in"), upgraded.first)
        pending.end.clear()

    def _opaque(self, pending: Pending, direction: Direction, opaque: Opaque, event: Data) -> None:
        if pending.stream is None:
            return
        if direction == "out":
            pending.stream.sent(opaque.data, event.t)
        else:
            pending.stream.received(opaque.data, event.t)
        if isinstance(pending.stream, Http2):
            self._called += pending.stream.finished_calls()

    def _carry(self, pending: Pending, event: Data, start: int, shared: int, understood: int) -> None:
        """Note the syscall, with as many of its bytes between two offsets as belong to this exchange."""
        first = max(shared, pending.start.get(event.dir, start))
        last = min(start + event.size, understood, pending.end.get(event.dir, understood))
        size = max(0, last - first)
        if event.size and not size:
            return
        call = Call(event.t, event.syscall, event.fd, event.tid, event.dir, size)
        if self._keep_pieces:
            call.pieces.append(None if event.payload is None else event.payload[first - start : last - start])
        elif _joined(pending.exchange.calls, call):
            return
        pending.exchange.calls.append(call)

    def _growth(self) -> Iterator[Growth]:
        yield from self._grown
        self._grown.clear()

    def _finished(self, t: float) -> Iterator[Exchange | Growth]:
        while self._pending and self._pending[0].is_over:
            self._first_number += 1
            pending = self._pending.popleft()
            pending.exchange.timing.done = t
            exchange = pending.finish(None)
            yield from self._growth()
            yield exchange

    def failed(self, event: Failed) -> None:
        """A syscall on this connection failed."""
        self._last_failure = event

    @property
    def refused(self) -> str | None:
        """The error with which a non-blocking connect(2) ended, if it did: SO_ERROR told, and nothing was moved."""
        failed = self._last_failure
        moved = any(self._offsets.values())
        return failed.error if failed is not None and failed.syscall == "getsockopt" and not moved else None

    def hang_up(self, t: float, numbers: Iterator[int]) -> Iterator[Exchange | Growth]:
        """The client's descriptor is closed: by itself, or since the other side had closed the connection before."""
        who = "other side" if self._ended_by_peer else "client"
        return self.close(t, why=f"the {who} closed the connection", numbers=numbers)

    def close(self, t: float, *, why: str, numbers: Iterator[int]) -> Iterator[Exchange | Growth]:
        """Nothing more comes: what is pending ends as it is."""
        if self.closed:
            return
        self.closed = True
        if self._sealed is not None:
            yield self._sealed
            return
        if self._wire.unread_answer.startswith(b"HTTP/"):
            for pending in self._pending:
                pending.broken = pending.broken and f"{pending.broken}; the answer is plain HTTP"
        ending = Data(t=t, conn=self.party.number, pid=0, tid=0, fd=-1, syscall="", dir="in", size=0, payload=None)
        for step in self._wire.end_of_stream("in"):
            if not isinstance(step.event, Broken) or not self._pending:
                self._step(step, ending, numbers)
        if self._waiting["out"]:  # a head that was never finished is an exchange too
            for step in self._wire.end_of_stream("out"):
                self._step(step, ending, numbers)
        yield from self._finished(t)
        for pending in self._pending:
            if isinstance(pending.stream, Http2):
                self._called += pending.stream.unfinished_calls()
        yield from self._http2_exchanges(numbers)
        while self._pending:
            pending = self._pending.popleft()
            if pending.exchange.timing.done is None or pending.exchange.upgrade:
                pending.exchange.timing.done = t
            exchange = pending.finish(self._failure(pending, why))
            yield from self._growth()
            yield exchange

    def _failure(self, pending: Pending, why: str) -> str:
        tls = self.party.tls
        if tls is not None and (tls.problem or tls.alerts):
            alert = f"the {'client' if tls.alerts[-1].dir == 'out' else 'daemon'} sent" if tls.alerts else ""
            why = tls.problem or f"{alert} the TLS alert {tls.alerts[-1].name}"
        elif self._last_failure is not None:
            failed = self._last_failure
            why = f"{failed.syscall} failed with {failed.error}"
        if pending.response is not None:
            return f"the response was cut off after {pending.response.size:,} bytes of body: {why}"
        if pending.request is not None and not pending.request.complete:
            return f"the request was cut off after {pending.request.size:,} bytes of body: {why}"
        if self._waiting["in"]:
            return f"the response was cut off in its head: {why}"
        return f"there was no response: {why}"


_BY_KIND: dict[type, Callable[[Conversation, Pending, Direction, Any, Data], None]] = {
    Head: Conversation._head,
    BodyPiece: Conversation._body,
    Trailers: Conversation._trailers,
    Complete: Conversation._complete,
    Broken: Conversation._broken,
    Opaque: Conversation._opaque,
    Upgraded: Conversation._upgraded,
}
_OF_STREAMS = frozenset((Opaque, Upgraded))
_BEGINNINGS = frozenset((Head, Broken, Opaque))
"""With which an exchange may begin that no request is known of."""


def _joined(calls: list[Call], call: Call) -> bool:
    """Whether the call could be added to the run of like syscalls before it."""
    run = calls[-1] if calls else None
    if run is None or not run.size or not call.size:
        return False
    if (run.syscall, run.fd, run.dir) != (call.syscall, call.fd, call.dir):
        return False
    run.size += call.size
    run.count += 1
    return True
