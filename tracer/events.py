"""The vocabulary: what happened, in order.

Everything after capture is a function of a sequence of these events, whether they come from a running command or
from a recording. They are typed and frozen and do nothing. Each class is one line type of the recording format
(version 1); its field names are the keys of that line. Times `t` are seconds since `Header.started` on the monotonic
clock. `conn` numbers connections from 1 in the order in which they were made; it is never a descriptor number.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

Direction: TypeAlias = Literal["out", "in"]
"""`out` is from the client to the daemon, `in` is from the daemon to the client."""

Family: TypeAlias = Literal["unix", "inet", "inet6", "pipe"]


class Peer(Struct, frozen=True, kw_only=True):
    """The process at the other end of a connection, and the evidence (`how`) for saying so."""

    pid: int
    uid: int | None = None
    gid: int | None = None
    exe: str | None = None
    comm: str | None = None
    same_pid_namespace: bool | None = None
    how: str = "SO_PEERCRED"


class Header(Struct, frozen=True, kw_only=True, tag_field="type", tag="header"):
    """The first event: what was run, where, and by which tool. `started` is ISO 8601 in UTC."""

    format: str = "socktrace"
    version: int = 1
    tool: str = ""
    started: str = ""
    argv: list[str] = []
    cwd: str = ""
    arch: str = ""
    kernel: str = ""
    endpoint: str | None = None
    env: dict[str, str] = {}
    redacted: bool = False


class Exec(Struct, frozen=True, kw_only=True, tag_field="type", tag="exec"):
    """A process replaced its program (execve(2) succeeded)."""

    t: float
    pid: int
    tid: int
    exe: str
    argv: list[str]


class Fork(Struct, frozen=True, kw_only=True, tag_field="type", tag="fork"):
    """A thread made another thread (`thread`) or another process."""

    t: float
    pid: int
    tid: int
    child: int
    thread: bool


class Exit(Struct, frozen=True, kw_only=True, tag_field="type", tag="exit"):
    """A whole process ended: with `status` 0 to 255, or by `signal`."""

    t: float
    pid: int
    status: int | None = None
    signal: int | None = None


class Connect(Struct, frozen=True, kw_only=True, tag_field="type", tag="connect"):
    """A connection was made, or could not be (`error` is an errno name such as ENOENT)."""

    t: float
    conn: int
    pid: int
    tid: int
    fd: int
    family: Family
    address: str
    error: str | None = None
    peer: Peer | None = None
    comm: str | None = None
    midway: bool = False
    """The connection was open before we looked: its first bytes may be the rest of a message."""


class PeerFound(Struct, frozen=True, kw_only=True, tag_field="type", tag="peer"):
    """Later and better evidence about who is at the other end of `conn`."""

    t: float
    conn: int
    peer: Peer


class Data(Struct, frozen=True, kw_only=True, tag_field="type", tag="data", gc=False):
    """Bytes that the kernel moved in one syscall: `size` is its return value.

    `payload` is None when the bytes were counted and not kept. An `in` event of size 0 is the end of the stream:
    the daemon closed its side (read(2) returned 0).
    """

    t: float
    conn: int
    pid: int
    tid: int
    fd: int
    syscall: str
    dir: Direction
    size: int
    payload: bytes | None


class Failed(Struct, frozen=True, kw_only=True, tag_field="type", tag="error"):
    """A syscall on a followed connection failed for good (ECONNRESET, EPIPE ...; not EAGAIN or EINTR)."""

    t: float
    conn: int
    pid: int
    tid: int
    fd: int
    syscall: str
    error: str


class Shutdown(Struct, frozen=True, kw_only=True, tag_field="type", tag="shutdown"):
    """shutdown(2): `how` is rd, wr or rdwr."""

    t: float
    conn: int
    pid: int
    tid: int
    how: str


class Close(Struct, frozen=True, kw_only=True, tag_field="type", tag="close"):
    """The last descriptor of the connection in the traced processes was closed."""

    t: float
    conn: int
    pid: int
    tid: int


class TlsSecret(Struct, frozen=True, kw_only=True, tag_field="type", tag="tls_secret"):
    """One line of the NSS key log format, for a connection whose bytes are TLS."""

    t: float
    conn: int
    line: str


class Note(Struct, frozen=True, kw_only=True, tag_field="type", tag="note"):
    """What the tool could not see or do, in one sentence."""

    t: float
    message: str


class End(Struct, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last event: how the command ended, and how many bytes were moved, or lost to the tool."""

    t: float
    exit_code: int | None = None
    signal: int | None = None
    bytes_out: int = 0
    bytes_in: int = 0
    lost: int = 0


Event: TypeAlias = (
    Header | Exec | Fork | Exit | Connect | PeerFound | Data | Failed | Shutdown | Close | TlsSecret | Note | End
)
