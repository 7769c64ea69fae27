"""gRPC messages in the data of one direction of an HTTP/2 stream (PROTOCOL-HTTP2 of grpc, "Length-Prefixed-Message").

A message is a compressed flag, its length in four bytes, big-endian, and that many bytes of Protocol Buffers. All are
counted; the first ones are kept, and decoded without a schema.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tracer.wire import protobuf
from tracer.wire.bodies import compressed

PREFIX = 5
KEPT_MESSAGES = 50
KEPT_BYTES = 16 << 10
"""A longer message is counted and not decoded."""


class Message(Struct):
    """One message: when it was complete, its size without prefix, and its bytes unless they are too many."""

    t: float | None
    size: int
    data: bytes | None
    is_compressed: bool = False


class Messages:
    """Counts the messages of one direction, and keeps the first ones."""

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        """Bytes, prefixes included."""
        self.kept: list[Message] = []
        self._prefix = b""
        self._left = 0
        self._data = bytearray()
        self._length = 0
        self._is_compressed = False

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More data of the stream, seen at time `t`."""
        self.size += len(data)
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                if self._length <= KEPT_BYTES:
                    self._data += data[at : at + step]
                self._left -= step
                at += step
            else:
                need = PREFIX - len(self._prefix)
                self._prefix += data[at : at + need]
                at += need
                if len(self._prefix) < PREFIX:
                    return
                self._is_compressed = bool(self._prefix[0])
                self._left = self._length = int.from_bytes(self._prefix[1:], "big")
                self._prefix = b""
                self.count += 1
            if self._left == 0 and not self._prefix:
                self._complete(t)

    def _complete(self, t: float | None) -> None:
        if len(self.kept) < KEPT_MESSAGES:
            data = bytes(self._data) if self._length <= KEPT_BYTES else None
            self.kept.append(Message(t, self._length, data, self._is_compressed))
        self._data.clear()


def as_object(message: Message, by: str, encoding: str) -> dict[str, Any]:
    """A message as `--json` shows it: who sent it, when, its size, and its fields as far as they can be told."""
    told: dict[str, Any] = {"by": by, "t": message.t, "size": message.size}
    data = message.data
    if data and not data.strip(b"*"):
        return {**told, "fields": None, "masked": True}
    if data is not None and message.is_compressed:
        data = _opened(data, encoding)
    return {**told, "fields": None if data is None else protobuf.decode(data)}


def _opened(data: bytes, encoding: str) -> bytes | None:
    opener = compressed.decompressor(encoding)
    if opener is None:
        return None
    opened = b""
    try:
        for piece in opener.pieces(data):
            opened += piece
            if len(opened) > KEPT_BYTES:
                return None
    except compressed.damage():
        return None
    return opened
