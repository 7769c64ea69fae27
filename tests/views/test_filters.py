"""--filter: the little language, and what it says of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracer.exchanges import Exchange, assemble
from tracer.recording.reader import read
from tracer.views.filters import FilterError, parse

LIFE = Path(__file__).parents[2] / "fixtures" / "life.jsonl"


def chosen(expression: str) -> list[str]:
    test = parse(expression)
    exchanges = [item for item in assemble(read(str(LIFE))) if isinstance(item, Exchange)]
    heads = [exchange.request.head for exchange in exchanges if exchange.request and test(exchange)]
    return [f"{head.method} {head.target.split('?')[0].rsplit('/', 1)[-1]}" for head in heads]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("method=DELETE", ["DELETE life"]),
        ("operation=containercreate", ["POST create"]),
        ("status=201", ["POST create"]),
        ("path~*/logs", ["GET logs"]),
        ("method=POST and not status=204", ["POST create", "POST wait"]),
        ("status=201 or path=/containers/life/wait", ["POST create", "POST wait"]),
        ("(status=201 or status=204) and method=DELETE", ["DELETE life"]),
        ("method=GET, size>1kB", ["GET json", "GET json"]),
        ("tag!=System, time<1us", []),
    ],
)
def test_it_chooses(expression: str, expected: list[str]) -> None:
    assert chosen(expression) == expected


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("", "test is expected"),
        ("method", "FIELD OPERATOR VALUE"),
        ("color=red", "no field 'color'"),
        ("method>GET", "can be compared with"),
        ("status=abc", "compared with a number"),
        ("(method=GET", "not closed"),
        ("method=GET method=GET", "not expected there"),
        ("and", "test is expected"),
        ("size>1.2.3", "not a number"),
    ],
)
def test_mistakes_are_explained(expression: str, word: str) -> None:
    with pytest.raises(FilterError, match=word):
        parse(expression)
