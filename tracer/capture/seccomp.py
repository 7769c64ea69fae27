"""The seccomp-BPF filter that stops the command only at the syscalls we follow.

A filter is a list of `struct sock_filter` (include/uapi/linux/filter.h) that reads `struct seccomp_data`
(include/uapi/linux/seccomp.h): number at 0, architecture at 4, arguments from 16, eight bytes each.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from tracer.capture.arch import Architecture
from tracer.capture.syscalls import SPECS, Guard, Spec

ALLOW = 0x7FFF0000
TRACE = 0x7FF00000

LOAD = 0x20  # BPF_LD | BPF_W | BPF_ABS
JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
JUMP_ABOVE = 0x25  # BPF_JMP | BPF_JGT | BPF_K
JUMP_BITS = 0x45  # BPF_JMP | BPF_JSET | BPF_K
RETURN = 0x06  # BPF_RET | BPF_K

NUMBER_AT, ARCH_AT, ARGUMENTS_AT = 0, 4, 16

Instruction = tuple[int, int, int, int]
"""(code, jump if true, jump if false, k)"""


def program(arch: Architecture, specs: Sequence[Spec] = SPECS) -> list[Instruction]:
    """The filter: TRACE for the calls of `specs` on `arch`, ALLOW for all else (32-bit calls included)."""
    code: list[Instruction] = [
        (LOAD, 0, 0, ARCH_AT),
        (JUMP_EQUAL, 1, 0, arch.audit),
        (RETURN, 0, 0, ALLOW),
        (LOAD, 0, 0, NUMBER_AT),
    ]
    for spec in specs:
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
    if guard.relation == "bits":
        return [load, (JUMP_BITS, 1, 0, guard.values[0]), (RETURN, 0, 0, ALLOW)]
    if guard.relation == "above":
        return [load, (JUMP_ABOVE, 1, 0, guard.values[0]), (RETURN, 0, 0, ALLOW)]
    count = len(guard.values)
    tests: list[Instruction] = [(JUMP_EQUAL, count - index, 0, value) for index, value in enumerate(guard.values)]
    return [load, *tests, (RETURN, 0, 0, ALLOW)]


def as_bytes(code: list[Instruction]) -> bytes:
    """The filter as an array of struct sock_filter."""
    return b"".join(struct.pack("=HBBI", *line) for line in code)
