"""What `socktrace diff` found, on the screen and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tracer.engine.compare import Change
from tracer.engine.names import count
from tracer.views.lines import Block, Indented, Whole, styled
from tracer.views.style import GOOD, QUIET, WARN, WRONG, Symbols, visible

SIGNS = {"removed": ("-", WRONG), "added": ("+", GOOD), "changed": ("~", WARN)}


def render(changes: list[Change], names: tuple[str, str], symbols: Symbols) -> Iterator[Block]:
    """The changes in the order of the exchanges, signs as in a unified diff."""
    if not changes:
        return
    yield Whole(styled((visible(f"--- {names[0]}"), WRONG)))
    yield Whole(styled((visible(f"+++ {names[1]}"), GOOD)))
    for change in changes:
        sign, style = SIGNS[change.kind]
        numbers = "/".join(str(number) for number in (change.before, change.after) if number is not None)
        yield Indented(styled((f"{sign} ", style), (visible(change.line), "bold"), (f"  {numbers}", QUIET)), 0, 4)
        for difference in change.differences:
            yield Indented(styled(symbols.fit(visible(difference))), 4, 2)
    yield Whole(styled((count(len(changes), "difference"), QUIET)))


def as_lines(changes: list[Change]) -> Iterator[str]:
    """A line of JSON for each change."""
    for change in changes:
        told = {
            "v": 1,
            "kind": change.kind,
            "request": change.line,
            "before": change.before,
            "after": change.after,
            "differences": change.differences,
        }
        yield json.dumps(told, ensure_ascii=False)
