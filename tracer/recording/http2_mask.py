"""Finds the secrets in HTTP/2: secret headers, the gRPC messages of calls that hand over credentials, secret build
arguments, secret fields in JSON bodies.

BuildKit asks its client for registry logins and build secrets on the session, and is given build arguments in Solve.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator

from tracer.events import Direction
from tracer.recording.json_mask import JsonMask
from tracer.wire.header_blocks import Block
from tracer.wire.heads import Head
from tracer.wire.http1 import Opaque
from tracer.wire.http2 import MAX_HEADER_BLOCK, SECRET_HEADERS, Call, Http2Connection
from tracer.wire.protobuf import varint

SECRET_CALLS = {
    ("moby.filesync.v1.Auth", "Credentials"),
    ("moby.filesync.v1.Auth", "FetchToken"),
    ("moby.filesync.v1.Auth", "VerifyTokenAuthority"),
    ("moby.buildkit.secrets.v1.Secrets", "GetSecret"),
    ("moby.sshforward.v1.SSH", "ForwardAgent"),
}
_PREFIX = 5
"""Before each message; it stays readable where a frame holds one message, as these calls' frames do."""

_BUILD_ARGUMENT = re.compile(rb"build-arg:[A-Za-z0-9_]*(?:PASS|SECRET|TOKEN|KEY)[A-Za-z0-9_]*\x12", re.IGNORECASE)
"""The key of an entry of Solve's FrontendAttrs (field 1), then the tag of its value (field 2)."""

HUFFMAN_STAR = b"\xf9"
"""The Huffman code of `*`: just one octet (RFC 7541 appendix B)."""

Span = tuple[int, int, bytes]
"""First and last offset, and the octet to write there."""


class Http2Mask:
    """Feed it the opaque bytes of both directions; it finds the spans of their streams to mask.

    `understood` says where HTTP/1.1 ended in each direction: HTTP/2 begins there.
    """

    def __init__(self, understood: Callable[[Direction], int], first: Head | None = None) -> None:
        self._begin: dict[Direction, int] = {}
        self._http1_end = understood
        self._http2 = Http2Connection(first, self._on_data, self._on_block)
        self._blocks = {"out": Block(MAX_HEADER_BLOCK), "in": Block(MAX_HEADER_BLOCK)}
        self._json: defaultdict[tuple[int, Direction], JsonMask] = defaultdict(JsonMask)
        self._found: list[tuple[Direction, Span]] = []

    def feed(self, direction: Direction, opaque: Opaque) -> Iterator[tuple[Direction, Span]]:
        """More bytes; what in them, or in a frame that they end, is secret."""
        self._begin.setdefault(direction, opaque.at)
        self._http2.feed(direction, opaque.data)
        yield from self._found
        self._found.clear()
        for call in self._http2.finished:
            for way in ("out", "in"):
                self._json.pop((id(call), way), None)
        self._http2.finished.clear()

    def understood(self, direction: Direction) -> int:
        """The offset in that direction's stream up to which everything that has to be masked is known."""
        if direction not in self._begin:
            return self._http1_end(direction)
        return self._begin[direction] + self._http2.understood(direction)

    def _on_data(self, direction: Direction, at: int, data: bytes, call: Call) -> None:
        start = self._begin[direction] + at
        if call.name in SECRET_CALLS:
            whole = int.from_bytes(data[1:_PREFIX], "big") == len(data) - _PREFIX
            self._found.append((direction, (start + (_PREFIX if whole else 0), start + len(data), b"*")))
            return
        if not call.is_grpc:
            self._json_data(direction, start, data, call)
            return
        for argument in _BUILD_ARGUMENT.finditer(data):
            length = varint(data, argument.end())
            if length is not None:
                first, last = start + length[1], start + min(length[1] + length[0], len(data))
                self._found.append((direction, (first, last, b"*")))

    def _json_data(self, direction: Direction, start: int, data: bytes, call: Call) -> None:
        headers = call.request if direction == call.caller else call.response
        if "json" not in headers.get("content-type", "") or "content-encoding" in headers:
            return
        mask = self._json[id(call), direction]
        self._found += [(direction, (start + a, start + b, b"*")) for a, b in mask.feed(data)]

    def _on_block(self, direction: Direction, fragments: list[tuple[int, bytes]]) -> None:
        block = b"".join(data for _, data in fragments)
        for literal in self._blocks[direction].literals(block):
            if literal.name in SECRET_HEADERS:
                fill = HUFFMAN_STAR if literal.huffman else b"*"
                for first, last in _places(fragments, literal.start, literal.end):
                    start = self._begin[direction]
                    self._found.append((direction, (start + first, start + last, fill)))


def _places(fragments: list[tuple[int, bytes]], start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the bytes `start` to `end` of a block are in the stream."""
    passed = 0
    for at, data in fragments:
        first, last = max(start - passed, 0), min(end - passed, len(data))
        if first < last:
            yield at + first, at + last
        passed += len(data)
