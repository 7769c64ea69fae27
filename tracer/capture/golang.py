"""Where a function is in a Go program: read from its function table, which even a stripped binary has.

The table is the section `.gopclntab`, or lies within `.data.rel.ro` where a C linker has made the program. Its layout
is that of Go's runtime/symtab.go: a header with offsets, the functions' names one after the other, and a list of
(entry, offset of the function's record); the record begins with the entry and the offset of the name. ELF: elf(5).
"""

from __future__ import annotations

import mmap
import os
import struct

from msgspec import Struct

SECTIONS = (b".gopclntab", b".data.rel.ro.gopclntab", b".data.rel.ro")
GO_1_16, GO_1_18, GO_1_20 = 0xFFFFFFFA, 0xFFFFFFF0, 0xFFFFFFF1
MAGICS = (GO_1_20, GO_1_18, GO_1_16)
ET_DYN = 3
PT_LOAD = 1
HEADER_SIZE = 80
TEXT_START = 24
"""Where the table's header says what its entries are counted from; 0 in a file whose loader fills it in."""

_EHDR = struct.Struct("<16xHHIQQQIHHHHHH")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_PHDR = struct.Struct("<IIQQQQQQ")


class Function(Struct, frozen=True):
    """A function as linked: `entry` counts from what is at address `base_at`, if not 0, or else from 0.

    `text` is the text's address, for programs whose base is not filled in. `start` is where the program itself begins,
    `first` where its first segment was linked to be; all addresses move together if it is `movable`.
    """

    entry: int
    base_at: int
    text: int
    start: int
    first: int
    movable: bool


class _Elf:
    """The parts of a 64-bit little-endian ELF file that lead to the function table. Raises ValueError for others."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data = data
        if data[:6] != b"\x7fELF\x02\x01":
            raise ValueError("not a 64-bit ELF file")
        kind, _, _, self.start, phoff, shoff, _, _, phsize, phcount, shsize, shcount, names = _EHDR.unpack_from(data)
        self.movable = kind == ET_DYN
        headers = [_SHDR.unpack_from(data, shoff + index * shsize) for index in range(shcount)]
        strings = headers[names][4] if names < len(headers) else 0
        self.sections = {self._string(strings + header[0]): header for header in headers}
        segments = [_PHDR.unpack_from(data, phoff + index * phsize) for index in range(phcount)]
        self.first = min(segment[3] for segment in segments if segment[0] == PT_LOAD)

    def _string(self, at: int) -> bytes:
        return self.data[at : self.data.find(b"\0", at)]

    def table(self) -> tuple[int, bytes] | None:
        """The function table's linked address and its bytes."""
        for name in SECTIONS:
            section = self.sections.get(name)
            if section is None:
                continue
            address, offset, size = section[3:6]
            for magic in MAGICS:
                at = self._header(magic, offset, offset + size)
                if at is not None:
                    return address + at - offset, self.data[at : offset + size]
        return None

    def _header(self, magic: int, start: int, end: int) -> int | None:
        """Where a table's header is between two offsets: the magic, two zeros, an instruction's size, a pointer's."""
        wanted = struct.pack("<IH", magic, 0)
        at = self.data.find(wanted, start, end)
        while at >= 0:
            if self.data[at + 6] in (1, 4) and self.data[at + 7] == 8:
                return at
            at = self.data.find(wanted, at + 1, end)
        return None


def find(path: str, name: str) -> Function | None:
    """The function `name` of the program in the file `path`; None if it has none, or is no Go program."""
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _find(_Elf(data), name.encode())
    except (OSError, ValueError, struct.error, IndexError):
        return None


def _find(elf: _Elf, name: bytes) -> Function | None:
    located = elf.table()
    if located is None:
        return None
    address, table = located
    modern = struct.unpack_from("<I", table)[0] != GO_1_16
    entry = _entry_of(table, name, modern=modern)
    if entry is None:
        return None
    base_at = address + TEXT_START if modern else 0
    return Function(entry, base_at, elf.sections[b".text"][3], elf.start, elf.first, elf.movable)


def _entry_of(table: bytes, name: bytes, *, modern: bool) -> int | None:
    """The entry of a function: an offset from the start of the text if `modern`, else an address."""
    names, _, _, _, functions = struct.unpack_from("<5Q", table, 32 if modern else 24)
    at = table.find(b"\0" + name + b"\0", names)
    if at < 0:
        return None
    (count,) = struct.unpack_from("<Q", table, 8)
    width = 4 if modern else 8
    records = functions + 2 * width * count
    listed = memoryview(table)[functions:records]
    entries = listed.cast("I") if modern else listed.cast("Q")
    name_field = struct.pack("<I", at + 1 - names)
    position = table.find(name_field, records)
    while position >= 0:
        record = position - width
        entry = int.from_bytes(table[record:position], "little")
        if _is_record(entries, entry, record - functions):
            return entry
        position = table.find(name_field, position + 1)
    return None


def _is_record(entries: memoryview[int], entry: int, offset: int) -> bool:
    """Whether the list, which is sorted by entry, has this entry with a record at this offset."""
    low, high = 0, len(entries) // 2
    while low < high:
        middle = (low + high) // 2
        if entries[2 * middle] < entry:
            low = middle + 1
        else:
            high = middle
    return 2 * low < len(entries) and entries[2 * low] == entry and entries[2 * low + 1] == offset


def load_bias(pid: int, function: Function) -> int | None:
    """What to add to linked addresses in process `pid`, by /proc/PID/maps; 0 for programs that don't move."""
    if not function.movable:
        return 0
    try:
        inode = os.stat(f"/proc/{pid}/exe").st_ino
        with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                words = line.split(maxsplit=5)
                if int(words[4]) == inode and int(words[2], 16) == 0:
                    return int(words[0].split("-")[0], 16) - (function.first & ~0xFFF)
    except (OSError, ValueError, IndexError):
        pass
    return None
