"""HTTP/2, read by a passive observer (RFC 9113), with the gRPC calls that it carries.

hyperframe takes the frames apart and hpack the headers; what is ours is only whose call a stream is. Either side may
be the one that calls: on BuildKit's /session it is the daemon. Flow control and priorities do not matter to an
observer. The decoder never raises: what can't be right ends it with `problem`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracer.events import Direction
from tracer.wire import grpc
from tracer.wire.bodies import BodyReader
from tracer.wire.heads import Head, Headers

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER = 9
MAX_HEADER_BLOCK = 1 << 20
CALLS_KEPT = 1000

OnData = Callable[[Direction, int, bytes, "Call"], None]
"""Is told of the payload of each DATA frame: its direction, the offset of its first byte, and the call."""

OnBlock = Callable[[Direction, list[tuple[int, bytes]]], None]
"""Is told of each header block: its direction, and its fragments with the offsets of their first bytes."""


class Call:
    """One stream: a request of `caller` and the answer to it. Times are on the recording's clock."""

    def __init__(self, caller: Direction, request: dict[str, str], t: float | None) -> None:
        self.caller = caller
        self.request = request
        self.response: dict[str, str] = {}
        self.sent = grpc.Messages()
        self.received = grpc.Messages()
        self.began = t
        self.ended: float | None = None
        self.reset = False
        self.answered: float | None = None
        """When the head of the answer came."""
        self.heads: dict[Direction, Headers] = {caller: _list(request)}
        self.bodies: dict[Direction, BodyReader] = {}
        """Of a call that is not gRPC."""

    @property
    def is_grpc(self) -> bool:
        """Whether its messages are gRPC's."""
        return self.request.get("content-type", "").startswith("application/grpc")

    def carry(self, direction: Direction, data: bytes, t: float | None) -> None:
        """Data of one direction."""
        (self.sent if direction == self.caller else self.received).feed(data, t)
        if self.is_grpc:
            return
        if direction not in self.bodies:
            headers = self.request if direction == self.caller else self.response
            coding = headers.get("content-encoding", "")
            self.bodies[direction] = BodyReader(headers.get("content-type", ""), coding)
        self.bodies[direction].feed(data, t or 0.0)

    @property
    def name(self) -> tuple[str, str]:
        """(service, method) of a gRPC call."""
        service, _, method = self.request.get(":path", "").lstrip("/").rpartition("/")
        return service, method

    def as_object(self) -> dict[str, Any]:
        """The call as `--json` shows it; counts are of gRPC messages, from the caller's point of view."""
        service, method = self.name
        status = self.response.get("grpc-status")
        caller, other = ("client", "daemon") if self.caller == "out" else ("daemon", "client")
        timed = self.began is not None and self.ended is not None
        return {
            "service": service,
            "method": method,
            "status": int(status) if status is not None and status.isdigit() else None,
            "message": self.response.get("grpc-message"),
            "caller": caller,
            "sent": self.sent.count,
            "received": self.received.count,
            "bytes_sent": self.sent.size,
            "bytes_received": self.received.size,
            "began": self.began,
            "duration": round((self.ended or 0) - (self.began or 0), 6) if timed else None,
            "reset": self.reset,
            "metadata": {name: value for name, value in self.request.items() if _is_metadata(name)},
            "messages": self._messages(caller, other),
        }

    def _messages(self, caller: str, other: str) -> list[dict[str, Any]]:
        sent = [grpc.as_object(kept, caller, self.request.get("grpc-encoding", "")) for kept in self.sent.kept]
        got = [grpc.as_object(kept, other, self.response.get("grpc-encoding", "")) for kept in self.received.kept]
        return sorted(sent + got, key=lambda message: message["t"] or 0)


