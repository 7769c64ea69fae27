"""Every recording means the same however its bytes are cut: each connection is decoded again for every place where one
of its syscalls could have moved less, and for random sets of cuts.

SOCKTRACE_SPLITS=all tries all single splits, which takes five minutes. In CI a stride of three or four is used for the
two connections above ten kilobytes, elsewhere one that keeps each recording below a second or so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec.structs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.engine.stories import told
from tracer.events import Connect, Data, Event
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.reader import read
from tracer.views.json_lines import to_object

RECORDINGS = sorted((Path(__file__).parents[2] / "fixtures").glob("*.jsonl"))
BUDGETS = {"all": 1 << 60, "ci": 100_000_000, "some": 1_000_000}
BUDGET = BUDGETS[os.environ.get("SOCKTRACE_SPLITS", "ci" if os.environ.get("CI") else "some")]
"""Bytes that are decoded for one connection."""


def connections(path: Path) -> list[list[Event]]:
    """The events of each connection of a recording."""
    events = list(read(str(path)))
    made = [event.conn for event in events if isinstance(event, Connect) and event.error is None]
    return [[event for event in events if getattr(event, "conn", 0) == conn] for conn in made]


def meaning(events: Sequence[Event]) -> list[Any]:
    """What the exchanges of a connection say, without when its pieces came and how long they were."""
    found = [item for item in in_order(told(assemble(events))) if isinstance(item, Exchange)]
    return [_without_pieces(to_object(exchange)) for exchange in found]


def _without_pieces(value: Any) -> Any:
    """Neighbouring pieces of a terminal in one, and of the frames what does not depend on when they came."""
    if isinstance(value, dict):
        return {key: _without_pieces(inner) for key, inner in value.items() if key != "t"}
    if isinstance(value, list):
        if value and isinstance(value[0], dict) and "stream" in value[0] and "text" in value[0]:
            return _joined(value)
        return [_without_pieces(inner) for inner in value]
    return value


def _joined(pieces: list[dict[str, Any]]) -> list[tuple[str, str]]:
    texts: dict[str, str] = {}
    for piece in pieces:
        texts[piece["stream"]] = texts.get(piece["stream"], "") + piece["text"]
    return sorted(texts.items())


def cut(event: Data, places: Sequence[int]) -> Iterator[Data]:
    """The event as several that moved less each."""
    assert event.payload is not None
    for start, end in pairwise([0, *places, event.size]):
        piece = event.payload[start:end]
        yield msgspec.structs.replace(event, size=len(piece), payload=piece)


def places_to_cut(events: Sequence[Event]) -> Iterator[tuple[int, int]]:
    """(index of an event, offset in it) of the single splits to try."""
    moved = [(index, event.size) for index, event in enumerate(events) if isinstance(event, Data) and event.payload]
    total = sum(size for _, size in moved)
    stride = max(1, total * total // BUDGET)
    count = 0
    for index, size in moved:
        for offset in range(1, size):
            count += 1
            if count % stride == 0:
                yield index, offset


@pytest.mark.timeout(600)
@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_every_single_split_means_the_same(path: Path) -> None:
    for events in connections(path):
        whole = meaning(events)
        for index, offset in places_to_cut(events):
            event = events[index]
            assert isinstance(event, Data)
            assert meaning([*events[:index], *cut(event, [offset]), *events[index + 1 :]]) == whole, (index, offset)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
@given(data=st.data())
def test_random_cuts_mean_the_same(path: Path, data: st.DataObject) -> None:
    found = connections(path)
    if not found:
        return
    events = data.draw(st.sampled_from(found))
    pieces: list[Event] = []
    for event in events:
        if isinstance(event, Data) and event.payload and len(event.payload) > 1:
            places = data.draw(st.sets(st.integers(1, event.size - 1), max_size=4))
            pieces += cut(event, sorted(places))
        else:
            pieces.append(event)
    assert meaning(pieces) == meaning(events)
