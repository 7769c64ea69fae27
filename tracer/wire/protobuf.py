"""Protocol Buffers without a schema: field numbers and the most likely reading of their values.

The wire format (protobuf.dev, "Encoding") says of a field its number and one of four sizes. What a run of bytes is
(text, another message, raw bytes) it does not say: text that can be printed is taken as text, then what parses to its
end as a message, then hexadecimal digits.
"""

from __future__ import annotations

from typing import Any

DEPTH = 8
MOST_FIELDS = 2000
SHOWN_BYTES = 64
"""Of a field with raw bytes, this many are shown."""

VARINT, FIXED_64, LENGTH, FIXED_32 = 0, 1, 2, 5
"""Wire types; 3 and 4 (groups) have not been written for fifteen years."""


def decode(data: bytes) -> dict[str, Any] | None:
    """Values by field number (a list where a number repeats), or None where the bytes are no message."""
    return _message(data, DEPTH)


def _message(data: bytes, depth: int) -> dict[str, Any] | None:
    fields: dict[str, Any] = {}
    repeated: set[str] = set()
    at = count = 0
    while at < len(data):
        read = _field(data, at, depth)
        count += 1
        if read is None or count > MOST_FIELDS:
            return None
        number, value, at = read
        if number not in fields:
            fields[number] = value
        elif number in repeated:
            fields[number].append(value)
        else:
            fields[number] = [fields[number], value]
            repeated.add(number)
    return fields


def _field(data: bytes, at: int, depth: int) -> tuple[str, Any, int] | None:
    """The number, value and end of the field at `at`."""
    tag = varint(data, at)
    if tag is None or not 0 < tag[0] >> 3 < 1 << 29:
        return None
    number, wire_type, at = str(tag[0] >> 3), tag[0] & 7, tag[1]
    if wire_type == VARINT:
        value = varint(data, at)
        return value and (number, value[0], value[1])
    size = {FIXED_64: 8, FIXED_32: 4}.get(wire_type)
    if size is not None:
        end = at + size
        return (number, int.from_bytes(data[at:end], "little"), end) if end <= len(data) else None
    length = varint(data, at) if wire_type == LENGTH else None
    if length is None or length[1] + length[0] > len(data):
        return None
    start, end = length[1], length[1] + length[0]
    return number, _bytes(data[start:end], depth), end


def _bytes(data: bytes, depth: int) -> Any:
    text = _text(data)
    if text is not None and text[:1].isprintable():  # a message in a message often begins with a line feed: field 1
        return text
    message = _message(data, depth - 1) if depth > 1 else None
    if message is not None:
        return message
    return {"bytes": len(data), "hex": data[:SHOWN_BYTES].hex()} if text is None else text


def _text(data: bytes) -> str | None:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return None
    return text if text.translate(_WHITE_SPACE).isprintable() else None


_WHITE_SPACE = dict.fromkeys(map(ord, "\t\r\n"))


def varint(data: bytes, at: int) -> tuple[int, int] | None:
    """The number of base 128 at `at` and its end; None where it has none, or more than ten bytes."""
    value = shift = 0
    for end in range(at, min(at + 10, len(data))):
        value |= (data[end] & 0x7F) << shift
        if data[end] < 0x80:
            return value, end + 1
        shift += 7
    return None
