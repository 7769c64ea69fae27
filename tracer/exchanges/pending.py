"""An exchange that is not over: its two messages as they are read."""

from __future__ import annotations

from tracer.events import Direction
from tracer.exchanges.types import Exchange, Message
from tracer.wire.bodies import BodyReader, no_body
from tracer.wire.bodies.pieces import OnEntry
from tracer.wire.heads import Head, Headers
from tracer.wire.streams import StreamReader


class Side:
    """One message being read."""

    def __init__(self, head: Head, on_entry: OnEntry | None, keep: int, *, digest: bool) -> None:
        self.head = head
        self.trailers: Headers = []
        self.complete = False
        self._on_entry = on_entry
        self._keep = keep
        self._digest = digest
        self._body: BodyReader | None = None
        """None until there are bytes of it: most messages have no body."""

    @property
    def size(self) -> int:
        """Bytes of body so far."""
        return self._body.size if self._body is not None else 0

    def feed(self, data: bytes, t: float) -> None:
        """The next piece of the body, seen at time `t`."""
        if self._body is None:
            self._body = BodyReader(*self._kind, self._on_entry, self._keep, digest=self._digest)
        self._body.feed(data, t)

    @property
    def _kind(self) -> tuple[str, str]:
        return self.head.value("content-type") or "", self.head.value("content-encoding") or ""

    def message(self) -> Message:
        """What has come of it."""
        body = self._body.finish() if self._body is not None else no_body(*self._kind)
        return Message(self.head, body, self.trailers, self.complete)


class Pending:
    """An exchange that is not over."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.request: Side | None = None
        self.response: Side | None = None
        self.stream: StreamReader | None = None
        self.broken: str | None = None
        self.start: dict[Direction, int] = {"out": 0}
        """Where its bytes begin in each direction's stream."""
        self.end: dict[Direction, int] = {}

    def side(self, direction: Direction) -> Side | None:
        """The message that goes this way, once its head is known."""
        return self.request if direction == "out" else self.response

    @property
    def is_over(self) -> bool:
        """Both messages are complete. A stream, and what can't be read, end with their connection."""
        if self.exchange.upgrade or self.broken:
            return False
        answered = self.response is not None and self.response.complete
        return answered and self.request is not None and self.request.complete

    def finish(self, failure: str | None) -> Exchange:
        """What has come of it; `failure` tells why there is no whole answer, where there is none."""
        exchange = self.exchange
        exchange.request = self.request.message() if self.request else None
        exchange.response = self.response.message() if self.response else None
        exchange.stream = self.stream.finish() if self.stream else None
        timing = exchange.timing
        if timing.sent is not None and timing.first_byte is not None:
            # the exit of a write can be seen after that of the read, in another thread, which got the answer to it
            timing.sent = min(timing.sent, timing.first_byte)
        answered = exchange.response is not None and exchange.response.complete
        exchange.failure = self.broken or (None if answered or exchange.upgrade else failure)
        return exchange
