"""A breakpoint in Go programs, where crypto/tls has a session's secrets in its registers.

Every session calls `writeKeyLog` with each of its secrets, whether or not a key log is wanted. Its first instruction is
copied, with a jump back behind it, to the program's start, which never runs again; a breakpoint takes its place. A
thread that hits it is read and goes on in the copy: nobody else has to wait, and no thread slips by.

Arguments are in registers since Go 1.17 (x86_64) and 1.18 (aarch64): Go's internal ABI specification. Register order:
struct user_regs_struct, struct user_pt_regs.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from msgspec import Struct

from tracer.capture import golang, kernel, memory

FUNCTION = "crypto/tls.(*Config).writeKeyLog"
CODE_SIZE = 16
MOST = 256
"""Bytes of a label or secret."""

_LONGEST_PROLOGUE = 8
_X86_PROLOGUES = {
    b"\x49\x3b\x66\x10": 4,  # cmp rsp, [r14+16]: is there stack for a small frame?
    b"\x4c\x8d\x64\x24": 5,  # lea r12, [rsp-small]: and for a larger one
    b"\x4c\x8d\xa4\x24": 8,  # lea r12, [rsp-large]
}


class _Abi(Struct, frozen=True):
    """Indexes of registers: the program counter, and (address, length) of the label, the random and the secret.

    `behind` is how far the program counter is past a breakpoint when it is reported.
    """

    counter: int
    label: tuple[int, int]
    random: tuple[int, int]
    secret: tuple[int, int]
    breakpoint: bytes
    behind: int
    copy: Callable[[bytes, int, int], bytes | None]


def _copy_x86(code: bytes, at: int, to: int) -> bytes | None:
    """The first instruction of `code`, which is at `at`, and a jump behind it, to be placed at `to`."""
    size = _X86_PROLOGUES.get(code[:4])
    if size is None:
        return None
    distance = (at + size) - (to + size + 5)
    return code[:size] + b"\xe9" + struct.pack("<i", distance) if abs(distance) < 1 << 31 else None


def _copy_aarch64(code: bytes, at: int, to: int) -> bytes | None:
    """As for x86_64; the instruction must be a load relative to a register (ldr x16, [x28, #16])."""
    (instruction,) = struct.unpack_from("<I", code)
    distance = (at + 4) - (to + 4)
    if instruction & 0xFFC00000 != 0xF9400000 or abs(distance) >= 1 << 27:
        return None
    branch = 0x14000000 | (distance >> 2 & 0x03FFFFFF)
    return struct.pack("<II", instruction, branch)


_ABIS = {
    "x86_64": _Abi(16, (5, 11), (14, 13), (8, 7), b"\xcc", 1, _copy_x86),
    "aarch64": _Abi(32, (1, 2), (3, 4), (6, 7), struct.pack("<I", 0xD4200000), 0, _copy_aarch64),
}


class Trap:
    """The breakpoint in one address space."""

    def __init__(self, abi: _Abi, address: int, copy: int, original: bytes) -> None:
        self._abi = abi
        self._address = address
        self._copy = copy
        self._original = original

    def hit(self, tid: int) -> str | None:
        """Read a thread that stopped by SIGTRAP and send it on: a line of a key log; None if it is not our breakpoint.

        An empty line stands for arguments that could not be read. Raises Gone.
        """
        registers = kernel.registers(tid)
        if registers[self._abi.counter] - self._abi.behind != self._address:
            return None
        registers[self._abi.counter] = self._copy
        kernel.set_registers(tid, registers)
        label, random, secret = (
            memory.read(tid, registers[where[0]], min(registers[where[1]], MOST))
            for where in (self._abi.label, self._abi.random, self._abi.secret)
        )
        is_label = label.replace(b"_", b"").isalnum() and label.isascii()
        return f"{label.decode()} {random.hex()} {secret.hex()}" if is_label and random and secret else ""

    def remove(self, pid: int) -> None:
        """Put the function's own instruction back. The copy stays, for a thread that may be in it."""
        memory.write(pid, self._address, self._original)


def plant(pid: int) -> Trap | str | None:
    """Set the breakpoint in a stopped process; None if it is no Go program with TLS, a reason if it can't be done."""
    abi = _ABIS.get(os.uname().machine)
    path = f"/proc/{pid}/exe"
    function = golang.find(path, FUNCTION) if abi else None
    if abi is None or function is None:
        return None
    bias = golang.load_bias(pid, function)
    if bias is None:
        return "its place in memory is not known"
    base = memory.c_long(pid, function.base_at + bias) if function.base_at else 0
    address = function.entry + (base or function.text + bias)
    start = function.start + bias
    code = memory.read(pid, address, CODE_SIZE)
    copied = abi.copy(code, address, start) if len(code) == CODE_SIZE else None
    if copied is None:
        return "its TLS code begins in an unknown way"
    size = len(abi.breakpoint)
    if not memory.write(pid, start, copied) or not memory.write(pid, address, abi.breakpoint):
        return "its memory can't be written"
    return Trap(abi, address, start, code[:size])
