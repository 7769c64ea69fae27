"""The ptrace requests and system calls that the tracer needs, each as one typed function.

python-ptrace gives the binding; what it lacks (PTRACE_SEIZE, PTRACE_LISTEN, PTRACE_GET_SYSCALL_INFO and their
constants) comes from include/uapi/linux/ptrace.h. Every function may raise `Gone`: a tracee can be killed at any
moment, and then ptrace(2) answers ESRCH.
"""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from msgspec import Struct


class _StandIn(ModuleType):
    """Whatever is asked of it is a function that answers None."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@contextmanager
def _stand_ins(*names: str) -> Iterator[None]:
    """In the block these modules are not imported."""
    missing = [name for name in names if name not in sys.modules]
    sys.modules.update({name: _StandIn(name) for name in missing})
    try:
        yield
    finally:
        for name in missing:
            del sys.modules[name]


# python-ptrace asks ctypes.util for the name of libc, which runs ldconfig (25 ms; for None ctypes gives the libc that
# is loaded already), and has functions that log, which we don't use: 6 ms more before a command starts.
with _stand_ins("ctypes.util", "logging", "traceback", "ptrace.logging_tools"):
    from ptrace.binding.func import (
        PTRACE_CONT,
        PTRACE_DETACH,
        PTRACE_EVENT_CLONE,
        PTRACE_EVENT_EXEC,
        PTRACE_EVENT_FORK,
        PTRACE_EVENT_VFORK,
        PTRACE_GETEVENTMSG,
        PTRACE_O_TRACECLONE,
        PTRACE_O_TRACEEXEC,
        PTRACE_O_TRACEFORK,
        PTRACE_O_TRACESYSGOOD,
        PTRACE_O_TRACEVFORK,
        PTRACE_SYSCALL,
    )
    from ptrace.ctypes_libc import libc

__all__ = [
    "PTRACE_CONT",
    "PTRACE_DETACH",
    "PTRACE_EVENT_CLONE",
    "PTRACE_EVENT_EXEC",
    "PTRACE_EVENT_FORK",
    "PTRACE_EVENT_VFORK",
    "PTRACE_SYSCALL",
]

PTRACE_SEIZE = 0x4206
PTRACE_INTERRUPT = 0x4207
PTRACE_LISTEN = 0x4208
PTRACE_GET_SYSCALL_INFO = 0x420E
PTRACE_O_TRACESECCOMP = 0x80
PTRACE_O_EXITKILL = 1 << 20
PTRACE_EVENT_SECCOMP = 7
PTRACE_EVENT_STOP = 128

WALL = 0x40000000
"""__WALL of wait(2): threads are waited for as well."""

FOLLOW = (
    PTRACE_O_TRACESYSGOOD
    | PTRACE_O_TRACEFORK
    | PTRACE_O_TRACEVFORK
    | PTRACE_O_TRACECLONE
    | PTRACE_O_TRACEEXEC
    | PTRACE_O_TRACESECCOMP
)

SYSCALL_STOP = signal.SIGTRAP | 0x80
"""The stop signal at a syscall, with PTRACE_O_TRACESYSGOOD."""

OP_EXIT = 2
"""`op` of struct ptrace_syscall_info at a syscall-exit stop; 1 is an entry stop, 3 a seccomp stop."""


class Gone(Exception):
    """The tracee vanished (ESRCH): normal at every single ptrace call."""


_ptrace = libc["ptrace"]  # python-ptrace's own function around it takes as long as the call
_ptrace.restype = ctypes.c_long
_ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_ulong, ctypes.c_ulong]


def request(number: int, tid: int, address: int = 0, data: int = 0) -> None:
    """One ptrace(2) request. Raises Gone for ESRCH and OSError for every other errno."""
    if _ptrace(number, tid, address, data) == -1:
        refused = ctypes.get_errno()
        if refused == errno.ESRCH:
            raise Gone(tid)
        raise OSError(refused, os.strerror(refused))


def seize(tid: int, *, exit_kill: bool) -> None:
    """Attach without stopping. With `exit_kill` the tracee is killed when the tracer dies."""
    request(PTRACE_SEIZE, tid, 0, FOLLOW | (PTRACE_O_EXITKILL if exit_kill else 0))


_message = ctypes.c_ulong()
_MESSAGE_AT = ctypes.addressof(_message)


def event_message(tid: int) -> int:
    """PTRACE_GETEVENTMSG: at a fork, vfork or clone event the id of what was born."""
    request(PTRACE_GETEVENTMSG, tid, 0, _MESSAGE_AT)
    return _message.value


PTRACE_GETREGSET, PTRACE_SETREGSET = 0x4204, 0x4205
NT_PRSTATUS = 1
_MOST_REGISTERS = 64
_registers = (ctypes.c_uint64 * _MOST_REGISTERS)()
_registers_at = (ctypes.c_uint64 * 2)()
"""A struct iovec."""


def registers(tid: int) -> list[int]:
    """The general registers of a stopped thread, in the order of struct user_regs_struct. Raises Gone."""
    _registers_at[:] = [ctypes.addressof(_registers), ctypes.sizeof(_registers)]
    request(PTRACE_GETREGSET, tid, NT_PRSTATUS, ctypes.addressof(_registers_at))
    return list(_registers[: _registers_at[1] // 8])


def set_registers(tid: int, values: list[int]) -> None:
    """Set all of them. Raises Gone."""
    for index, value in enumerate(values):
        _registers[index] = value
    _registers_at[:] = [ctypes.addressof(_registers), 8 * len(values)]
    request(PTRACE_SETREGSET, tid, NT_PRSTATUS, ctypes.addressof(_registers_at))


PTRACE_GETSIGMASK, PTRACE_SETSIGMASK = 0x420A, 0x420B
_mask = ctypes.c_uint64()
"""A sigset_t of the kernel."""


def signal_mask(tid: int) -> int:
    """Which signals a stopped thread blocks, a bit each. Raises Gone."""
    request(PTRACE_GETSIGMASK, tid, ctypes.sizeof(_mask), ctypes.addressof(_mask))
    return _mask.value


def set_signal_mask(tid: int, mask: int) -> None:
    """Set it. Raises Gone."""
    _mask.value = mask
    request(PTRACE_SETSIGMASK, tid, ctypes.sizeof(_mask), ctypes.addressof(_mask))


class SyscallInfo(Struct, frozen=True):
    """struct ptrace_syscall_info: `values` is (number, arg0 .. arg5) at an entry or seccomp stop, else (result,)."""

    op: int
    audit: int
    values: tuple[int, ...]


_INFO_SIZE = 88
_info = ctypes.create_string_buffer(_INFO_SIZE)
_INFO_AT = ctypes.addressof(_info)
_HEAD = struct.Struct("=B3xI16x")
_ENTRY = struct.Struct("=7Q")
_EXIT = struct.Struct("=q")


def parse_syscall_info(raw: bytes | memoryview) -> SyscallInfo:
    """Decode the bytes of struct ptrace_syscall_info (include/uapi/linux/ptrace.h)."""
    op, audit = _HEAD.unpack_from(raw)
    return SyscallInfo(op, audit, (_EXIT if op == OP_EXIT else _ENTRY).unpack_from(raw, _HEAD.size))


_info_view = memoryview(_info)


def syscall_info(tid: int) -> SyscallInfo:
    """What the stopped thread is about to call, or what its call returned."""
    request(PTRACE_GET_SYSCALL_INFO, tid, _INFO_SIZE, _INFO_AT)
    return parse_syscall_info(_info_view)


_syscall = libc.syscall
_syscall.restype = ctypes.c_long

SYS_KCMP = {"x86_64": 312, "aarch64": 272}
KCMP_FILES = 2
SYS_PIDFD_GETFD = 438


def shares_files(one: int, other: int) -> bool:
    """Whether two processes share one descriptor table (CLONE_FILES), by kcmp(2); False where it can't be told."""
    number = SYS_KCMP.get(os.uname().machine)
    if number is None:
        return False
    return int(_syscall(number, one, other, KCMP_FILES, 0, 0)) == 0


