"""What /proc says about a process. A process may be gone or hidden at any moment: then the answer is None or empty."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from functools import lru_cache


def comm(pid: int) -> str | None:
    """The process's short name."""
    raw = _content(f"/proc/{pid}/comm")
    return raw.decode("utf-8", "replace").rstrip("\n") or None


def exe(pid: int) -> str | None:
    """The path of the program; readable only with permission to inspect the process."""
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None


_PIECE = 1 << 16


def _content(path: str) -> bytes:
    """A file of /proc, whole; empty where it can't be read. With the bare calls: this is done at every exec."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return b""
    try:
        content = piece = os.read(fd, _PIECE)
        while len(piece) == _PIECE:
            piece = os.read(fd, _PIECE)
            content += piece
    except OSError:
        return b""
    finally:
        os.close(fd)
    return content


def _strings(raw: bytes) -> list[str]:
    return [os.fsdecode(part) for part in raw.split(b"\0")[:-1]]


def argv(pid: int) -> list[str]:
    """The command line."""
    return _strings(_content(f"/proc/{pid}/cmdline"))


def environment(pid: int) -> Mapping[str, str]:
    """The environment with which the program was started."""
    return _variables(_content(f"/proc/{pid}/environ"))


@lru_cache(8)
def _variables(raw: bytes) -> Mapping[str, str]:
    """Most programs of a run have the environment of the one before."""
    return dict(line.split("=", 1) for line in _strings(raw) if "=" in line)


def user(pid: int) -> tuple[int, int] | None:
    """(effective uid, effective gid)."""
    try:
        found = os.stat(f"/proc/{pid}")
    except OSError:
        return None
    return found.st_uid, found.st_gid


def has_thread(pid: int, tid: int) -> bool:
    """Whether `tid` is a thread of process `pid`, and no process of its own."""
    return os.path.exists(f"/proc/{pid}/task/{tid}")


def seccomp_filters(tid: int) -> int | None:
    """How many seccomp filters a thread has (Linux 5.9); None where that is not told."""
    found = _content(f"/proc/{tid}/status").partition(b"Seccomp_filters:\t")[2]
    return int(found.split(b"\n", 1)[0]) if found else None


def in_our_pid_namespace(pid: int) -> bool | None:
    """Whether the process sees the same process ids as we do; None where it can't be told."""
    try:
        return os.readlink(f"/proc/{pid}/ns/pid") == os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def has_our_root(pid: int) -> bool | None:
    """Whether the process's root directory is ours, in our mount namespace; None where it can't be told."""
    try:
        theirs, ours = os.stat(f"/proc/{pid}/root/"), os.stat("/")
        same_mounts = os.readlink(f"/proc/{pid}/ns/mnt") == os.readlink("/proc/self/ns/mnt")
    except OSError:
        return None
    return same_mounts and (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)


def link(pid: int, fd: int) -> str | None:
    """What a descriptor is: a path, `socket:[INODE]`, `pipe:[INODE]` (proc_pid_fd(5)); None if it is not there."""
    try:
        return os.readlink(f"/proc/{pid}/fd/{fd}")
    except OSError:
        return None


def socket_link(inode: int) -> str:
    """What /proc/PID/fd shows for a socket."""
    return f"socket:[{inode}]"


def socket_inode(pid: int, fd: int) -> int | None:
    """The inode number of a socket descriptor; None for everything that is not a socket."""
    target = link(pid, fd)
    return int(target[8:-1]) if target is not None and target.startswith("socket:[") else None


def sockets(pid: int) -> dict[int, int]:
    """The socket descriptors of a process: inode numbers by descriptor."""
    try:
        descriptors = [int(name) for name in os.listdir(f"/proc/{pid}/fd")]
    except OSError:
        return {}
    found = {fd: socket_inode(pid, fd) for fd in descriptors}
    return {fd: inode for fd, inode in sorted(found.items()) if inode is not None}


def parent(pid: int) -> int:
    """The process's parent; 0 where it can't be told."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def threads(pid: int) -> list[int]:
    """The thread ids of a process."""
    try:
        return sorted(int(name) for name in os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return []


def unix_paths(pid: int) -> dict[int, str]:
    """Paths of the bound Unix sockets that the process's network namespace has, by inode (/proc/net/unix)."""
    paths: dict[int, str] = {}
    try:
        with open(f"/proc/{pid}/net/unix", encoding="utf-8", errors="surrogateescape") as file:
            for line in file:
                fields = line.split(maxsplit=7)
                if len(fields) == 8 and fields[6].isdigit():
                    paths[int(fields[6])] = fields[7].rstrip("\n")
    except OSError:
        pass
    return paths


def descriptor_of(pid: int, wanted: str, *, writable: bool = False) -> int | None:
    """The first descriptor of the process that is what this link says (and can be written to), or None."""
    try:
        descriptors = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    for fd in descriptors:
        try:
            path = f"/proc/{pid}/fd/{fd}"
            if os.readlink(path) == wanted and (not writable or os.lstat(path).st_mode & stat.S_IWUSR):
                return int(fd)
        except OSError:
            continue
    return None


def program(pid: int) -> os.stat_result | None:
    """The file of the process's program."""
    try:
        return os.stat(f"/proc/{pid}/exe")
    except OSError:
        return None


def lost_privilege(pid: int, program: os.stat_result) -> bool:
    """Whether a setuid program does not run as its owner (execve(2): so it is under a tracer)."""
    if not program.st_mode & stat.S_ISUID:
        return False
    now = user(pid)
    return now is not None and now[0] != program.st_uid


_32_BIT: dict[tuple[int, int, int], bool] = {}
"""By device, inode and time of change of a program that was looked at before: a build runs few programs often."""

_PROGRAMS_KEPT = 1000


def is_32_bit(pid: int, program: os.stat_result) -> bool:
    """Whether the program is a 32-bit ELF file (e_ident[EI_CLASS] is ELFCLASS32, elf(5))."""
    identity = program.st_dev, program.st_ino, program.st_mtime_ns
    if identity not in _32_BIT:
        if len(_32_BIT) >= _PROGRAMS_KEPT:
            _32_BIT.clear()
        try:
            with open(f"/proc/{pid}/exe", "rb") as file:
                _32_BIT[identity] = file.read(5) == b"\x7fELF\x01"
        except OSError:
            return False
    return _32_BIT[identity]
