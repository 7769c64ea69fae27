"""What a recorded daemon answers: the recorded responses, found by method and path without the version prefix."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from tracer.engine.operations import route, split_target
from tracer.events import Event
from tracer.exchanges import Exchange, assemble
from tracer.wire.heads import Head

Key = tuple[str, str]


class Answers:
    """The responses of a recording, as the bytes that the daemon sent.

    Several answers to like requests are given in their recorded order, the last one again and again.
    """

    def __init__(self, events: Iterable[Event]) -> None:
        self._found: dict[Key, deque[bytes]] = {}
        for item in assemble(events, keep_pieces=True):
            if isinstance(item, Exchange) and item.request and item.response and not item.failure:
                self._found.setdefault(_key(item.request.head), deque()).append(_response_bytes(item))

    def to(self, head: Head) -> bytes:
        """The whole response to a request; 501 with a Docker-style message for one that was not recorded."""
        found = self._found.get(_key(head))
        if not found:
            return _not_recorded(head)
        return found.popleft() if len(found) > 1 else found[0]


def _key(head: Head) -> Key:
    path, _ = split_target(head.target)
    return head.method, route(head.method, path).path


def _response_bytes(exchange: Exchange) -> bytes:
    return b"".join(piece for call in exchange.calls if call.dir == "in" for piece in call.pieces if piece)


def _not_recorded(head: Head) -> bytes:
    import json

    body = json.dumps({"message": f"socktrace: {head.method} {head.target} is not in the recording"}).encode()
    lines = ["HTTP/1.1 501 Not Implemented", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + (b"" if head.method == "HEAD" else body)
