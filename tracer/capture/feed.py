"""Events on their way from the tracer process to the front: MessagePack frames with a length before each.

The tracer only watches and hands on; decoding, hashing, recording and showing happen in the front, on another CPU
and never while the command waits.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterable, Iterator

import msgspec

from tracer.events import Event, Exec, Exit, Fork

_LENGTH = 4
_PLACE = bytes(_LENGTH)
PIPE_SIZE = 1 << 20
"""What an unprivileged process may have (/proc/sys/fs/pipe-max-size, pipe(7)): the front may be busy for a moment."""

READ_SIZE = 1 << 18
BULK = range(1 << 13, READ_SIZE // 2)
"""A read of so many bytes tells that more are on their way."""

PAUSE = 0.002
"""Seconds in which these come together, so that the front does not wake for each syscall, on a CPU that others want."""

WRITE_SIZE = 1 << 16


ASIDE = {Exec, Fork, Exit}
"""Events that are of no interest by themselves."""


class Trouble(msgspec.Struct, frozen=True, tag_field="type", tag="trouble"):
    """The tracer could not do its work: `status` is socktrace's exit status, `message` a sentence."""

    message: str
    status: int


_encoder = msgspec.msgpack.Encoder()


class Sender:
    """The tracer's end: gathers frames and writes them before the tracer goes to sleep.

    That processes begin and end goes out with the next event that is of interest, so that a tree of short processes
    does not wake the front for each.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        try:
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, PIPE_SIZE)
        except OSError:
            pass  # too many pipes of this user: it stays as it is
        self._buffer = bytearray()
        self._is_urgent = False

    def send(self, events: Iterable[Event | Trouble]) -> bool:
        """Add events; large amounts are written at once. Whether somebody may wait for what is not written."""
        for event in events:
            at = len(self._buffer)
            self._buffer += _PLACE
            _encoder.encode_into(event, self._buffer, -1)
            self._buffer[at : at + _LENGTH] = (len(self._buffer) - at - _LENGTH).to_bytes(_LENGTH, "little")
            if type(event) not in ASIDE:
                self._is_urgent = True
        if len(self._buffer) >= WRITE_SIZE:
            self.flush()
        return self._is_urgent

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
    decoder: msgspec.msgpack.Decoder[Event | Trouble] = msgspec.msgpack.Decoder(Event | Trouble)
    buffer = bytearray(READ_SIZE)
    filled = 0
    while got := os.readv(fd, [memoryview(buffer)[filled:]]):
        filled += got
        view = memoryview(buffer)
        at = 0
        while filled - at >= _LENGTH:
            end = at + _LENGTH + int.from_bytes(view[at : at + _LENGTH], "little")
            if filled < end:
                break
            yield decoder.decode(view[at + _LENGTH : end])
            at = end
        filled -= at
        rest = bytes(view[at : at + filled])
        if filled == len(buffer):  # one event larger than all there is room for
            buffer = bytearray(2 * len(buffer))
        buffer[:filled] = rest
        if got in BULK:
            time.sleep(PAUSE)
    os.close(fd)
