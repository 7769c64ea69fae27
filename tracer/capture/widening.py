"""A second seccomp filter for a process that has made its first connection.

Most programs that a command starts never talk to a daemon. Until they do, only the calls by which a descriptor of a
followed connection can come into a process stop them; the filter for the rest is installed when the first one has. That
must be done by the process itself: at the exit of the call that brought the descriptor, its thread is made to call
mmap(2), seccomp(2) with SECCOMP_FILTER_FLAG_TSYNC and munmap(2) through the very syscall instruction that it has just
executed, with all signals blocked, and then gets its registers and its signal mask back.

Register order: struct user_regs_struct (arch/x86/include/asm/user_64.h). Other architectures have one filter for all.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
from collections.abc import Sequence

from tracer.capture import kernel, memory

SYSCALL_STOP = signal.SIGTRAP | 0x80
ARCHITECTURES = ("x86_64",)
INSTRUCTION = b"\x0f\x05"
RAX, RIP = 10, 16
ARGUMENTS = (14, 13, 12, 7, 9, 8)
"""rdi, rsi, rdx, r10, r8, r9."""

MMAP, MUNMAP, SECCOMP = 9, 11, 317
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1
PAGE = 4096
MASK = ctypes.c_uint64()
"""A sigset_t of the kernel."""

PTRACE_GETSIGMASK, PTRACE_SETSIGMASK = 0x420A, 0x420B


class Interrupted(Exception):
    """The thread ended meanwhile, or another one executed a program in its place: its wait status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def filters_of(tid: int) -> int | None:
    """How many seccomp filters a thread has (Linux 5.9); None where that is not told."""
    try:
        with open(f"/proc/{tid}/status", "rb") as file:
            found = file.read().partition(b"Seccomp_filters:\t")[2]
    except OSError:
        return None
    return int(found.split(b"\n", 1)[0]) if found else None


def is_possible() -> bool:
    """Whether this machine can do it."""
    return os.uname().machine in ARCHITECTURES and filters_of(os.getpid()) is not None


def install(tid: int, code: bytes) -> bool:
    """Give all threads of the process one more filter, an array of struct sock_filter; False if that can't be done.

    The thread must be in a syscall-exit stop. Raises Gone and Interrupted.
    """
    before = kernel.registers(tid)
    if memory.read(tid, before[RIP] - len(INSTRUCTION), len(INSTRUCTION)) != INSTRUCTION:
        return False
    mask = _mask(tid, PTRACE_GETSIGMASK)
    _mask(tid, PTRACE_SETSIGMASK, (1 << 64) - 1)
    page = _call(tid, before, MMAP, (0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0))
    installed = False
    if page > 0:
        head = struct.pack("@HP", len(code) // 8, page + 16)  # struct sock_fprog
        if memory.write(tid, page, head + code):
            arguments = (SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, page)
            installed = _call(tid, before, SECCOMP, arguments) == 0
        _call(tid, before, MUNMAP, (page, PAGE))
    kernel.set_registers(tid, before)
    _mask(tid, PTRACE_SETSIGMASK, mask)
    return installed


def _mask(tid: int, request: int, value: int = 0) -> int:
    MASK.value = value
    kernel.request(request, tid, ctypes.sizeof(MASK), ctypes.addressof(MASK))
    return MASK.value


def _call(tid: int, registers: Sequence[int], number: int, arguments: Sequence[int]) -> int:
    """Have the thread make a call; its result."""
    changed = list(registers)
    changed[RAX] = number
    changed[RIP] -= len(INSTRUCTION)
    for index, value in zip(ARGUMENTS, arguments, strict=False):
        changed[index] = value & (1 << 64) - 1
    kernel.set_registers(tid, changed)
    for _ in ("entry", "exit"):
        _next_syscall_stop(tid)
    return kernel.syscall_info(tid).values[0]


def _next_syscall_stop(tid: int) -> None:
    """On to the next stop at a syscall; no signal comes between, and other stops are passed by."""
    while True:
        kernel.request(kernel.PTRACE_SYSCALL, tid)
        _, status = os.waitpid(tid, kernel.WALL)
        if not os.WIFSTOPPED(status) or status >> 16 == kernel.PTRACE_EVENT_EXEC:
            raise Interrupted(status)
        if os.WSTOPSIG(status) == SYSCALL_STOP:
            return
