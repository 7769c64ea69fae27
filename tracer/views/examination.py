"""What `socktrace doctor` found, on the screen and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tracer.doctor import Check
from tracer.views.lines import BLANK, Block, Indented, styled
from tracer.views.style import GOOD, QUIET, WRONG, Symbols, visible
from tracer.words import say

DAEMONS = {"endpoint", "socket", "connect", "listener", "daemon", "client", "agree"}


def render(checks: list[Check], symbols: Symbols, language: str) -> Iterator[Block]:
    """The checks in two groups, and what they come to."""
    for title, wanted in (("doctor.title", False), ("doctor.daemon_title", True)):
        yield Indented(styled((say(language, title), "bold underline")), 1)
        for check in checks:
            if (check.id in DAEMONS) is wanted:
                yield _line(check, symbols, language)
        yield BLANK
    ill = sum(check.well is False for check in checks)
    verdict = say(language, "doctor.ill", count=ill) if ill else say(language, "doctor.well")
    yield Indented(styled((verdict, WRONG if ill else GOOD)), 1)


def _line(check: Check, symbols: Symbols, language: str) -> Block:
    marks = {True: (symbols.check, GOOD), False: (symbols.cross, WRONG), None: (symbols.dot, QUIET)}
    mark, style = marks[check.well]
    return Indented(styled((f"{mark} ", style), symbols.fit(visible(words(check, language)))), 1, 2)


def words(check: Check, language: str) -> str:
    """The sentence of a check."""
    reason = say(language, check.reason.key, **check.reason.values) if check.reason else ""
    return say(language, check.said.key, **{"reason": reason, **check.said.values})


def as_line(checks: list[Check], language: str) -> str:
    """`{"v":1,"well":...,"checks":[...]}`."""
    told = [
        {"id": check.id, "well": check.well, "key": (check.reason or check.said).key, "text": words(check, language)}
        for check in checks
    ]
    well = all(check.well is not False for check in checks)
    return json.dumps({"v": 1, "well": well, "checks": told}, ensure_ascii=False)
