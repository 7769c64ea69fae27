"""The stand-in daemon: takes requests on a socket and plays the recorded parts, piece by piece.

A piece is sent when what the recording shows to have come before it has come: later requests of the same story, and
the input of a stream. Nobody waits for ever: after PATIENCE seconds, or when the client says nothing more for QUIET
seconds, the play goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from tracer.replay.faults import Fault
from tracer.replay.matching import Cast, Mismatch
from tracer.replay.parts import Asked, Part, asked
from tracer.wire.bodies import Body, BodyReader, no_body
from tracer.wire.heads import Head, request_framing
from tracer.wire.http1 import Body as BodyPiece
from tracer.wire.http1 import Broken, Complete, Reader

PATIENCE = 10.0
QUIET = 0.25
GRACE = 0.02
"""Between the pieces of a stream even at once: docker-py loses output that comes in one segment with the head."""
READ_SIZE = 1 << 16
MOST_RAW = 64 << 20
"""Of a request, this much is kept to pass it on to a real daemon."""

PassOn = Callable[[bytes, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Takes over a connection whose request was not recorded: its bytes so far, and both ends."""


class Stage:
    """Answers connections from a cast; `speed` 0 is at once, 1 as recorded, 2 twice as fast."""

    def __init__(
        self, cast: Cast, *, speed: float = 0.0, faults: Sequence[Fault] = (), pass_on: PassOn | None = None
    ) -> None:
        self.cast = cast
        self._speed = speed
        self._faults = faults
        self._pass_on = pass_on
        self._moved = asyncio.Condition()
        """Notified whenever a part has been asked for, or has played a piece."""
        self._waiting = 0
        """How many wait for that."""
        self._progress: dict[int, tuple[int, int]] = {}
        """Of each part: its turn, and how many of its pieces were sent in it."""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until either side is through."""
        try:
            request = _Request(reader, writer)
            while await request.read():
                if not await self._answer(request, writer):
                    break
        except (ConnectionError, TimeoutError, asyncio.CancelledError):
            pass  # a client that went away is no news, nor is the end of the play
        finally:
            writer.close()

    async def _answer(self, request: _Request, writer: asyncio.StreamWriter) -> bool:
        """Whether another request may follow on this connection."""
        if request.head is None:
            _say(writer, 400, "this is not an HTTP/1.1 request", "")
            return False
        now = asked(request.head, request.body)
        fault = next((fault for fault in self._faults if fault.concerns(now)), None)
        if fault is not None:
            await asyncio.sleep(fault.delay)
            if fault.status is not None:
                _say(writer, fault.status, f"socktrace: a fault on demand for {now.line}", now.method)
                await writer.drain()
                return True
        part = self.cast.find(now)
        if isinstance(part, Mismatch):
            return await self._not_recorded(part, request, writer, now)
        await self._moved_to(part, 0)
        if part.missing:
            _say(writer, 501, f"socktrace: not all bytes of the answer to {now.line} were recorded", now.method)
            return True
        return await self._play(part, request, writer, fault.cut if fault else None)

    async def _not_recorded(
        self, mismatch: Mismatch, request: _Request, writer: asyncio.StreamWriter, now: Asked
    ) -> bool:
        if self._pass_on is not None:
            self.cast.mismatches.remove(mismatch)
            await self._pass_on(request.raw, request.reader, writer)
            return False
        _say(writer, 501, f"socktrace: {mismatch.sentence}", now.method)
        await writer.drain()
        return True

    async def _play(self, part: Part, request: _Request, writer: asyncio.StreamWriter, cut: int | None) -> bool:
        turn = self.cast.times(part.number)
        clock = asyncio.get_running_loop().time
        began = clock()
        listener = _Listener(request) if part.upgrade else None
        room = cut
        try:
            for index, piece in enumerate(part.pieces):
                await self._wait_for_others(part, index, turn)
                if listener is not None:
                    await listener.heard(piece.heard)
                if self._speed:
                    await asyncio.sleep(max(0.0, began + piece.t / self._speed - clock()))
                elif index and part.upgrade:
                    await asyncio.sleep(min(GRACE, piece.t - part.pieces[index - 1].t))
                data = piece.data if room is None else piece.data[:room]
                writer.write(data)
                await writer.drain()
                await self._moved_to(part, index + 1)
                if room is not None:
                    room -= len(data)
                    if room <= 0:
                        return False
            return await self._curtain(part, request, writer, listener)
        finally:
            if listener is not None:
                listener.stop()
            await self._moved_to(part, len(part.pieces))  # however it ended, nobody need wait for it

    async def _curtain(
        self, part: Part, request: _Request, writer: asyncio.StreamWriter, listener: _Listener | None
    ) -> bool:
        """After the last piece: the connection goes on, ends as it did, or is kept until the client goes."""
        if listener is not None:
            if part.complete:
                if writer.can_write_eof():
                    writer.write_eof()
                await listener.quiet()
            else:
                await listener.gone()
            return False
        if not part.complete:
            while await request.reader.read(READ_SIZE):
                continue
            return False
        return not part.closes

    async def _moved_to(self, part: Part, played: int) -> None:
        """Let the others know how far a part is."""
        self._progress[part.number] = (self.cast.times(part.number), played)
        if self._waiting:
            async with self._moved:
                self._moved.notify_all()

    async def _wait_for_others(self, part: Part, index: int, turn: int) -> None:
        needed = [cue for cue in part.cues if cue.piece == index]
        if not needed:
            return

        def have_come() -> bool:
            return all(self._progress.get(cue.part, (0, 0)) >= (turn, cue.played) for cue in needed)

        self._waiting += 1
        try:
            async with self._moved:
                await asyncio.wait_for(self._moved.wait_for(have_come), PATIENCE)
        except TimeoutError:
            pass
        finally:
            self._waiting -= 1


class _Request:
    """Reads the requests of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.head: Head | None = None
        """None after bytes that are no request."""
        self.body = Body()
        self.raw = b""
        """The whole request as it came, and what came after it."""
        self._writer = writer
        self._wire = Reader("request")
        self._fed = bytearray()

    async def read(self) -> bool:
        """The next request; False when the client sends no more."""
        self._fed = bytearray(self._wire.pending)
        body: BodyReader | None = None
        while True:
            event = self._wire.next_event()
            if event is None:
                data = await self.reader.read(READ_SIZE)
                if not data:
                    return False
                self._wire.feed(data)
                if len(self._fed) < MOST_RAW:
                    self._fed += data
            elif isinstance(event, Head):
                self.head = event
                self._wire.expect(request_framing(event))
                if "100-continue" in event.tokens("expect"):
                    self._writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            elif isinstance(event, BodyPiece):
                body = body or self._body_reader()
                body.feed(event.data)
            elif isinstance(event, Complete):
                self.body = body.finish() if body is not None else no_body()
                self.raw = bytes(self._fed)
                return True
            elif isinstance(event, Broken):
                self.head = None
                return True

    def _body_reader(self) -> BodyReader:
        head = self.head
        assert head is not None
        return BodyReader(head.value("content-type") or "", head.value("content-encoding") or "")

    @property
    def rest(self) -> int:
        """Bytes that came after the request."""
        return len(self._wire.pending)


