"""The verdict of --prove: each claim with its evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tracer.proof import Claim
from tracer.views.lines import BLANK, Block, Indented, styled
from tracer.views.style import GOOD, QUIET, WARN, WRONG, Symbols, visible
from tracer.words import Said, say


def render(claims: list[Claim], symbols: Symbols, language: str) -> Iterator[Block]:
    """The claims, one after the other, and what they come to."""
    yield BLANK
    yield Indented(styled((say(language, "proof.title"), "bold underline")), 1)
    for claim in claims:
        mark, style = {True: (symbols.check, GOOD), False: (symbols.cross, WRONG), None: (symbols.dot, WARN)}[
            claim.holds
        ]
        yield Indented(styled((f"{mark} ", style), (_words(claim.statement, symbols, language), "bold")), 1, 2)
        for said in claim.evidence:
            yield Indented(styled((f"{symbols.dot} {_words(said, symbols, language)}", QUIET)), 3, 2)
    failed = sum(claim.holds is False for claim in claims)
    key = "proof.some_fail" if failed else "proof.all_hold"
    verdict = say(language, key, count=failed, all=len(claims))
    yield Indented(styled((symbols.fit(verdict), WRONG if failed else GOOD)), 1)


def _words(said: Said, symbols: Symbols, language: str) -> str:
    return symbols.fit(visible(say(language, said.key, **said.values)))


def as_line(claims: list[Claim], language: str) -> str:
    """The claims as the last line of --json: `{"v":1,"proof":[...]}`, evidence with its values and as a sentence."""
    return json.dumps({"v": 1, "proof": _objects(claims, language)}, ensure_ascii=False, separators=(",", ":"))


def _objects(claims: list[Claim], language: str) -> list[dict[str, Any]]:
    return [
        {
            "id": claim.id,
            "holds": claim.holds,
            "statement": say(language, claim.statement.key, **claim.statement.values),
            "evidence": [_evidence(said, language) for said in claim.evidence],
        }
        for claim in claims
    ]


def _evidence(said: Said, language: str) -> dict[str, Any]:
    return {"key": said.key, **said.values, "text": say(language, said.key, **said.values)}
