"""A report for an issue: what was run, the calls as a table, what failed and why, and the timeline folded away."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from tracer import __version__
from tracer.engine.meaning import meaning_of
from tracer.engine.names import duration, shorten_ids
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded
from tracer.views.lines import painted
from tracer.views.style import visible
from tracer.views.timeline import Timeline
from tracer.words import say

WIDTH = 100


def export(recorded: Recorded) -> Iterator[bytes]:
    """The report, in the Markdown of GitHub and GitLab."""
    header = recorded.header
    failed = [exchange for exchange in recorded.exchanges if _problem(exchange)]
    yield (
        f"## `{shlex.join(header.argv)}`\n\n"
        f"{header.started}, {header.tool}, Linux {header.kernel} on {header.arch}, endpoint `{header.endpoint}`\n\n"
        "| # | request | answer | time |\n| ---: | --- | --- | ---: |\n"
    ).encode()
    for exchange in recorded.exchanges:
        cells = str(exchange.number), _cell(_asked(exchange)), _cell(_answered(exchange)), _time(exchange)
        yield f"| {' | '.join(cells)} |\n".encode()
    if failed:
        yield b"\n### What failed\n\n"
        for exchange in failed:
            yield f"{exchange.number}. {_problem(exchange)}\n".encode()
    yield b"\n<details><summary>The timeline</summary>\n\n```\n"
    for block in Timeline(verbosity=1).render(recorded.exchanges):
        yield painted(block, WIDTH, color=False).replace("```", "'''").encode()
    yield f"```\n\n</details>\n\nMade by socktrace {__version__}.\n".encode()


def _asked(exchange: Exchange) -> str:
    if exchange.request is None:
        return f"connect {exchange.party.connect.address}"
    return f"{exchange.request.head.method} {shorten_ids(exchange.request.head.target)}"


def _answered(exchange: Exchange) -> str:
    if exchange.response is None:
        return exchange.failure or "no response"
    head = exchange.response.head
    told = exchange.failure or meaning_of(exchange).answered
    return f"{head.status} {head.reason}{f': {told}' if told else ''}"


def _time(exchange: Exchange) -> str:
    return "" if exchange.timing.total is None else duration(exchange.timing.total)


def _problem(exchange: Exchange) -> str:
    """Why it failed and what to do; empty for an exchange that did not."""
    if not exchange.has_failed:
        return ""
    advice = meaning_of(exchange).advice
    told = _answered(exchange)
    return visible(f"{told} {say('en', advice.key, **advice.values)}" if advice else told)


def _cell(text: str) -> str:
    """Text in a table: a bar would end the cell, and `<` begin a tag."""
    for character, written in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("`", "\\`"), ("*", "\\*"), ("_", "\\_")):
        text = text.replace(character, written)
    return visible(text).replace("\n", " ")