class _Listener:
    """Counts what the client sends on a stream."""

    def __init__(self, request: _Request) -> None:
        self._reader = request.reader
        self._count = request.rest
        self._over = False
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        while data := await self._reader.read(READ_SIZE):
            self._count += len(data)
            self._news.set()
        self._over = True
        self._news.set()

    async def heard(self, size: int) -> None:
        """Wait until the client has sent so many bytes, or seems to have no more to say."""
        while self._count < size and not self._over:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), QUIET if self._count else PATIENCE)
            except TimeoutError:
                return

    async def quiet(self) -> None:
        """Wait a little for the client to be through, so that nothing it sends is answered with a reset."""
        try:
            await asyncio.wait_for(self.gone(), QUIET)
        except TimeoutError:
            pass

    async def gone(self) -> None:
        """Wait until the client has ended its side."""
        await asyncio.shield(self._task)

    def stop(self) -> None:
        """Listen no more."""
        self._task.cancel()


REASONS = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 500: "Internal Server Error", 501: "Not Implemented"}


def _say(writer: asyncio.StreamWriter, status: int, message: str, method: str) -> None:
    """An error as a Docker daemon says it."""
    body = json.dumps({"message": message}).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {REASONS.get(status, 'Fault')}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + (b"" if method == "HEAD" else body))
