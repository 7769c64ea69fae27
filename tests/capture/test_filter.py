"""The seccomp filter and the tables behind it, by an interpreter of the filter's little machine."""

from __future__ import annotations

import struct

import pytest

from tracer.capture import arch, kernel, seccomp
from tracer.capture.syscalls import SPECS, THOROUGH, Spec

NAMES = [spec.name for spec in SPECS]


def verdict(code: list[seccomp.Instruction], audit: int, number: int, *arguments: int) -> int:
    """What the filter returns for a call: the classic BPF machine with the five instructions we use."""
    values = [value & 0xFFFFFFFFFFFFFFFF for value in (*arguments, *[0] * 6)][:6]
    data = struct.pack("=iIQ6Q", number, audit, 0, *values)
    accumulator = at = 0
    while True:
        operation, if_true, if_false, k = code[at]
        at += 1
        if operation == seccomp.LOAD:
            accumulator = int.from_bytes(data[k : k + 4], "little")
        elif operation == seccomp.RETURN:
            return k
        else:
            tests = {seccomp.JUMP_EQUAL: accumulator == k, seccomp.JUMP_BITS: bool(accumulator & k)}
            holds = tests.get(operation, accumulator > k)
            at += if_true if holds else if_false


@pytest.fixture(params=list(arch.ARCHITECTURES.values()), ids=lambda found: found.name)
def architecture(request: pytest.FixtureRequest) -> arch.Architecture:
    found = request.param
    assert isinstance(found, arch.Architecture)
    return found


SATISFYING = {"getsockopt": (3, 1, 4), "fcntl": (3, 0), "unshare": (0x400,), "read": (3,), "write": (3,)}


@pytest.mark.parametrize("spec", SPECS, ids=NAMES)
def test_every_followed_syscall_stops_the_command(spec: Spec, architecture: arch.Architecture) -> None:
    if spec.name not in architecture.numbers:
        assert (architecture.name, spec.name) == ("aarch64", "dup2")  # it has dup3 only
        return
    code = seccomp.program(architecture)
    arguments = SATISFYING.get(spec.name, (3, 3, 3))
    assert verdict(code, architecture.audit, architecture.numbers[spec.name], *arguments) == seccomp.TRACE


def test_every_other_syscall_passes(architecture: arch.Architecture) -> None:
    code = seccomp.program(architecture)
    followed = {architecture.numbers[name] for name in NAMES if name in architecture.numbers}
    for number in range(500):
        if number not in followed:
            assert verdict(code, architecture.audit, number, 3, 3, 3) == seccomp.ALLOW


def test_standard_streams_and_other_questions_pass(architecture: arch.Architecture) -> None:
    code = seccomp.program(architecture)
    numbers = architecture.numbers
    for name in ("read", "write", "readv", "writev"):
        for fd in (0, 1, 2):
            assert verdict(code, architecture.audit, numbers[name], fd) == seccomp.ALLOW
    assert verdict(code, architecture.audit, numbers["fcntl"], 3, 3) == seccomp.ALLOW
    assert verdict(code, architecture.audit, numbers["fcntl"], 3, 1030) == seccomp.TRACE
    assert verdict(code, architecture.audit, numbers["getsockopt"], 3, 1, 7) == seccomp.ALLOW


def test_for_a_proof_output_sockets_and_hidden_processes_stop_too(architecture: arch.Architecture) -> None:
    code = seccomp.program(architecture, THOROUGH)
    numbers, audit = architecture.numbers, architecture.audit
    for fd, name, answer in ((1, "write", seccomp.TRACE), (2, "writev", seccomp.TRACE), (1, "read", seccomp.ALLOW)):
        assert verdict(code, audit, numbers[name], fd) == answer
    for family, answer in ((1, seccomp.ALLOW), (2, seccomp.TRACE), (10, seccomp.TRACE), (17, seccomp.TRACE)):
        assert verdict(code, audit, numbers["socket"], family) == answer
    assert verdict(code, audit, numbers["clone"], 0x003D0F00) == seccomp.ALLOW, "an ordinary thread"
    assert verdict(code, audit, numbers["clone"], 0x00800000 | 17) == seccomp.TRACE
    assert verdict(code, audit, numbers["clone3"], 0) == seccomp.TRACE


def test_calls_of_another_architecture_pass(architecture: arch.Architecture) -> None:
    i386 = 0x40000003
    assert verdict(seccomp.program(architecture), i386, 3, 3) == seccomp.ALLOW


def test_the_numbers_are_those_of_python_ptrace() -> None:
    from ptrace.syscall.linux import aarch64, x86_64

    oracles = {"x86_64": x86_64.SYSCALL_NAMES, "aarch64": aarch64.SYSCALL_NAMES}
    for name, found in arch.ARCHITECTURES.items():
        for call, number in found.numbers.items():
            assert oracles[name].get(number, call) == call, (name, number)
        assert (
            len(set(oracles[name]) & set(found.numbers.values())) >= len(found.numbers) - 2
        )  # close_range and clone3 are newer


def test_jumps_fit_into_their_bytes(architecture: arch.Architecture) -> None:
    assert len(seccomp.as_bytes(seccomp.program(architecture))) == 8 * len(seccomp.program(architecture))
    assert all(line[1] < 256 and line[2] < 256 for line in seccomp.program(architecture))


# struct ptrace_syscall_info, as an x86_64 and an aarch64 kernel lay it out: the same.
ENTRY = struct.pack("=B3xIQQ7Q", 1, 0xC00000B7, 0xFFFF1234, 0xFFFFAAAA, 64, 3, 0x1000, 88, 0, 0, 0)
EXIT = struct.pack("=B3xIQQqB", 2, 0xC000003E, 0x7F00, 0x7FFF, -11, 1)
SECCOMP = struct.pack("=B3xIQQ7QI", 3, 0xC000003E, 0x7F00, 0x7FFF, 1, 3, 0x1000, 88, 0, 0, 0, 0)


def test_syscall_info_is_read_alike_on_every_architecture() -> None:
    assert kernel.parse_syscall_info(ENTRY.ljust(88, b"\0")) == kernel.SyscallInfo(
        1, 0xC00000B7, (64, 3, 0x1000, 88, 0, 0, 0)
    )
    assert kernel.parse_syscall_info(EXIT.ljust(88, b"\0")) == kernel.SyscallInfo(2, 0xC000003E, (-11,))
    assert kernel.parse_syscall_info(SECCOMP.ljust(88, b"\0")) == kernel.SyscallInfo(
        3, 0xC000003E, (1, 3, 0x1000, 88, 0, 0, 0)
    )
