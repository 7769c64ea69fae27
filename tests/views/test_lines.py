"""Lines on a width: every form that a view makes of them, against what rich makes of the same text."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from tracer.views.lines import Group, Indented, Line, Spread, Whole, cells, cut, joined, painted, plain, styled, wrapped

TEXTS = st.text(st.sampled_from("ab \n-ở漢\u0301·▶😀"), max_size=60)
PARTS = st.lists(st.tuples(TEXTS, st.sampled_from(["", "bold", "dim"])), max_size=5).map(tuple)


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=40))
def test_widths_are_those_of_rich(text: str) -> None:
    assert cells(text) == cell_len(text)


@given(PARTS, st.integers(20, 60))
def test_wrapped_rows_are_those_of_rich(parts: Line, room: int) -> None:
    text = plain(parts)
    expected = [line.plain.rstrip() for line in Text(text).wrap(Console(file=StringIO()), room)]
    assert [plain(row) for row in wrapped(parts, room)] == (expected or [""])


@given(PARTS, st.integers(20, 60))
def test_wrapping_moves_no_style(parts: Line, room: int) -> None:
    def styles(row: Line) -> list[tuple[str, str]]:
        return [(character, style) for text, style in row for character in text if not character.isspace()]

    assert [pair for row in wrapped(parts, room) for pair in styles(row)] == styles(parts)


@given(PARTS, st.integers(-3, 70), st.integers(-3, 70))
def test_cutting_is_slicing(parts: Line, start: int, end: int) -> None:
    assert plain(cut(parts, start, end)) == plain(parts)[max(start, 0) : max(end, 0)]


def test_hanging_rows_are_indented_further() -> None:
    words = styled("one two three four five six seven")
    assert painted(Indented(words, 2, 2), 24, color=False) == "  one two three four\n    five six seven\n"
    assert painted(Indented(styled("a\n  b"), 1), 80, color=False) == " a\n   b\n"
    assert painted(Indented(styled("a\tb"), 1), 80, color=False) == " a       b\n"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, "GET /a?long=query                 200 OK\n"),
        (37, "GET /a?...                     200 OK\n"),
        (33, "GET /a?...                 200 OK\n"),
        (24, "GET /a?long=query\n     200 OK\n"),
    ],
)
def test_both_ends_of_a_line(width: int, expected: str) -> None:
    lefts = [styled("GET /a?long=query" + "." * (0 if width in (40, 24) else 20)), styled("GET /a?...")]
    assert painted(Spread(lefts, styled(("200 OK", "bold")), "..."), width, color=False) == expected


def test_what_never_fits_loses_its_middle() -> None:
    shown = painted(Spread([styled("x" * 50 + "y" * 50)], styled("200"), "…"), 60, color=False)
    assert (len(shown), shown.count("…"), shown[0], shown[-7]) == (61, 1, "x", "y")


def test_colours() -> None:
    row = styled(("GET", "bold cyan"), " ", ("", "dim"), ("/", "bold"))
    assert painted(Group([Whole(row)]), 80, color=True) == "\x1b[1;36mGET\x1b[0m \x1b[1m/\x1b[0m\n"
    assert joined([styled("a"), (), styled("b")], ", ") == styled("a", ", ", "b")
