"""Which syscalls are followed, as one table: how each moves bytes, and when the filter lets it pass unseen.

Add a syscall by adding a row here and its number in `arch`. The order of the rows is the order of the tests in the
seccomp filter: the frequent ones first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from tracer.events import Direction

Shape: TypeAlias = Literal["buffer", "vector", "message", "messages", "file"]
"""Where the bytes are: (buf, len) in args 1 and 2; (iov, count) there; a msghdr or an mmsghdr array; a file."""


class Guard(Struct, frozen=True):
    """The call is followed only if argument `argument` (its low 32 bits) compares so with one of `values`.

    `bits`: one of the bits of the only value is set.
    """

    argument: int
    relation: Literal["above", "in", "bits"]
    values: tuple[int, ...]

    def holds(self, arguments: Sequence[int]) -> bool:
        """Whether the call may be followed, as the filter would have it."""
        value = arguments[self.argument] & 0xFFFFFFFF
        if self.relation == "above":
            return value > self.values[0]
        return bool(value & self.values[0]) if self.relation == "bits" else value in self.values


class Spec(Struct, frozen=True):
    """One followed syscall. `direction` is None for calls that manage descriptors and connections."""

    name: str
    direction: Direction | None = None
    shape: Shape = "buffer"
    guards: tuple[Guard, ...] = ()
    fd_argument: int = 0
    flags_argument: int | None = None

    def follows(self, arguments: Sequence[int]) -> bool:
        """Whether all its guards hold."""
        return not self.guards or all(guard.holds(arguments) for guard in self.guards)


NOT_STDIO = Guard(0, "above", (2,))
"""Descriptors 0 to 2 are the command's own streams; when one becomes a followed socket the process leaves the
filter's help and stops at every syscall (see `descriptors`)."""

F_DUPFD, F_DUPFD_CLOEXEC = 0, 1030
SOL_SOCKET, SO_ERROR = 1, 4
SOCK_STREAM, SOCK_TYPE_MASK = 1, 0xF
MSG_PEEK, MSG_TRUNC, MSG_DONTWAIT, MSG_NOSIGNAL = 0x02, 0x20, 0x40, 0x4000
CLONE_FILES = 0x400
CLONE_UNTRACED = 0x00800000
AF_INET, AF_INET6, AF_PACKET = 2, 10, 17

SPECS = (
    Spec("read", "in", guards=(NOT_STDIO,)),
    Spec("write", "out", guards=(NOT_STDIO,)),
    Spec("close"),
    Spec("recvfrom", "in", flags_argument=3),
    Spec("sendto", "out", flags_argument=3),
    Spec("recvmsg", "in", "message", flags_argument=2),
    Spec("sendmsg", "out", "message", flags_argument=2),
    Spec("readv", "in", "vector", (NOT_STDIO,)),
    Spec("writev", "out", "vector", (NOT_STDIO,)),
    Spec("preadv2", "in", "vector"),
    Spec("pwritev2", "out", "vector"),
    Spec("recvmmsg", "in", "messages", flags_argument=3),
    Spec("sendmmsg", "out", "messages", flags_argument=3),
    Spec("sendfile", "out", "file"),
    Spec("splice", "in", "file"),
    Spec("connect"),
    Spec("socketpair"),
    Spec("shutdown"),
    Spec("getsockopt", guards=(Guard(1, "in", (SOL_SOCKET,)), Guard(2, "in", (SO_ERROR,)))),
    Spec("dup"),
    Spec("dup2"),
    Spec("dup3"),
    Spec("fcntl", guards=(Guard(1, "in", (F_DUPFD, F_DUPFD_CLOEXEC)),)),
    Spec("close_range"),
    Spec("unshare", guards=(Guard(0, "above", (0,)),)),
    Spec("io_uring_setup"),
    Spec("pidfd_getfd"),
)

BRINGING = {"connect", "socketpair", "recvmsg", "recvmmsg", "unshare", "io_uring_setup", "pidfd_getfd"}
"""The calls by which a process comes to a connection, and those that must be known from the beginning."""

NARROW = tuple(spec for spec in SPECS if spec.name in BRINGING)
"""What is followed in a process that has no connection yet (see `widening`)."""

NOT_STDIN, NOT_STDOUT = Guard(0, "above", (0,)), Guard(0, "above", (1,))
STANDARD = (NOT_STDIN, NOT_STDIO, NOT_STDOUT)


def without_stdio(spec: Spec) -> Spec:
    """The guards on standard streams are for the filter alone: a followed socket may become one of them."""
    return replace(spec, guards=tuple(guard for guard in spec.guards if guard not in STANDARD))


def _with_output(guard: Guard) -> tuple[Spec, ...]:
    """What is followed, and writes to standard streams as well as `guard` has it."""
    return tuple(
        replace(spec, guards=(guard,)) if spec.direction == "out" and NOT_STDIO in spec.guards else spec
        for spec in SPECS
    )


WITH_ERRORS = _with_output(NOT_STDOUT)
"""What is followed while a line of ours is on the terminal of standard error (see `status_line`)."""

THOROUGH = (
    *_with_output(NOT_STDIN),
    Spec("socket", guards=(Guard(0, "in", (AF_INET, AF_INET6, AF_PACKET)),)),
    Spec("clone", guards=(Guard(0, "bits", (CLONE_UNTRACED,)),)),
    Spec("clone3"),
)
"""What is followed for a proof: output, sockets of network families from their making on, processes that hide."""


def signed(value: int) -> int:
    """The C int that a register's low 32 bits hold."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value
