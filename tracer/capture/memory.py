"""Reading a stopped tracee's memory: plain buffers, iovec arrays and message headers.

process_vm_readv(2) copies 64 KiB in a few microseconds; where it is refused (some container profiles block it)
/proc/PID/mem gives the same bytes. All functions return what could be read, shortened at the first bad page, and
never raise: a tracee may pass any pointer.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterator


class _Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


_libc = ctypes.CDLL(None, use_errno=True)
_readv = _libc.process_vm_readv
_readv.restype = ctypes.c_ssize_t
_readv.argtypes = [
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_void_p,
    ctypes.c_ulong,
    ctypes.c_ulong,
]

_buffer = bytearray(1 << 16)
_local = _Iovec(ctypes.addressof(ctypes.c_char.from_buffer(_buffer)))
_remote = _Iovec()
_LOCAL_AT = ctypes.addressof(_local)
_REMOTE_AT = ctypes.addressof(_remote)


def _grow(size: int) -> None:
    global _buffer
    if len(_buffer) < size:
        _buffer = bytearray(size)
        _local.base = ctypes.addressof(ctypes.c_char.from_buffer(_buffer))


def read(pid: int, address: int, size: int) -> bytes:
    """Up to `size` bytes at `address` of process `pid`."""
    if size <= 0:
        return b""
    _grow(size)
    _local.length = size
    _remote.base = address
    _remote.length = size
    got = _readv(pid, _LOCAL_AT, 1, _REMOTE_AT, 1, 0)
    if got == size:
        return bytes(memoryview(_buffer)[:size])
    return _read_mem_file(pid, address, size)


def write(pid: int, address: int, data: bytes) -> bool:
    """Write to the memory of a stopped process, its code included (proc_pid_mem(5)); whether all was written."""
    try:
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as mem:
            mem.seek(address)
            return mem.write(data) == len(data)
    except (OSError, OverflowError, ValueError):
        return False


def _read_mem_file(pid: int, address: int, size: int) -> bytes:
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
            mem.seek(address)
            return mem.read(size) or b""
    except (OSError, OverflowError, ValueError):
        return b""


_IOVEC = struct.Struct("=QQ")
_MSGHDR = struct.Struct("=QI4xQQQQi4x")  # name, namelen, iov, iovlen, control, controllen, flags
_CMSGHDR = struct.Struct("=Qii")
SOL_SOCKET, SCM_RIGHTS = 1, 1
CONTROL_MAX = 4096
_MMSGHDR_SIZE = _MSGHDR.size + 8
IOV_MAX = 1024


def vector(pid: int, iov: int, count: int, size: int) -> bytes:
    """The first `size` bytes of the buffers of an iovec array (readv(2), writev(2))."""
    array = read(pid, iov, _IOVEC.size * min(count, IOV_MAX))
    pieces = []
    for base, length in _IOVEC.iter_unpack(array[: len(array) // _IOVEC.size * _IOVEC.size]):
        if size <= 0:
            break
        piece = read(pid, base, min(length, size))
        pieces.append(piece)
        size -= len(piece)
        if len(piece) < length:
            break
    return b"".join(pieces)


def message(pid: int, header: int, size: int) -> bytes:
    """The first `size` bytes that a struct msghdr describes (sendmsg(2), recvmsg(2))."""
    raw = read(pid, header, _MSGHDR.size)
    if len(raw) < _MSGHDR.size:
        return b""
    _, _, iov, count, _, _, _ = _MSGHDR.unpack(raw)
    return vector(pid, iov, count, size)


def has_control_data(pid: int, header: int) -> bool:
    """Whether a struct msghdr came back with ancillary data, which may hold descriptors (SCM_RIGHTS)."""
    raw = read(pid, header, _MSGHDR.size)
    return len(raw) == _MSGHDR.size and _MSGHDR.unpack(raw)[5] > 0


def receiver(pid: int, header: int) -> tuple[int, int]:
    """The address and size of the socket address that a struct msghdr names; (0, 0) where it names none."""
    raw = read(pid, header, _MSGHDR.size)
    if len(raw) < _MSGHDR.size:
        return 0, 0
    name, size = _MSGHDR.unpack(raw)[:2]
    return name, size


def passed_descriptors(pid: int, header: int) -> list[int]:
    """The descriptors that a struct msghdr passes on (SCM_RIGHTS; cmsg(3), unix(7))."""
    raw = read(pid, header, _MSGHDR.size)
    if len(raw) < _MSGHDR.size:
        return []
    control, length = _MSGHDR.unpack(raw)[4:6]
    data = read(pid, control, min(length, CONTROL_MAX)) if control else b""
    found: list[int] = []
    at = 0
    while at + _CMSGHDR.size <= len(data):
        size, level, kind = _CMSGHDR.unpack_from(data, at)
        if size < _CMSGHDR.size:
            break
        if (level, kind) == (SOL_SOCKET, SCM_RIGHTS):
            body = data[at + _CMSGHDR.size : at + size]
            found += [fd for (fd,) in struct.iter_unpack("=i", body[: len(body) // 4 * 4])]
        at += (size + 7) & ~7
    return found


def messages(pid: int, headers: int, count: int) -> Iterator[tuple[int, bytes]]:
    """(size, bytes) of each of `count` filled struct mmsghdr (sendmmsg(2), recvmmsg(2))."""
    for index in range(count):
        at = headers + index * _MMSGHDR_SIZE
        raw = read(pid, at + _MSGHDR.size, 4)
        if len(raw) < 4:
            return
        size = int.from_bytes(raw, "little")
        yield size, message(pid, at, size)


def headers(first: int, count: int) -> list[int]:
    """Where each of `count` struct mmsghdr begins with its struct msghdr."""
    return [first + index * _MMSGHDR_SIZE for index in range(count)]


def c_int(pid: int, address: int) -> int | None:
    """A 32-bit int at `address`, or None."""
    raw = read(pid, address, 4)
    return int.from_bytes(raw, "little", signed=True) if len(raw) == 4 else None


def c_long(pid: int, address: int) -> int | None:
    """A 64-bit int at `address`, or None."""
    raw = read(pid, address, 8)
    return int.from_bytes(raw, "little", signed=True) if len(raw) == 8 else None
