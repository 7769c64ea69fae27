"""Protocol Buffers without a schema."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.wire.protobuf import decode


def number(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(index: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return number(index << 3) + number(value)
    raw = value.encode() if isinstance(value, str) else value
    return number(index << 3 | 2) + number(len(raw)) + raw


STAT = field(1, "Dockerfile") + field(2, 0o644) + field(5, 120)


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"", {}),
        (field(1, 150), {"1": 150}),
        (field(1, "text"), {"1": "text"}),
        (field(1, "a") + field(1, "b") + field(1, "c"), {"1": ["a", "b", "c"]}),
        (field(2, STAT), {"2": {"1": "Dockerfile", "2": 420, "5": 120}}),
        (field(1, "two\nlines\n"), {"1": "two\nlines\n"}),
        (field(3, b"\xff\xfe\x00"), {"3": {"bytes": 3, "hex": "fffe00"}}),
        (field(3, ""), {"3": ""}),
        (b"\x09" + (7).to_bytes(8, "little"), {"1": 7}),
        (b"\x0d" + (7).to_bytes(4, "little"), {"1": 7}),
    ],
)
def test_fields_by_number(data: bytes, fields: dict[str, Any]) -> None:
    assert decode(data) == fields


@pytest.mark.parametrize(
    "data", [b"\x08", b"\x0a\x05ab", b"\x00\x01", b"\x0b\x01", b"\x08" + b"\xff" * 11, b"\x09\x01\x02"]
)
def test_what_is_no_message_is_none(data: bytes) -> None:
    assert decode(data) is None


@given(st.lists(st.tuples(st.integers(1, 1000), st.integers(0, 2**64 - 1))))
def test_numbers_come_back(pairs: list[tuple[int, int]]) -> None:
    told = decode(b"".join(field(index, value) for index, value in pairs))
    assert told is not None
    expected: dict[str, list[int]] = {}
    for index, value in pairs:
        expected.setdefault(str(index), []).append(value)
    assert {key: value if isinstance(value, list) else [value] for key, value in told.items()} == expected


@given(st.binary(max_size=400))
def test_no_bytes_make_it_raise(data: bytes) -> None:
    json.dumps(decode(data))