class _Side:
    """What one direction needs to be read: its buffer, its header compression, a header block in progress."""

    def __init__(self) -> None:
        from hpack import Decoder

        self.buffer = bytearray()
        self.offset = 0
        """Of the buffer's first byte, from the beginning of HTTP/2."""
        self.decoder = Decoder(max_header_list_size=MAX_HEADER_BLOCK)
        self.begun = False
        self.opened = False
        """Whether it opened the HTTP/2 connection."""
        self.block = bytearray()
        self.fragments: list[tuple[int, bytes]] = []
        """The pieces of the block, with the offsets of their first bytes."""
        self.block_ends_stream = False

    def drop(self, size: int) -> None:
        """Forget the first bytes of the buffer."""
        del self.buffer[:size]
        self.offset += size


class Http2Connection:
    """Feed it the bytes of both directions; `calls` is what was called, in order."""

    def __init__(
        self, first: Head | None = None, on_data: OnData | None = None, on_block: OnBlock | None = None
    ) -> None:
        """`first` is the request of stream 1, where an upgrade brought it (RFC 7540 section 3.2)."""
        self.calls: list[Call] = []
        self.finished: list[Call] = []
        """Those that have ended, until somebody takes them away."""
        self.count = 0
        """All calls; only the first CALLS_KEPT are in `calls`."""
        self.is_grpc = False
        self.problem: str | None = None
        self._on_data = on_data
        self._on_block = on_block
        self._sides: dict[Direction, _Side] = {"out": _Side(), "in": _Side()}
        self._open: dict[int, Call] = {}
        self._last_stream = 0
        """The highest number of a stream that the opener has begun."""
        self._first = first

    def feed(self, direction: Direction, data: bytes, t: float | None = None) -> None:
        """Bytes of one direction, seen at time `t`."""
        if self._first is not None:
            self._begin_call(1, Call("out", _as_fields(self._first), t))
            self._first, self._last_stream = None, 1
        side = self._sides[direction]
        if self.problem is not None:
            side.offset += len(data)
            return
        side.buffer += data
        if not side.begun and not self._begin(side):
            return
        self._read(direction, side, t)
        other: Direction = "in" if direction == "out" else "out"
        self._read(other, self._sides[other], t)

    def _read(self, direction: Direction, side: _Side, t: float | None) -> None:
        while side.begun and self.problem is None and self._frame(direction, side, t):
            pass

    @property
    def open_calls(self) -> list[Call]:
        """Those that have not ended."""
        return list(self._open.values())

    def understood(self, direction: Direction) -> int:
        """Bytes of that direction that have been taken apart, from the beginning of HTTP/2."""
        side = self._sides[direction]
        return side.offset + (len(side.buffer) if self.problem is not None else 0)

    def _begin(self, side: _Side) -> bool:
        """Take the connection preface, which the side that opened the HTTP/2 connection sends first."""
        start = bytes(side.buffer[: len(PREFACE)])
        if start == PREFACE:
            side.drop(len(PREFACE))
            side.opened = True
        elif PREFACE.startswith(start):
            return False
        side.begun = True
        return True

    def _frame(self, direction: Direction, side: _Side, t: float | None) -> bool:
        from hpack.exceptions import HPACKError
        from hyperframe.exceptions import HyperframeError
        from hyperframe.frame import Frame

        if len(side.buffer) < FRAME_HEADER:
            return False
        try:
            frame, length = Frame.parse_frame_header(memoryview(bytes(side.buffer[:FRAME_HEADER])))
            if len(side.buffer) < FRAME_HEADER + length or self._is_early(direction, frame.stream_id):
                return False
            frame.parse_body(memoryview(bytes(side.buffer[FRAME_HEADER : FRAME_HEADER + length])))
            self._take(direction, side, frame, t)
            side.drop(FRAME_HEADER + length)
        except (HyperframeError, HPACKError, ValueError, IndexError) as error:
            self.problem = f"the bytes are not HTTP/2 any more: {error or type(error).__name__}"
            return False
        return True

    def _is_early(self, direction: Direction, stream: int) -> bool:
        """Whether the frame answers what has not been seen yet: another thread can read before the write returned."""
        opener: Direction = "in" if direction == "out" else "out"
        return self._sides[opener].opened and stream % 2 == 1 and stream > self._last_stream

    def _take(self, direction: Direction, side: _Side, frame: Any, t: float | None) -> None:
        from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, RstStreamFrame

        if isinstance(frame, HeadersFrame | ContinuationFrame):
            self._header_block(direction, side, frame, t)
        elif isinstance(frame, DataFrame):
            self._data(direction, side, frame, t)
            if "END_STREAM" in frame.flags:
                self._ended(direction, frame.stream_id, t)
        elif isinstance(frame, RstStreamFrame):
            call = self._open.pop(frame.stream_id, None)
            if call is not None:
                call.ended, call.reset = t, True
                self.finished.append(call)

    def _header_block(self, direction: Direction, side: _Side, frame: Any, t: float | None) -> None:
        """One block may come in several frames (RFC 9113 section 4.3); END_STREAM is on the first of them."""
        skipped = ("PADDED" in frame.flags) + 5 * ("PRIORITY" in frame.flags)
        side.fragments.append((side.offset + FRAME_HEADER + skipped, bytes(frame.data)))
        side.block += frame.data
        side.block_ends_stream = side.block_ends_stream or "END_STREAM" in frame.flags
        if len(side.block) > MAX_HEADER_BLOCK:
            raise ValueError("a header block has no end")
        if "END_HEADERS" not in frame.flags:
            return
        block, ends = bytes(side.block), side.block_ends_stream
        side.block.clear()
        side.block_ends_stream = False
        if self._on_block is not None:
            self._on_block(direction, side.fragments)
        side.fragments = []
        self._headers(direction, frame.stream_id, side.decoder.decode(block), t)
        if ends:
            self._ended(direction, frame.stream_id, t)

    def _data(self, direction: Direction, side: _Side, frame: Any, t: float | None) -> None:
        call = self._open.get(frame.stream_id)
        if call is None:
            return
        call.carry(direction, frame.data, t)
        if self._on_data is not None:
            padded = 1 if "PADDED" in frame.flags else 0
            self._on_data(direction, side.offset + FRAME_HEADER + padded, frame.data, call)

    def _ended(self, direction: Direction, stream: int, t: float | None) -> None:
        """The answer is complete."""
        call = self._open.get(stream)
        if call is not None and direction != call.caller:
            call.ended = t
            self.finished.append(self._open.pop(stream))

    def _begin_call(self, stream: int, call: Call) -> None:
        self._open[stream] = call
        self.count += 1
        if len(self.calls) < CALLS_KEPT:
            self.calls.append(call)
        self.is_grpc = self.is_grpc or call.is_grpc

    def _headers(self, direction: Direction, stream: int, fields: Any, t: float | None) -> None:
        headers = {_text(name): _text(value) for name, value in fields}
        call = self._open.get(stream)
        if ":method" in headers or call is None:
            self._begin_call(stream, Call(direction, headers, t))
            if self._sides[direction].opened:
                self._last_stream = max(self._last_stream, stream)
        elif direction != call.caller:
            call.answered = t if call.answered is None else call.answered
            call.response.update(headers)
            call.heads.setdefault(direction, []).extend(_list(headers))


_OF_UPGRADE = {"host", "connection", "upgrade", "http2-settings"}
_OF_GRPC = {"content-type", "te", "user-agent", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding"}
SECRET_HEADERS = {
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-registry-auth",
    "x-registry-config",
    "set-cookie",
}


def _is_metadata(name: str) -> bool:
    """A header that the caller added for the service; secret ones are not shown."""
    return not name.startswith(":") and name not in _OF_GRPC and name not in SECRET_HEADERS


def _as_fields(head: Head) -> dict[str, str]:
    """A request of HTTP/1.1 as HTTP/2 would have said it."""
    fields = {":method": head.method, ":path": head.target, ":authority": head.value("host") or ""}
    return {**fields, **{name.lower(): value for name, value in head.headers if name.lower() not in _OF_UPGRADE}}


def _list(headers: dict[str, str]) -> Headers:
    return [(name, value) for name, value in headers.items() if not name.startswith(":")]


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
