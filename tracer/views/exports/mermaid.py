"""A sequence diagram in Mermaid's language, which GitHub, GitLab and many wikis draw where they find it in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracer.engine.meaning import meaning_of
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded
from tracer.views.exports.sequence import answer, ends, question


def export(recorded: Recorded) -> Iterator[bytes]:
    """The diagram; each pair of processes has its own two lifelines."""
    yield b"sequenceDiagram\n    autonumber\n"
    names: dict[tuple[str, str], tuple[str, str]] = {}
    for exchange in recorded.exchanges:
        pair = ends(exchange)
        if pair not in names:
            names[pair] = f"C{len(names)}", f"D{len(names)}"
            for name, kind, label in zip(names[pair], ("actor", "participant"), pair, strict=True):
                yield f"    {kind} {name} as {_safe(label)}\n".encode()
        yield "".join(f"    {line}\n" for line in _lines(exchange, *names[pair])).encode()


def _lines(exchange: Exchange, client: str, daemon: str) -> Iterator[str]:
    yield f"{client}->>{daemon}: {_safe(question(exchange))}"
    meaning = meaning_of(exchange)
    if meaning.summary:
        yield f"Note right of {daemon}: {_safe(meaning.summary)}"
    arrow = "--x" if exchange.response is None else "-->>"
    yield f"{daemon}{arrow}{client}: {_safe(answer(exchange))}"
    if exchange.upgrade:
        yield f"Note over {client},{daemon}: {_safe(f'the connection becomes {exchange.upgrade}')}"


_SPECIAL = re.compile(r"[#;:<>\n\r%{}]")


def _safe(text: str) -> str:
    """With the characters that mean something to Mermaid as its entity codes."""
    return _SPECIAL.sub(lambda found: f"#{ord(found[0])};", text)
