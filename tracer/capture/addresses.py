"""Socket addresses as the tracee passed them, and the rule that says which of them are followed.

A Unix path is compared three ways, since all of these lead to one socket: as it is spelled, with its symlinks
resolved (/var/run is often a link to /run), and by device and inode of the file (bind mounts, chroots). Layouts:
unix(7), ip(7), ipv6(7).
"""

from __future__ import annotations

import fnmatch
import os
import socket
import struct
from collections.abc import Iterable

from msgspec import Struct

from tracer.events import Family


class Address(Struct, frozen=True):
    """`text` is a path, `@name` for an abstract Unix socket, or `host:port`; `inside` is where we find the path."""

    family: Family
    text: str
    inside: str | None = None


def parse(raw: bytes, pid: int) -> Address | None:
    """The address in a struct sockaddr of process `pid`; None for families that can't lead to a daemon."""
    if len(raw) < 2:
        return None
    family = int.from_bytes(raw[:2], "little")
    if family == socket.AF_UNIX:
        return _unix(raw[2:], pid)
    if family == socket.AF_INET and len(raw) >= 8:
        port, host = struct.unpack_from("!H4s", raw, 2)
        return Address("inet", f"{socket.inet_ntop(socket.AF_INET, host)}:{port}")
    if family == socket.AF_INET6 and len(raw) >= 24:
        port, host = struct.unpack_from("!H4x16s", raw, 2)
        return Address("inet6", f"[{socket.inet_ntop(socket.AF_INET6, host)}]:{port}")
    return None


def _unix(name: bytes, pid: int) -> Address | None:
    if not name:
        return None
    if name[0] == 0:
        return Address("unix", "@" + os.fsdecode(name[1:]).rstrip("\0"))
    path = os.fsdecode(name.split(b"\0", 1)[0])
    if not path.startswith("/"):
        path = os.path.normpath(os.path.join(_link(f"/proc/{pid}/cwd", "/"), path))
    root = _link(f"/proc/{pid}/root", "/")
    return Address("unix", path, path if root == "/" else f"/proc/{pid}/root{path}")


def _link(path: str, otherwise: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return otherwise


SOCKETPAIR = "(socketpair)"
"""What stands in the place of an address for sockets that were made in pairs."""


class Follow:
    """The addresses whose connections are captured: paths and globs of Unix sockets, `host:port`, or every one."""

    def __init__(self, addresses: Iterable[str], *, everything: bool = False) -> None:
        self._everything = everything
        self._patterns: set[str] = set()
        self._real: set[str] = set()
        for address in addresses:
            self.add(address)

    def add(self, address: str) -> None:
        """Follow one more path, glob, `@name` or `host:port`."""
        if address in self._patterns:
            return
        self._patterns.add(address)
        if address.startswith("/"):
            self._real.add(os.path.realpath(address))

    @property
    def everything(self) -> bool:
        """Whether every stream socket is followed, also those that have no address."""
        return self._everything

    def wants(self, address: Address) -> bool:
        """Whether a connection to `address` is to be captured."""
        return self._everything or self.names(address)

    def names(self, address: Address) -> bool:
        """Whether `address` is one of those to follow, not only a stream socket like any other."""
        if address.text in self._patterns:
            return True
        if address.family != "unix":
            return False
        if any(fnmatch.fnmatchcase(address.text, pattern) for pattern in self._patterns):
            return True
        return address.inside is not None and self._is_same_file(address.inside)

    def _is_same_file(self, path: str) -> bool:
        real = os.path.realpath(path)
        if real in self._real or any(fnmatch.fnmatchcase(real, pattern) for pattern in self._patterns):
            return True
        identity = _identity(path)
        return identity is not None and any(_identity(known) == identity for known in self._real)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
