"""Answers that grow: what they come to, and each of their lines."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.engine.meaning import meaning_of
from tracer.engine.progress import entry_in_words, summary
from tracer.exchanges import Exchange, Growth, assemble
from tracer.recording.reader import read
from tracer.wire.bodies import Body, BodyReader

FIXTURES = Path(__file__).parents[2] / "fixtures"


def body(lines: list[Any]) -> Body:
    reader = BodyReader("application/json")
    for line in lines:
        reader.feed(json.dumps(line).encode() + b"\r\n")
    return reader.finish()


PULL = [
    {"status": "Pulling from library/x", "id": "latest"},
    {"status": "Pulling fs layer", "progressDetail": {}, "id": "aaa"},
    {"status": "Already exists", "progressDetail": {}, "id": "bbb"},
    *[
        {"status": "Downloading", "progressDetail": {"current": n, "total": 3000}, "id": "aaa"}
        for n in range(0, 3000, 3)
    ],
    {"status": "Pull complete", "progressDetail": {}, "id": "aaa"},
    {"status": "Status: Downloaded newer image for x:latest"},
]


def test_a_pull_is_summed_up_by_its_layers_though_most_lines_are_not_kept() -> None:
    pulled = body(PULL)
    assert len(pulled.preview) < len(PULL)
    assert pulled.layers["aaa"] == {"status": "Pull complete", "total": 3000}
    assert summary(pulled, 200) == (
        "1 layer pulled (3.00 kB) · 1 layer there already · Status: Downloaded newer image for x:latest"
    )


@pytest.mark.parametrize(
    ("recording", "part", "told"),
    [
        ("pull", "/images/create", "Status: Downloaded newer image for 127.0.0.1:5000/tiny:latest"),
        ("push", "/push", "1 layer there already"),
        ("build", "/build", "step 3 of 3: RUN cat /greeting · image "),
        ("build-fails", "/build", "failed, though the status is 200: The command '/bin/sh -c exit 3' returned"),
        ("buildkit", "/build", "8 steps: [internal] load build definition from Dockerfile, "),
        ("load", "/images/load", "Loaded image: tiny:latest"),
        ("events", "/events", "3 events: container create, container start, container die"),
        ("stats", "/stats", "1 sample, memory "),
    ],
)
def test_real_answers_are_summed_up(recording: str, part: str, told: str) -> None:
    items = assemble(read(str(FIXTURES / f"{recording}.jsonl")))
    found = [item for item in items if isinstance(item, Exchange) and item.request and part in item.request.head.target]
    assert told in (meaning_of(found[0]).answered or "")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"status": "Downloading", "id": "abc", "progressDetail": {}}, "abc: Downloading"),
        ({"status": "Pulling from x"}, "Pulling from x"),
        ({"stream": "Step 1/2 : FROM demo\n"}, "Step 1/2 : FROM demo"),
        ({"stream": "\n"}, None),
        ({"error": "no space", "errorDetail": {}}, "error: no space"),
        ({"Type": "container", "Action": "start", "Actor": {"Attributes": {"name": "web"}}}, "container start web"),
        ({"stream": "stdout", "size": 3, "text": "hi\n"}, "stdout: hi"),
        ({"name": "etc/passwd", "mode": "0644", "size": 1200, "type": "file"}, "0644       1,200  etc/passwd"),
        ({"aux": {"ID": "sha256:" + "a" * 64}}, 'result: {"ID": "sha256:aaaaaaaaaaaa…"}'),
        ("not JSON", "not JSON"),
    ],
)
def test_each_entry_in_words(entry: Any, words: str | None) -> None:
    assert entry_in_words(entry) == words


def test_the_recordings_grow_entry_by_entry() -> None:
    items = list(assemble(read(str(FIXTURES / "logs-follow.jsonl")), live=True))
    grown = [item for item in items if isinstance(item, Growth) and "text" in str(item.entry)]
    assert [item.entry["text"] for item in grown if isinstance(item.entry, dict)] == ["1\n", "2\n", "3\n"]
    assert items.index(grown[-1]) < items.index(grown[-1].exchange), "before the exchange is over"


def test_a_tar_grows_member_by_member() -> None:
    items = assemble(read(str(FIXTURES / "build.jsonl")), live=True)
    grown = [item for item in items if isinstance(item, Growth) and item.direction == "out"]
    assert grown[0].entry is None, "the head of the request"
    names = [item.entry["name"] for item in grown if item.entry is not None]
    assert names == ["Dockerfile", "greeting"]
