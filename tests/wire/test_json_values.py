"""JSON by the fast decoder is what Python's own makes of it, and neither takes what the other refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.wire.json_values import parsed, written

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=())),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
PIECES = st.sampled_from(
    ["{", "}", "[", "]", ",", ":", '"', "\\u", "\\", "d800", "0", "-", "1", ".", "e", "NaN", "true", " ", "é", "\ufeff"]
)


def _of_python(text: bytes) -> Any:
    try:
        return repr(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _of_ours(text: bytes) -> Any:
    try:
        return repr(parsed(text))
    except ValueError:
        return None


@given(VALUES, st.booleans(), st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]))
def test_every_value_is_read_as_python_reads_it(value: Any, ascii_only: bool, encoding: str) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    assert _of_ours(text) == _of_python(text)


@given(st.lists(PIECES).map("".join).map(str.encode) | st.binary())
def test_what_is_no_value_for_python_is_none_for_us(text: bytes) -> None:
    assert _of_ours(text) == _of_python(text)


@pytest.mark.parametrize(
    "text",
    [b"1e400", b"-0", b"18446744073709551616", b"1" * 400, b'"\\ud800"', b'{"a":1,"a":2}', b"[" * 100_000, b"", b"01"],
)
def test_the_edges_of_numbers_and_strings_are_read_as_python_reads_them(text: bytes) -> None:
    assert _of_ours(text) == _of_python(text)


def test_a_value_is_written_as_people_read_it() -> None:
    assert written({"name": "Bảo", "n": [1]}) == '{"name": "Bảo", "n": [1]}'
    assert written({"n": 1}, indent=2) == '{\n  "n": 1\n}'
