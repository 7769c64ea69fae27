"""HTTP/2 and gRPC, read by a passive observer (RFC 9113; gRPC over HTTP/2: PROTOCOL-HTTP2 of grpc).

hyperframe takes the frames apart and hpack the headers; what is ours is only whose call a stream is and how many
messages it carried. Either side may be the one that calls: on BuildKit's /session it is the daemon. Flow control and
priorities do not matter to an observer. The decoder never raises: what can't be right ends it with `problem`.
"""

from __future__ import annotations

from typing import Any

from tracer.events import Direction

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
FRAME_HEADER = 9
MAX_HEADER_BLOCK = 1 << 20
CALLS_KEPT = 1000
GRPC_PREFIX = 5
"""A gRPC message begins with a compressed flag and its length, four bytes, big-endian."""


class Call:
    """One stream: a request of `caller` and the answer to it."""

    def __init__(self, number: int, caller: Direction) -> None:
        self.number = number
        self.caller = caller
        self.request: dict[str, str] = {}
        self.response: dict[str, str] = {}
        self.sent = _Messages()
        self.received = _Messages()

    def as_object(self) -> dict[str, Any]:
        """The call as `--json` shows it; counts are of gRPC messages, from the caller's point of view."""
        service, _, method = self.request.get(":path", "").lstrip("/").rpartition("/")
        status = self.response.get("grpc-status")
        return {
            "service": service,
            "method": method,
            "status": int(status) if status is not None and status.isdigit() else None,
            "message": self.response.get("grpc-message"),
            "caller": "client" if self.caller == "out" else "daemon",
            "sent": self.sent.count,
            "received": self.received.count,
            "bytes_sent": self.sent.size,
            "bytes_received": self.received.size,
        }


class _Messages:
    """Counts the length-prefixed messages in the data of one direction of a stream."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self._prefix = b""
        self._left = 0

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            need = GRPC_PREFIX - len(self._prefix)
            self._prefix += data[at : at + need]
            at += need
            if len(self._prefix) == GRPC_PREFIX:
                self._left = int.from_bytes(self._prefix[1:], "big")
                self._prefix = b""
                self.count += 1


class _Side:
    """What one direction needs to be read: its buffer, its header compression, a header block in progress."""

    def __init__(self) -> None:
        from hpack import Decoder

        self.buffer = bytearray()
        self.decoder = Decoder(max_header_list_size=MAX_HEADER_BLOCK)
        self.begun = False
        self.block_stream = 0
        self.block = b""


class Http2Connection:
    """Feed it the bytes of both directions; `calls` is what was called, in order."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.is_grpc = False
        self.problem: str | None = None
        self._sides: dict[Direction, _Side] = {"out": _Side(), "in": _Side()}
        self._open: dict[int, Call] = {}

    def feed(self, direction: Direction, data: bytes) -> None:
        """Bytes of one direction."""
        if self.problem is not None:
            return
        side = self._sides[direction]
        side.buffer += data
        if not side.begun and not self._begin(side):
            return
        while self.problem is None and self._frame(direction, side):
            pass

    def _begin(self, side: _Side) -> bool:
        """Take the connection preface, which the side that opened the HTTP/2 connection sends first."""
        start = bytes(side.buffer[: len(PREFACE)])
        if start == PREFACE:
            del side.buffer[: len(PREFACE)]
        elif PREFACE.startswith(start):
            return False
        side.begun = True
        return True

    def _frame(self, direction: Direction, side: _Side) -> bool:
        from hpack.exceptions import HPACKError
        from hyperframe.exceptions import HyperframeError
        from hyperframe.frame import Frame

        if len(side.buffer) < FRAME_HEADER:
            return False
        try:
            frame, length = Frame.parse_frame_header(memoryview(bytes(side.buffer[:FRAME_HEADER])))
            if len(side.buffer) < FRAME_HEADER + length:
                return False
            frame.parse_body(memoryview(bytes(side.buffer[FRAME_HEADER : FRAME_HEADER + length])))
            del side.buffer[: FRAME_HEADER + length]
            self._take(direction, side, frame)
        except (HyperframeError, HPACKError, ValueError, IndexError) as error:
            self.problem = f"the bytes are not HTTP/2 any more: {error or type(error).__name__}"
            return False
        return True

    def _take(self, direction: Direction, side: _Side, frame: Any) -> None:
        from hyperframe.frame import ContinuationFrame, DataFrame, HeadersFrame, RstStreamFrame

        if isinstance(frame, HeadersFrame | ContinuationFrame):
            side.block_stream = frame.stream_id
            side.block += frame.data
            if len(side.block) > MAX_HEADER_BLOCK:
                raise ValueError("a header block has no end")
            if "END_HEADERS" in frame.flags:
                block, side.block = side.block, b""
                self._headers(direction, side.block_stream, side.decoder.decode(block))
        elif isinstance(frame, DataFrame):
            call = self._open.get(frame.stream_id)
            if call is not None:
                (call.sent if direction == call.caller else call.received).feed(frame.data)
        elif isinstance(frame, RstStreamFrame):
            self._open.pop(frame.stream_id, None)
        if "END_STREAM" in frame.flags:
            self._ended(direction, frame.stream_id)

    def _ended(self, direction: Direction, stream: int) -> None:
        """The answer is complete; a header block that is still to come has no effect any more."""
        call = self._open.get(stream)
        if call is not None and direction != call.caller and not self._sides[direction].block:
            del self._open[stream]

    def _headers(self, direction: Direction, stream: int, fields: Any) -> None:
        headers = {_text(name): _text(value) for name, value in fields}
        call = self._open.get(stream)
        if ":method" in headers or call is None:
            call = Call(stream, direction)
            call.request = headers
            self._open[stream] = call
            if len(self.calls) < CALLS_KEPT:
                self.calls.append(call)
            self.is_grpc = self.is_grpc or headers.get("content-type", "").startswith("application/grpc")
        elif direction != call.caller:
            call.response.update(headers)


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
