"""The bytes that a finished syscall moved, read where it had them: buffers, vectors, messages and files.

`None` for bytes that can only be counted: those that splice(2) took from a pipe, and those that a receiver threw away.
"""

from __future__ import annotations

import os
import stat

from tracer.capture import memory
from tracer.capture.syscalls import MSG_TRUNC, signed
from tracer.capture.tracees import Call
from tracer.events import Direction


def direction(call: Call) -> Direction:
    """Which way the bytes went; splice(2) goes both ways, it depends on which end the connection is."""
    if call.spec.name == "splice":
        return "out" if call.fd == signed(call.arguments[2]) else "in"
    assert call.spec.direction is not None
    return call.spec.direction


def payload(tid: int, call: Call, size: int) -> bytes | None:
    """The `size` bytes that the call moved; fewer if the memory can't be read."""
    spec, arguments = call.spec, call.arguments
    if spec.flags_argument is not None and spec.direction == "in":
        discards = call.connection is not None and call.connection.family != "unix"
        if discards and arguments[spec.flags_argument] & MSG_TRUNC:
            return None  # tcp(7): the bytes are thrown away, not copied
    if spec.shape == "buffer":
        return memory.read(tid, arguments[1], size)
    if spec.shape == "vector":
        return memory.vector(tid, arguments[1], arguments[2], size)
    if spec.shape == "message":
        return memory.message(tid, arguments[1], size)
    return _file_bytes(tid, call, size)


def file_offset(tid: int, arguments: tuple[int, ...]) -> int:
    """Where sendfile(2) will begin to read: at *offset, or at the file's position (/proc/PID/fdinfo)."""
    if arguments[2]:
        return memory.c_long(tid, arguments[2]) or 0
    try:
        with open(f"/proc/{tid}/fdinfo/{signed(arguments[1])}", encoding="ascii") as file:
            return int(file.readline().split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def _file_bytes(tid: int, call: Call, size: int) -> bytes | None:
    """The bytes of a regular file that sendfile(2) sent; those out of a pipe are counted only."""
    if call.spec.name != "sendfile":
        return None
    try:
        path = f"/proc/{tid}/fd/{signed(call.arguments[1])}"
        if not stat.S_ISREG(os.stat(path).st_mode):
            return None
        file = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        payload = os.pread(file, size, call.offset)
    except OSError:
        return None
    finally:
        os.close(file)
    return payload if len(payload) == size else None


def asked_for_bytes(call: Call) -> bool:
    """Whether the call had room for bytes: a read of length 0 returns 0 without meaning end of stream."""
    if call.spec.shape in ("buffer", "vector"):
        return call.arguments[2] > 0
    return True
