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
    same_root: bool | None = None
    """Whether it sees the same file system as we do: not so in a container."""
    inode: int | None = None
    """Of its socket, which is paired with the client's (`paired_with`), and its descriptor (`fd`)."""
    fd: int | None = None
    bound: str | None = None
    """The path that it gave the socket when it bound it, in its own view of the file system."""
    paired_with: int | None = None
    how: str = "SO_PEERCRED"
    """SO_PEERCRED, sock_diag, or helper: this process only carries the bytes to another machine."""


class SocketFile(Struct, frozen=True, kw_only=True):
    """The file of a Unix socket: its path with symlinks resolved, its identity, its mode (octal) and its owner."""

    path: str
    device: int
    inode: int
    mode: str
    uid: int
    gid: int


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
    evidence: bool = False
    """The run was watched for a proof: output, other sockets from their making on, processes that hide."""


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
    file: SocketFile | None = None
    midway: bool = False
    """The connection was open before we looked: its first bytes may be the rest of a message."""
    other: bool = False
    """Nobody named this address: it is followed because every stream socket is."""


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
    plain: bool = False
    """These bytes were inside of TLS records, which were decrypted."""


class Credentials(Struct, frozen=True, kw_only=True, tag_field="type", tag="credentials"):
    """What a masked header said, without its secret: credentials for `registry` as `user`, of which `kind`.

    Comes before the `data` that ends the head in question, which begins at offset `at` of the connection's `out`
    stream. `kind` is password, identity token, registry token or nothing.
    """

    t: float
    conn: int
    at: int
    registry: str
    user: str
    kind: str


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
    """One line of the NSS key log format; `conn` is 0 where the client's hello was not seen."""

    t: float
    conn: int
    line: str


class Certificate(Struct, frozen=True, kw_only=True):
    """An X.509 certificate (RFC 5280): distinguished names (RFC 4514), validity in UTC (ISO 8601), other names."""

    subject: str
    issuer: str
    not_before: str
    not_after: str
    names: list[str] = []


class Alert(Struct, frozen=True, kw_only=True):
    """A TLS alert (RFC 8446 section 6), by the name that the RFC gives it; closing alerts are left out."""

    dir: Direction
    name: str
    fatal: bool = True


class Tls(Struct, frozen=True, kw_only=True, tag_field="type", tag="tls"):
    """What is known of the TLS session of `conn`; comes when its first bytes are read, and again with its end.

    `certificates` are the server's, `client_certificates` the client's, each owner's first. `records_out` and
    `records_in` are the bytes of its records, so far. `problem` says why the bytes inside can't be read.
    """

    t: float
    conn: int
    version: str | None = None
    cipher: str | None = None
    server_name: str | None = None
    alpn: str | None = None
    resumed: bool = False
    certificates: list[Certificate] = []
    client_certificates: list[Certificate] = []
    alerts: list[Alert] = []
    problem: str | None = None
    records_out: int = 0
    records_in: int = 0


class Elsewhere(Struct, frozen=True, kw_only=True, tag_field="type", tag="elsewhere"):
    """Something was done with a socket that is not followed, told once for each process and address.

    `what` is connect, send (to an address), open (a socket of a network family was made) or inherited; `family` is
    unix, inet, inet6 or packet.
    """

    t: float
    pid: int
    tid: int
    fd: int
    what: str
    family: str
    address: str | None = None
    error: str | None = None


class Output(Struct, frozen=True, kw_only=True, tag_field="type", tag="output", gc=False):
    """The command, or a child of it, wrote `size` bytes to the file that is its standard output.

    `payload` is None for bytes that were counted and not kept.
    """

    t: float
    pid: int
    tid: int
    fd: int
    size: int
    payload: bytes | None = None


class Note(Struct, frozen=True, kw_only=True, tag_field="type", tag="note"):
    """What the tool could not see or do, in one sentence; `kind` for those that weaken a proof.

    Kinds: io_uring, untraced, foreign (another architecture's program), handed (a connection was passed to a process
    outside), left (processes go on), midway.
    """

    t: float
    message: str
    kind: str = ""


class End(Struct, frozen=True, kw_only=True, tag_field="type", tag="end"):
    """The last event: how the command ended, and how many bytes were moved, or lost to the tool."""

    t: float
    exit_code: int | None = None
    signal: int | None = None
    bytes_out: int = 0
    bytes_in: int = 0
    lost: int = 0


Event: TypeAlias = (
    Header
    | Exec
    | Fork
    | Exit
    | Connect
    | PeerFound
    | Data
    | Credentials
    | Elsewhere
    | Output
    | Failed
    | Shutdown
    | Close
    | TlsSecret
    | Tls
    | Note
    | End
)
