"""Events on their way from the tracer process to the front: MessagePack frames with a length before each.

The tracer only watches and hands on; decoding, hashing, recording and showing happen in the front, on another CPU
and never while the command waits.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import msgspec

from tracer.events import Event, Exec, Exit, Fork

_LENGTH = 4
READ_SIZE = 1 << 20
WRITE_SIZE = 1 << 16


class Trouble(msgspec.Struct, frozen=True, tag_field="type", tag="trouble"):
    """The tracer could not do its work: `status` is socktrace's exit status, `message` a sentence."""

    message: str
    status: int


_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Event | Trouble] = msgspec.msgpack.Decoder(Event | Trouble)


class Sender:
    """The tracer's end: gathers frames and writes them before the tracer goes to sleep.

    That processes begin and end is of no interest by itself: it goes out with the next event that is, so that a tree of
    short processes does not wake the front for each.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._buffer = bytearray()
        self._is_urgent = False

    def send(self, events: Iterable[Event | Trouble]) -> None:
        """Add events; large amounts are written at once."""
        for event in events:
            frame = _encoder.encode(event)
            self._buffer += len(frame).to_bytes(_LENGTH, "little")
            self._buffer += frame
            if not isinstance(event, Exec | Fork | Exit):
                self._is_urgent = True
        if len(self._buffer) >= WRITE_SIZE:
            self.flush()

    def rest(self) -> None:
        """Nothing is happening at the moment: write what somebody may wait for."""
        if self._is_urgent:
            self.flush()

    def flush(self) -> None:
        """Write what was gathered. A front that is gone takes us with it; nobody else would read this."""
        view = memoryview(self._buffer)
        while view:
            view = view[os.write(self._fd, view) :]
        view.release()
        self._buffer.clear()
        self._is_urgent = False

    def close(self) -> None:
        """No more events."""
        self.flush()
        os.close(self._fd)


def receive(fd: int) -> Iterator[Event | Trouble]:
    """The front's end: events until the tracer closes its own."""
    buffer = bytearray()
    while data := os.read(fd, READ_SIZE):
        buffer += data
        at = 0
        while len(buffer) - at >= _LENGTH:
            end = at + _LENGTH + int.from_bytes(buffer[at : at + _LENGTH], "little")
            if len(buffer) < end:
                break
            yield _decoder.decode(memoryview(buffer)[at + _LENGTH : end].tobytes())
            at = end
        del buffer[:at]
    os.close(fd)
