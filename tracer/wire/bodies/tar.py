"""Tar archives: the listing, while the archive flows through (POSIX pax and GNU formats; tar(5)).

Headers are decoded by the standard library; only the walk from header to header is ours, since `tarfile` pulls from
a file and we are pushed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracer.wire.bodies.pieces import OnEntry

if TYPE_CHECKING:
    from tarfile import TarInfo

BLOCK = 512
KEPT = 1000
"""This many members are listed; all are counted."""

MAX_EXTRA = 1 << 20
"""Longest name record that is read."""

TYPES = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"S": "file",
    b"5": "dir",
    b"2": "symlink",
    b"1": "hardlink",
    b"3": "char",
    b"4": "block",
    b"6": "fifo",
}
"""typeflag of a header (tar(5)); `S` is GNU's sparse file."""

LONG_NAME, LONG_LINK = b"L", b"K"
PAX_LOCAL, PAX_LOCAL_SUN, PAX_GLOBAL = b"x", b"X", b"g"
EXTRA = (PAX_LOCAL, PAX_LOCAL_SUN, LONG_NAME)
"""Records whose data describe the member that follows."""


class TarView:
    """Walks the members; keeps name, size, type and mode of the first KEPT."""

    def __init__(self, on_entry: OnEntry | None = None) -> None:
        self._on_entry = on_entry
        self._pending = bytearray()
        self._skip = 0
        self._extra: bytes | None = None
        """The type of the extension record whose data comes next."""
        self._extra_size = 0
        self._name: str | None = None
        self._size: int | None = None
        self._members: list[dict[str, Any]] = []
        self._count = 0
        self._problem = False

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the archive."""
        if self._problem:
            return
        if self._skip >= len(data):
            self._skip -= len(data)
            return
        self._pending += data[self._skip :]
        self._skip = 0
        while self._step():
            pass

    def _step(self) -> bool:
        if self._extra is not None:
            return self._read_extra()
        if len(self._pending) < BLOCK:
            return False
        block = bytes(self._pending[:BLOCK])
        del self._pending[:BLOCK]
        if block.count(0) < BLOCK:
            import tarfile  # only where an archive flows: it costs several milliseconds

            try:
                self._header(tarfile.TarInfo.frombuf(block, "utf-8", "replace"))
            except tarfile.HeaderError:
                self._problem = True
                return False
        return self._skip_data()

    def _header(self, info: TarInfo) -> None:
        padded = -(-info.size // BLOCK) * BLOCK
        if info.type in EXTRA and info.size <= MAX_EXTRA:
            self._extra, self._extra_size = info.type, info.size
            return
        if info.type in (PAX_GLOBAL, LONG_LINK):
            self._skip = padded
            return
        has_data = info.isreg() or info.type not in TYPES
        size = info.size if self._size is None else self._size
        self._count += 1
        if len(self._members) < KEPT or self._on_entry is not None:
            name = self._name if self._name is not None else info.name
            kind = TYPES.get(info.type, "other")
            member = {"name": name, "size": size, "type": kind, "mode": f"{info.mode & 0o7777:04o}"}
            if len(self._members) < KEPT:
                self._members.append(member)
            if self._on_entry is not None:
                self._on_entry(member)
        self._name = self._size = None
        self._skip = -(-size // BLOCK) * BLOCK if has_data else 0

    def _skip_data(self) -> bool:
        skipped = min(self._skip, len(self._pending))
        del self._pending[:skipped]
        self._skip -= skipped
        return self._skip == 0

    def _read_extra(self) -> bool:
        padded = -(-self._extra_size // BLOCK) * BLOCK
        if len(self._pending) < padded:
            return False
        data = bytes(self._pending[: self._extra_size])
        del self._pending[:padded]
        if self._extra == LONG_NAME:
            self._name = data.rstrip(b"\0").decode("utf-8", "replace")
        else:
            self._pax(data)
        self._extra = None
        return True

    def _pax(self, data: bytes) -> None:
        """Records of the form `LENGTH KEY=VALUE\\n` (POSIX pax); only path and size matter here."""
        while data:
            length, _, _ = data.partition(b" ")
            if not length.isdigit() or not 0 < int(length) <= len(data):
                return
            record = data[len(length) + 1 : int(length) - 1]
            data = data[int(length) :]
            key, _, value = record.partition(b"=")
            if key == b"path":
                self._name = value.decode("utf-8", "replace")
            elif key == b"size" and value.isdigit():
                self._size = int(value)

    def result(self) -> tuple[str, Any, int, bool]:
        """The listing."""
        return "tar", self._members, self._count, self._problem or self._count > len(self._members)


def matches(media_type: str, start: bytes) -> bool:
    """By the magic of a header block, whatever the media type; an archive without members is all zeros."""
    if start[257:262] == b"ustar":
        return True
    return media_type == "application/x-tar" and len(start) == BLOCK and not any(start)
