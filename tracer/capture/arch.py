"""The only per-architecture facts: the audit number of the architecture and the numbers of the syscalls we follow.

Sources: arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h, include/uapi/linux/audit.h.
PTRACE_GET_SYSCALL_INFO (Linux 5.3) gives number and arguments in the same form everywhere, so no register names.
"""

from __future__ import annotations

import os

from msgspec import Struct


class Architecture(Struct, frozen=True):
    """`audit` is AUDIT_ARCH_*, as seccomp and PTRACE_GET_SYSCALL_INFO report it; `numbers` maps name to number."""

    name: str
    audit: int
    numbers: dict[str, int]


X86_64 = Architecture(
    "x86_64",
    0xC000003E,
    {
        "read": 0,
        "write": 1,
        "close": 3,
        "readv": 19,
        "writev": 20,
        "dup": 32,
        "dup2": 33,
        "sendfile": 40,
        "socket": 41,
        "connect": 42,
        "sendto": 44,
        "recvfrom": 45,
        "sendmsg": 46,
        "recvmsg": 47,
        "shutdown": 48,
        "socketpair": 53,
        "getsockopt": 55,
        "clone": 56,
        "fcntl": 72,
        "unshare": 272,
        "splice": 275,
        "dup3": 292,
        "recvmmsg": 299,
        "sendmmsg": 307,
        "preadv2": 327,
        "pwritev2": 328,
        "io_uring_setup": 425,
        "clone3": 435,
        "close_range": 436,
        "pidfd_getfd": 438,
    },
)

AARCH64 = Architecture(
    "aarch64",
    0xC00000B7,
    {
        "dup": 23,
        "dup3": 24,
        "fcntl": 25,
        "close": 57,
        "read": 63,
        "write": 64,
        "readv": 65,
        "writev": 66,
        "sendfile": 71,
        "splice": 76,
        "unshare": 97,
        "socket": 198,
        "socketpair": 199,
        "connect": 203,
        "sendto": 206,
        "recvfrom": 207,
        "getsockopt": 209,
        "shutdown": 210,
        "sendmsg": 211,
        "recvmsg": 212,
        "clone": 220,
        "recvmmsg": 243,
        "sendmmsg": 269,
        "preadv2": 286,
        "pwritev2": 287,
        "io_uring_setup": 425,
        "clone3": 435,
        "close_range": 436,
        "pidfd_getfd": 438,
    },
)

ARCHITECTURES = {arch.name: arch for arch in (X86_64, AARCH64)}


def native() -> Architecture | None:
    """The architecture of this machine, or None where socktrace has no table for it."""
    return ARCHITECTURES.get(os.uname().machine)
