"""Finds the secrets in gRPC calls: the messages of calls that hand over credentials, and secret build arguments.

BuildKit asks its client for registry logins and build secrets on the session, and is given build arguments in Solve.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tracer.events import Direction
from tracer.wire.http1 import Opaque
from tracer.wire.http2 import Call, Http2Connection
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

Span = tuple[int, int]


class GrpcMask:
    """Feed it the opaque bytes of both directions; it finds the spans of their streams to mask.

    `understood` says where HTTP/1.1 ended in each direction: HTTP/2 begins there.
    """

    def __init__(self, understood: Callable[[Direction], int]) -> None:
        self._begin: dict[Direction, int] = {}
        self._http1_end = understood
        self._http2 = Http2Connection(self._on_data)
        self._found: list[tuple[Direction, Span]] = []

    def feed(self, direction: Direction, opaque: Opaque) -> Iterator[tuple[Direction, Span]]:
        """More bytes; what in them, or in a frame that they end, is secret."""
        self._begin.setdefault(direction, opaque.at)
        self._http2.feed(direction, opaque.data)
        yield from self._found
        self._found.clear()

    def understood(self, direction: Direction) -> int:
        """The offset in that direction's stream up to which everything that has to be masked is known."""
        if direction not in self._begin:
            return self._http1_end(direction)
        return self._begin[direction] + self._http2.understood(direction)

    def _on_data(self, direction: Direction, at: int, data: bytes, call: Call) -> None:
        start = self._begin[direction] + at
        if call.name in SECRET_CALLS:
            whole = int.from_bytes(data[1:_PREFIX], "big") == len(data) - _PREFIX
            self._found.append((direction, (start + (_PREFIX if whole else 0), start + len(data))))
            return
        for argument in _BUILD_ARGUMENT.finditer(data):
            length = varint(data, argument.end())
            if length is not None:
                self._found.append((direction, (start + length[1], start + min(length[1] + length[0], len(data)))))
