"""`--filter`: which exchanges to show.

Tests are FIELD OPERATOR VALUE, combined with `and`, `or`, `not` and parentheses; a comma is `and`:

    method=POST
    path~/containers/* and status>=400
    operation=ContainerCreate or time>100ms, size>1MB

Fields: method, path, operation, tag, status, size (bytes, or with kB, MB, GB), time (seconds, or with ms, s).
Operators: = != < <= > >= and ~ (a glob). Names are compared without regard to case.
"""

from __future__ import annotations

import fnmatch
import operator
import re
from collections.abc import Callable

from tracer.engine.meaning import meaning_of
from tracer.exchanges import Exchange

Test = Callable[[Exchange], bool]


class FilterError(ValueError):
    """The expression is not one; the message says where."""


def _method(exchange: Exchange) -> str:
    return exchange.request.head.method if exchange.request else ""


def _path(exchange: Exchange) -> str:
    return meaning_of(exchange).path


def _operation(exchange: Exchange) -> str:
    found = meaning_of(exchange).operation
    return found.id if found else ""


def _tag(exchange: Exchange) -> str:
    found = meaning_of(exchange).operation
    return found.tag if found else ""


def _status(exchange: Exchange) -> float:
    return exchange.response.head.status if exchange.response else 0


def _size(exchange: Exchange) -> float:
    return exchange.size


def _time(exchange: Exchange) -> float:
    return exchange.timing.total or 0.0


WORDS: dict[str, Callable[[Exchange], str]] = {
    "method": _method,
    "path": _path,
    "operation": _operation,
    "tag": _tag,
}
NUMBERS: dict[str, Callable[[Exchange], float]] = {"status": _status, "size": _size, "time": _time}
UNITS = {"": 1.0, "b": 1.0, "kb": 1e3, "mb": 1e6, "gb": 1e9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_TOKEN = re.compile(r"\s*(?:([(),])|(and|or|not)\b|([a-z]+)\s*(!=|<=|>=|=|<|>|~)\s*([^\s(),]+))", re.IGNORECASE)
_QUANTITY = re.compile(r"([0-9.]+)([a-zA-Z]*)")


def parse(text: str) -> Test:
    """The test that the expression describes. Raises FilterError."""
    tokens = _tokens(text)
    test = _alternatives(tokens)
    if tokens:
        raise FilterError(f"{tokens[0][0]!r} is not expected there in {text!r}")
    return test


Token = tuple[str, Test | None]
"""(word in lower case, test): words are parentheses, `and`, `or`, `not`; a test has its source as its word."""


def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    at = 0
    while text[at:].strip():
        found = _TOKEN.match(text, at)
        if found is None:
            raise FilterError(f"{text[at:].strip()!r} is not a test: write FIELD OPERATOR VALUE, such as status>=400")
        at = found.end()
        sign, word, name, comparison, value = found.groups()
        if name:
            tokens.append((found[0].strip(), _test(name.lower(), comparison, value)))
        else:
            tokens.append(("and" if sign == "," else (sign or word).lower(), None))
    return tokens


def _test(name: str, comparison: str, value: str) -> Test:
    if name in WORDS:
        return _word_test(WORDS[name], name, comparison, value)
    if name in NUMBERS:
        return _number_test(NUMBERS[name], name, comparison, value)
    raise FilterError(f"there is no field {name!r}: the fields are {', '.join([*WORDS, *NUMBERS])}")


def _word_test(field: Callable[[Exchange], str], name: str, comparison: str, value: str) -> Test:
    wanted = value.lower()
    if comparison == "~":
        return lambda exchange: fnmatch.fnmatchcase(field(exchange).lower(), wanted)
    if comparison in ("=", "!="):
        return lambda exchange: (field(exchange).lower() == wanted) == (comparison == "=")
    raise FilterError(f"{name} can be compared with =, != and ~, not with {comparison}")


def _number_test(field: Callable[[Exchange], float], name: str, comparison: str, value: str) -> Test:
    found = _QUANTITY.fullmatch(value)
    unit = UNITS.get(found[2].lower()) if found else None
    if found is None or unit is None or comparison not in COMPARISONS:
        raise FilterError(f"{name}{comparison}{value}: {name} is compared with a number, such as {name}>=100")
    try:
        wanted = float(found[1]) * unit
    except ValueError:
        raise FilterError(f"{found[1]!r} is not a number") from None
    compare = COMPARISONS[comparison]
    return lambda exchange: compare(field(exchange), wanted)


def _alternatives(tokens: list[Token]) -> Test:
    tests = [_conjunction(tokens)]
    while tokens and tokens[0][0] == "or":
        tokens.pop(0)
        tests.append(_conjunction(tokens))
    return tests[0] if len(tests) == 1 else lambda exchange: any(test(exchange) for test in tests)


def _conjunction(tokens: list[Token]) -> Test:
    tests = [_single(tokens)]
    while tokens and tokens[0][0] == "and":
        tokens.pop(0)
        tests.append(_single(tokens))
    return tests[0] if len(tests) == 1 else lambda exchange: all(test(exchange) for test in tests)


def _single(tokens: list[Token]) -> Test:
    if not tokens:
        raise FilterError("the expression ends where a test is expected")
    word, test = tokens.pop(0)
    if test is not None:
        return test
    if word == "not":
        inner = _single(tokens)
        return lambda exchange: not inner(exchange)
    if word == "(":
        inner = _alternatives(tokens)
        if not tokens or tokens.pop(0)[0] != ")":
            raise FilterError("a parenthesis is not closed")
        return inner
    raise FilterError(f"{word!r} stands where a test is expected")
