"""Who is at the other end of a connection.

Two independent witnesses. SO_PEERCRED (unix(7)), asked on a duplicate of the command's own socket, names the process
that called listen(2): with socket activation that is systemd, not dockerd. sock_diag (sock_diag(7)) names the inode
of the socket that ours is paired with, and /proc tells which process holds that inode; the daemon must have accepted
by then, and its descriptors must be readable, which takes root. The second answer is the better one.

Over TCP there is the second witness only, and only where both ends are in our network namespace: sock_diag is asked
for the socket whose two addresses are ours the other way round.
"""

from __future__ import annotations

import os
import socket
import struct

import msgspec.structs

from tracer.capture import kernel, processes
from tracer.events import Peer

_UCRED = struct.Struct("=iII")


def by_credentials(pid: int, fd: int) -> Peer | None:
    """The peer by SO_PEERCRED of descriptor `fd` in process `pid`; None where the kernel does not say."""
    try:
        copy = socket.socket(fileno=kernel.steal_descriptor(pid, fd))
    except OSError:
        return None
    with copy:
        try:
            raw = copy.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        except OSError:
            return None
    peer, uid, gid = _UCRED.unpack(raw)
    if peer == 0:  # pid_namespaces(7): a process that has no id here, since it lives outside of our pid namespace
        return Peer(pid=0, uid=uid, gid=gid, same_pid_namespace=False, how="SO_PEERCRED")
    return _described(peer, uid, gid, "SO_PEERCRED") if peer > 0 else None


def helper(pid: int) -> Peer:
    """The process that carries a client's bytes to another machine; who answers there is not known here."""
    uid, gid = processes.user(pid) or (None, None)
    return _described(pid, uid, gid, "helper")


def _described(pid: int, uid: int | None, gid: int | None, how: str) -> Peer:
    return Peer(
        pid=pid,
        uid=uid,
        gid=gid,
        exe=processes.exe(pid),
        comm=processes.comm(pid),
        same_pid_namespace=processes.in_our_pid_namespace(pid),
        same_root=processes.has_our_root(pid),
        how=how,
    )


class PeerFinder:
    """Finds the process that holds the other end, remembering the last ones: most connections share a daemon."""

    def __init__(self) -> None:
        self._seen: list[int] = []

    def of_unix(self, inode: int, pid: int, likely: int | None) -> Peer | None:
        """The holder of the Unix socket that socket `inode` of process `pid` is paired with; `likely` comes first."""
        return self._holder(paired_inode(inode, pid), inode, likely)

    def of_tcp(self, inode: int, pid: int, fd: int) -> Peer | None:
        """The holder of the other end of the TCP socket `inode`, descriptor `fd` of `pid`, on this machine."""
        return self._holder(tcp_peer_inode(pid, fd), inode, None)

    def _holder(self, other: int | None, inode: int, likely: int | None) -> Peer | None:
        if other is None:
            return None
        first = [*self._seen, *([likely] if likely else [])]
        for pid in first + [pid for pid in _all_pids() if pid not in first]:
            fd = processes.descriptor_of(pid, processes.socket_link(other))
            if fd is not None:
                if pid not in self._seen:
                    self._seen.insert(0, pid)
                uid, gid = processes.user(pid) or (None, None)
                found = _described(pid, uid, gid, "sock_diag")
                bound = processes.unix_paths(pid).get(other)
                return msgspec.structs.replace(found, inode=other, paired_with=inode, fd=fd, bound=bound)
        return None


def _all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
UDIAG_SHOW_PEER = 4
UNIX_DIAG_PEER = 2
_HEADER = struct.Struct("=IHHII")
_REQUEST = struct.Struct("=BBHIIIII")
_DIAG_SIZE = 16
_ATTRIBUTE = struct.Struct("=HH")


def paired_inode(inode: int, pid: int) -> int | None:
    """The inode of the Unix socket that `inode` is connected to (NETLINK_SOCK_DIAG, UDIAG_SHOW_PEER), or None."""
    any_state, any_cookie = 0xFFFFFFFF, 0xFFFFFFFF
    body = _REQUEST.pack(socket.AF_UNIX, 0, 0, any_state, inode, UDIAG_SHOW_PEER, any_cookie, any_cookie)
    return _peer_attribute(_diagnosed(body, pid))


def _diagnosed(body: bytes, pid: int) -> bytes:
    """The kernel's answer to a request about one socket of a process, in its network namespace; empty for a refusal."""
    head = _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    try:
        with kernel.network_of(pid):
            netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG)
        with netlink:
            netlink.settimeout(0.2)
            netlink.sendto(head + body, (0, 0))
            answer = netlink.recv(4096)
    except OSError:
        return b""
    if len(answer) < _HEADER.size:
        return b""
    length, kind, _, _, _ = _HEADER.unpack_from(answer)
    return answer[:length] if kind == SOCK_DIAG_BY_FAMILY else b""


_INET_REQUEST = struct.Struct("=BBBxI")
_INET_ADDRESSES = struct.Struct("!HH16s16s")
_INET_ANY = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
"""No interface, and a cookie that fits every socket."""
_INET_INODE = _HEADER.size + 68
"""Of idiag_inode in the answer: behind a header, 4 bytes, the addresses (48) and four numbers."""


def tcp_peer_inode(pid: int, fd: int) -> int | None:
    """The inode of the TCP socket at the other end of descriptor `fd`, if that is in the same network namespace."""
    try:
        with socket.socket(fileno=kernel.steal_descriptor(pid, fd)) as copy:
            family, ours, theirs = copy.family, copy.getsockname(), copy.getpeername()
            addresses = [socket.inet_pton(family, end[0]).ljust(16, b"\0") for end in (theirs, ours)]
    except (OSError, IndexError):
        return None
    body = _INET_REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF)
    body += _INET_ADDRESSES.pack(theirs[1], ours[1], *addresses) + _INET_ANY
    answer = _diagnosed(body, pid)
    if len(answer) < _INET_INODE + 4:
        return None
    return int.from_bytes(answer[_INET_INODE : _INET_INODE + 4], "little") or None


def _peer_attribute(answer: bytes) -> int | None:
    length = len(answer)
    at = _HEADER.size + _DIAG_SIZE
    while at + _ATTRIBUTE.size <= length:
        size, name = _ATTRIBUTE.unpack_from(answer, at)
        if size < _ATTRIBUTE.size:
            return None
        if name == UNIX_DIAG_PEER:
            return int.from_bytes(answer[at + 4 : at + 8], "little") or None
        at += (size + 3) & ~3
    return None