CLONE_NEWNET = 0x40000000


@contextmanager
def network_of(pid: int) -> Iterator[None]:
    """In the block this thread is in the network namespace of process `pid` (setns(2)). OSError if it may not be."""
    theirs, ours = f"/proc/{pid}/ns/net", "/proc/thread-self/ns/net"
    if os.readlink(theirs) == os.readlink(ours):
        yield
        return
    back, there = os.open(ours, os.O_RDONLY), os.open(theirs, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        try:
            yield
        finally:
            libc.setns(back, CLONE_NEWNET)
    finally:
        os.close(back)
        os.close(there)


def descriptor_of(pidfd: int, fd: int) -> int:
    """A duplicate, in this process, of descriptor `fd` of the process (pidfd_getfd(2), Linux 5.6). OSError if not."""
    copy = int(_syscall(SYS_PIDFD_GETFD, pidfd, fd, 0))
    if copy < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return copy


def steal_descriptor(pid: int, fd: int) -> int:
    """The same of process `pid`."""
    pidfd = os.pidfd_open(pid)
    try:
        return descriptor_of(pidfd, fd)
    finally:
        os.close(pidfd)


_recv = libc.recv
_recv.restype = ctypes.c_ssize_t
_recv.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def receive(fd: int, buffer: bytearray, flags: int) -> int:
    """Receive from our socket `fd` into all of `buffer` (recv(2)): how many bytes, 0 if there are none."""
    into = (ctypes.c_char * len(buffer)).from_buffer(buffer)
    return max(0, int(_recv(fd, ctypes.addressof(into), len(buffer), flags)))
