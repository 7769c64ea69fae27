"""The exchanges of a run grouped by story: all about one container, network or build together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msgspec import Struct

from tracer.engine.meaning import meaning_of
from tracer.engine.names import count, short_id
from tracer.events import End
from tracer.exchanges import Exchange, Item, Story


class Chapter(Struct, frozen=True):
    """The heading of a group."""

    title: str


def by_story(items: Iterable[Item]) -> Iterator[Item | Chapter]:
    """The same items, exchanges grouped by story; what belongs to none comes first, the end of the run last."""
    groups: dict[int, list[Exchange]] = {0: []}
    stories: dict[int, Story] = {}
    last: list[Item] = []
    for item in items:
        if isinstance(item, Exchange):
            number = item.story.number if item.story else 0
            groups.setdefault(number, []).append(item)
            if item.story:
                stories[number] = item.story
        elif isinstance(item, End):
            last.append(item)
        else:
            yield item
    for number, exchanges in groups.items():
        if exchanges:
            yield Chapter(_title(stories.get(number), exchanges))
            yield from exchanges
    yield from last


def _title(story: Story | None, exchanges: list[Exchange]) -> str:
    if story is None:
        return f"about no single resource: {count(len(exchanges), 'exchange')}"
    names = [story.name] if story.name else []
    if story.id != story.name and not story.id.startswith("of process"):
        names.append(f"({short_id(story.id)})")
    steps = " → ".join(_step(exchange) for exchange in exchanges)
    return f"{story.kind} {' '.join(names) or story.id}: {steps}"


def _step(exchange: Exchange) -> str:
    """`create 3`: the last word of the operation's id, and the exchange's number."""
    operation = meaning_of(exchange).operation
    return f"{(operation.id if operation else 'unknown').removeprefix('Container').lower()} {exchange.number}"
