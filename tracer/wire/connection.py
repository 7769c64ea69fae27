"""Both directions of one HTTP/1.1 connection: which response answers which request, and where HTTP ends.

What kind of body a response has depends on its request, so the response side waits until that request's head is
there. A change of protocol is announced by a request (`Upgrade`) and decided by its response (101, a CONNECT's 2xx,
or the 200 with a raw stream that old Docker daemons send: the `tcp` hijack); until then the bytes behind such a
request are held back.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracer.events import Direction
from tracer.wire.heads import NO_BODY, Head, request_framing, response_framing
from tracer.wire.http1 import MAX_HEAD, PREFACE, Broken, Complete, Reader, WireEvent

SKIP_STEP = 1 << 16

RAW_STREAMS = ("application/vnd.docker.raw-stream", "application/vnd.docker.multiplexed-stream")


class Upgraded(Struct, frozen=True):
    """From here on the connection carries `protocol` (`tcp`, `h2c`, `websocket` ...) in both directions."""

    protocol: str
    first: Head | None = None
    """The request that asked for it, where that is stream 1 of HTTP/2 (RFC 7540 section 3.2): it had HTTP2-Settings."""


class Step(Struct, frozen=True):
    """One event of one direction; `number` counts the messages of that direction from 0."""

    direction: Direction
    number: int
    event: WireEvent | Upgraded


class _Asked(Struct):
    """What a response needs to know of its request."""

    method: str
    upgrade: str | None
    first: Head | None = None
    """Itself, where it becomes stream 1 of HTTP/2."""


class HttpConnection:
    """Feed it the bytes of both directions as they were seen; it yields what they mean."""

    def __init__(self, *, midway: bool = False) -> None:
        self._synced = not midway
        """Bytes make sense: a connection that was open before is read from the first write that begins a request."""
        self.upgraded: str | None = None
        self._requests = Reader("request")
        self._responses = Reader("response")
        self._asked: deque[_Asked] = deque()
        self._sent = 0
        self._heads = 0
        self._answered = 0
        self._answering = False
        """A final response's head was read and its end was not."""

    def feed(self, direction: Direction, data: bytes) -> list[Step]:
        """Bytes of one direction. The other direction may go on as a consequence."""
        reader = self._requests if direction == "out" else self._responses
        if not self._synced:
            if direction == "in" or not _REQUEST_START.match(data):
                reader.offset += len(data)
                return []
            self._synced = True
        piece = reader.within(data)
        if piece is not None:
            return [Step(direction, self._sent if direction == "out" else self._answered, piece)]
        reader.feed(data)
        return self._advance(direction)

    def passes(self, direction: Direction, data: bytes) -> bool:
        """Take bytes that are nothing but a piece of a body, for one whom bodies do not concern; False, and nothing is
        taken, if there may be more to them."""
        return (self._requests if direction == "out" else self._responses).within(data) is not None

    def take(self, direction: Direction, size: int, data: bytes | None) -> Iterable[Step]:
        """What one syscall moved: `size` bytes, known or (None) only counted; 0 bytes are the end of the stream."""
        if size == 0:
            return self.end_of_stream(direction)
        return self.skip(direction, size) if data is None else self.feed(direction, data)

    def skip(self, direction: Direction, size: int) -> Iterator[Step]:
        """Bytes that are known by their number only: zeros stand in for them, a piece at a time."""
        while size > 0:
            yield from self.feed(direction, bytes(min(size, SKIP_STEP)))
            size -= SKIP_STEP

    def end_of_stream(self, direction: Direction) -> list[Step]:
        """One side sends no more."""
        reader = self._requests if direction == "out" else self._responses
        steps = []
        event = (self._unasked() if direction == "in" else None) or reader.end_of_stream()
        if event is not None:
            steps.append(Step(direction, self._sent if direction == "out" else self._answered, event))
            if direction == "in" and isinstance(event, Complete):
                self._answered_one()
        return steps + self._advance(direction)

    def _unasked(self) -> Broken | None:
        """Bytes of the daemon that answer nothing (a 408 before a close, say: RFC 9110 section 15.5.9)."""
        pending = len(self._responses.pending)
        if self._asked or self._answering or self._responses.is_opaque or not pending:
            return None
        self._responses.become_opaque()
        return Broken(self._responses.offset, f"the daemon sent {pending:,} bytes that no request asked for")

    @property
    def unread_answer(self) -> bytes:
        """The first bytes of an answer whose head is not complete: five are all that a TLS client reads of HTTP."""
        return bytes(self._responses.pending[:8])

    def understood(self, direction: Direction) -> int:
        """The offset in that direction's stream up to which all bytes have become events."""
        return (self._requests if direction == "out" else self._responses).offset

    def _advance(self, direction: Direction) -> list[Step]:
        """What new bytes of one side make readable, and then each side of the other, in turn, until one does not go on.

        Neither could go on before these bytes came, so nothing is left out by beginning with their side.
        """
        first, second = self._read_requests, self._read_responses
        if direction == "in":
            first, second = second, first
        steps: list[Step] = []
        first(steps)
        while second(steps):
            first, second = second, first
        return steps

    def _read_requests(self, steps: list[Step]) -> bool:
        """Add the steps of the requests that can be read now; whether there were any."""
        before = len(steps)
        reader = self._requests
        if reader.offset == 0 and reader.pending.startswith(PREFACE):  # HTTP/2 from the first byte on
            self.upgraded = "h2"
            reader.become_opaque()
            self._responses.become_opaque()
            steps.append(Step("out", 0, Upgraded("h2")))
        while (event := reader.next_event()) is not None:
            number = self._sent
            steps.append(Step("out", number, event))
            if isinstance(event, Head):
                framing = request_framing(event)
                reader.expect(framing)
                self._heads += 1
                self._asked.append(
                    _Asked(event.method, _wanted_protocol(event), event if event.values("http2-settings") else None)
                )
                if framing.problem:
                    reader.become_opaque()
                    steps.append(Step("out", number, Broken(reader.offset, framing.problem)))
            elif isinstance(event, Complete):
                self._sent += 1
                if self._asked and self._asked[-1].upgrade:
                    reader.pause()
            elif isinstance(event, Broken) and self._heads == number:
                self._asked.append(_Asked("", None))  # a daemon answers even that, with 400
        return len(steps) > before

    def _read_responses(self, steps: list[Step]) -> bool:
        """The same of the responses, as far as their requests are known."""
        before = len(steps)
        reader = self._responses
        if not self._asked and (self._requests.is_opaque or len(reader.pending) > MAX_HEAD):
            reader.become_opaque()
        while self._asked or reader.is_opaque or self._answering:
            event = reader.next_event()
            if event is None:
                break
            number = self._answered
            steps.append(Step("in", number, event))
            if isinstance(event, Head):
                steps += self._response_head(number, event)
            elif isinstance(event, Complete) and self._answering:
                self._answered_one()
        return len(steps) > before

    def _response_head(self, number: int, head: Head) -> list[Step]:
        """How the body of a response is framed, and what follows from its head at once."""
        asked = self._asked[0]
        protocol = _new_protocol(asked, head)
        if protocol is not None:
            self._answered_one()
            self.upgraded = protocol
            self._responses.become_opaque()
            self._requests.become_opaque()
            ended = Complete(head.at + len(head.raw))
            return [Step("in", number, ended), Step("in", number, Upgraded(protocol, asked.first))]
        if 100 <= head.status < 200:
            self._responses.expect(NO_BODY)
            return []
        framing = response_framing(head, asked.method)
        self._responses.expect(framing)
        self._answering = True
        if not framing.problem:
            return []
        self._responses.become_opaque()
        return [Step("in", number, Broken(head.at + len(head.raw), framing.problem))]

    def _answered_one(self) -> None:
        self._answering = False
        self._answered += 1
        if self._asked and self._asked.popleft().upgrade and not self.upgraded:
            self._requests.resume()


_REQUEST_START = re.compile(rb"[A-Z]{3,10} [^ \r\n]+ HTTP/1\.[01]\r?\n")


def _wanted_protocol(head: Head) -> str | None:
    if head.method == "CONNECT":
        return "connect"
    return ", ".join(head.tokens("upgrade")) or None


def _new_protocol(asked: _Asked, head: Head) -> str | None:
    """The protocol that this response switches the connection to, if it does."""
    if head.status == 101:
        return ", ".join(head.tokens("upgrade")) or asked.upgrade or "unknown"
    if 200 <= head.status < 300 and asked.method == "CONNECT":
        return "connect"
    if head.status != 200 or asked.method != "POST":
        return None
    if head.values("content-length") or head.values("transfer-encoding"):
        return None
    media_type = (head.value("content-type") or "").split(";")[0].strip().lower()
    return asked.upgrade or "tcp" if media_type in RAW_STREAMS else None
