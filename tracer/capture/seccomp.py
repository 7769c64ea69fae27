"""The seccomp-BPF filter that stops the command only at the syscalls we follow.

A filter is a list of `struct sock_filter` (include/uapi/linux/filter.h) that reads `struct seccomp_data`
(include/uapi/linux/seccomp.h): number at 0, architecture at 4, arguments from 16, eight bytes each.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from tracer.capture.arch import Architecture
from tracer.capture.syscalls import SPECS, Guard, Spec

ALLOW = 0x7FFF0000
TRACE = 0x7FF00000

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_ABOVE = 0x25  # BPF_JMP | BPF_JGT | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16

Instruction = tuple[int, int, int, int]
"""(code, jump if true, jump if false, k)"""


def program(arch: Architecture) -> list[Instruction]:
    """The filter: TRACE for the calls of `syscalls.SPECS` on `arch`, ALLOW for all else (32-bit calls included)."""
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCH_AT),
        (JUMP_EQUAL, 1, 0, arch.audit),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    for spec in SPECS:
        if spec.name in arch.numbers:
            block = _block(spec)
            code.append((JUMP_EQUAL, 0, len(block), arch.numbers[spec.name]))
            code += block
    code.append((RETURN, 0, 0, ALLOW))
    return code


def _block(spec: Spec) -> list[Instruction]:
    """What happens once the number is known: each guard returns ALLOW where it does not hold."""
    code: list[Instruction] = []
    for guard in spec.guards:
        code += _guard(guard)
    return [*code, (RETURN, 0, 0, TRACE)]


def _guard(guard: Guard) -> list[Instruction]:
    low_half = ARGUMENTS_AT + 8 * guard.argument
    load: Instruction = (LOAD, 0, 0, low_half)
    if guard.relation == "above":
        return [load, (JUMP_ABOVE, 1, 0, guard.values[0]), (RETURN, 0, 0, ALLOW)]
    count = len(guard.values)
    tests: list[Instruction] = [
        (JUMP_EQUAL, count - index, 0, value) for index, value in enumerate(guard.values)
    ]
    return [load, *tests, (RETURN, 0, 0, ALLOW)]


PR_SET_NO_NEW_PRIVS = 38
PR_SET_SECCOMP = 22
SECCOMP_MODE_FILTER = 2


def install(code: list[Instruction]) -> int:
    """Install the filter on the calling thread; 0, or the errno with which the kernel refused.

    no_new_privs is set only where the kernel demands it, so that setuid programs go on working under root.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    instructions = b"".join(struct.pack("=HBBI", *line) for line in code)
    holder = ctypes.create_string_buffer(instructions, len(instructions))
    fprog = ctypes.create_string_buffer(struct.pack("@HP", len(code), ctypes.addressof(holder)))
    ulong = ctypes.c_ulong

    def attempt() -> int:
        if libc.prctl(PR_SET_SECCOMP, ulong(SECCOMP_MODE_FILTER), fprog, ulong(0), ulong(0)) == 0:
            return 0
        return ctypes.get_errno()

    refused = attempt()
    if refused in (errno.EACCES, errno.EPERM):
        zero = ulong(0)
        if libc.prctl(PR_SET_NO_NEW_PRIVS, ulong(1), zero, zero, zero) == 0:
            refused = attempt()
    return refused


def describe(number: int) -> str:
    """An errno in words, for the note that says why the filter could not be installed."""
    return os.strerror(number)
