"""Where the values of headers are in the bytes of HTTP/2 header blocks (HPACK, RFC 7541 section 6).

hpack decodes them; ours is only to cut a block into its representations, so that a value can be found in its bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

INDEXED, INCREMENTAL, RESIZE = 0x80, 0x40, 0x20


class Literal(NamedTuple):
    """A value that is spelled out: its name, where its octets are, and whether they are Huffman-coded."""

    name: str
    start: int
    end: int
    huffman: bool


class Block:
    """Header blocks of one direction, one after the other."""

    def __init__(self, most: int) -> None:
        from hpack import Decoder

        self._decoder = Decoder(max_header_list_size=most)

    def literals(self, block: bytes) -> Iterator[Literal]:
        """The values that are spelled out in a block. Raises ValueError or hpack's HPACKError where it is damaged."""
        at = 0
        while at < len(block):
            end, value = _representation(block, at)
            for name, _ in self._decoder.decode(block[at:end], raw=True):
                if value is not None:
                    yield Literal(bytes(name).decode("latin-1").lower(), *value)
            at = end


def _representation(block: bytes, at: int) -> tuple[int, tuple[int, int, bool] | None]:
    """The end of the representation that begins at `at`, and its value if that is spelled out."""
    first = block[at]
    if first & INDEXED:
        return _integer(block, at, 7)[1], None
    if first & INCREMENTAL:
        index, end = _integer(block, at, 6)
    elif first & RESIZE:
        return _integer(block, at, 5)[1], None
    else:
        index, end = _integer(block, at, 4)
    if index == 0:
        end = _string(block, end)[1]
    start, stop, huffman = _string(block, end)
    return stop, (start, stop, huffman)


def _string(block: bytes, at: int) -> tuple[int, int, bool]:
    """(start, end, Huffman-coded) of a string literal (section 5.2)."""
    if at >= len(block):
        raise ValueError("a header block ends too early")
    length, start = _integer(block, at, 7)
    if start + length > len(block):
        raise ValueError("a header block ends too early")
    return start, start + length, bool(block[at] & 0x80)


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """An integer with a prefix of so many bits (section 5.1), and where it ends."""
    limit = (1 << bits) - 1
    value = block[at] & limit
    at += 1
    if value < limit:
        return value, at
    shift = 0
    while True:
        if at >= len(block) or shift > 28:
            raise ValueError("an integer in a header block has no end")
        octet = block[at]
        value += (octet & 0x7F) << shift
        shift += 7
        at += 1
        if not octet & 0x80:
            return value, at
