"""A second seccomp filter for a process that has made its first connection.

Most programs that a command starts never talk to a daemon. Until they do, only the calls by which a descriptor of a
followed connection can come into a process stop them; the filter for the rest is installed when the first one has. That
must be done by the process itself: at the exit of the call that brought the descriptor, its thread is made to call
mmap(2), seccomp(2) with SECCOMP_FILTER_FLAG_TSYNC and munmap(2) through the very syscall instruction that it has just
executed, with all signals blocked, and then gets its registers and its signal mask back.

Register order: struct user_regs_struct (arch/x86/include/asm/user_64.h). Other architectures have one filter for all.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence

from tracer.capture import kernel, memory, processes

ARCHITECTURES = ("x86_64",)
INSTRUCTION = b"\x0f\x05"
RAX, RIP = 10, 16
ARGUMENTS = (14, 13, 12, 7, 9, 8)
"""rdi, rsi, rdx, r10, r8, r9."""

MMAP, MUNMAP, SECCOMP = 9, 11, 317
PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS = 3, 0x22
SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC = 1, 1
PAGE = 4096
EVERY_SIGNAL = (1 << 64) - 1


class Interrupted(Exception):
    """The thread ended meanwhile, or another one executed a program in its place: its wait status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def is_possible() -> bool:
    """Whether this machine can do it."""
    return os.uname().machine in ARCHITECTURES and processes.seccomp_filters(os.getpid()) is not None


def install(tid: int, code: bytes) -> bool:
    """Give all threads of the process one more filter, an array of struct sock_filter; False if that can't be done.

    The thread must be in a syscall-exit stop. Raises Gone and Interrupted.
    """
    before = kernel.registers(tid)
    if memory.read(tid, before[RIP] - len(INSTRUCTION), len(INSTRUCTION)) != INSTRUCTION:
        return False
    mask = kernel.signal_mask(tid)
    kernel.set_signal_mask(tid, EVERY_SIGNAL)
    page = _call(tid, before, MMAP, (0, PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0))
    installed = False
    if page > 0:
        head = struct.pack("@HP", len(code) // 8, page + 16)  # struct sock_fprog
        if memory.write(tid, page, head + code):
            arguments = (SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, page)
            installed = _call(tid, before, SECCOMP, arguments) == 0
        _call(tid, before, MUNMAP, (page, PAGE))
    kernel.set_registers(tid, before)
    kernel.set_signal_mask(tid, mask)
    return installed


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
        if os.WSTOPSIG(status) == kernel.SYSCALL_STOP:
            return
