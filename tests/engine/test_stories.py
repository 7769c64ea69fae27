"""What exchanges have to do with each other: stories, terminals, versions. On recordings of a real daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tracer.engine.stories import told
from tracer.engine.versions import newest_of
from tracer.events import Connect, Data, Direction, Event
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.reader import read

FIXTURES = Path(__file__).parents[2] / "fixtures"


def exchanges(events: list[Event]) -> list[Exchange]:
    return [item for item in in_order(told(assemble(events))) if isinstance(item, Exchange)]


def recorded(name: str, conns: range | None = None) -> list[Exchange]:
    """The exchanges of a recording, of some of its connections if asked."""
    events = list(read(str(FIXTURES / f"{name}.jsonl")))
    return exchanges([event for event in events if conns is None or getattr(event, "conn", 0) in conns])


def only(found: list[Exchange], part: str) -> Exchange:
    (one,) = [item for item in found if item.request and part in item.request.head.target]
    return one


def test_all_about_one_container_is_one_story() -> None:
    found = recorded("life")
    story = only(found, "create").story
    assert story is not None
    assert (story.kind, story.name, story.made_by) == ("container", "life", 2)
    in_it = [item for item in found if item.story is story]
    paths = [item.request.head.target.split("?")[0].split("/")[-1] for item in in_it if item.request]
    assert paths == ["create", "start", "wait", "json", "json", "logs", "life"]


def test_an_id_that_is_shortened_means_the_same_container() -> None:
    found = recorded("run")
    created = found[1].story
    assert created is not None
    events = list(read(str(FIXTURES / "run.jsonl")))
    renamed = [_with_target(event, created.id, created.id[:12]) for event in events]
    stories = {item.story.number for item in exchanges(renamed) if item.story}
    assert stories == {created.number}


def _with_target(event: Event, long: str, short: str) -> Event:
    import msgspec.structs

    if not isinstance(event, Data) or event.dir == "in" or event.payload is None:
        return event
    payload = event.payload.replace(long.encode(), short.encode())
    return msgspec.structs.replace(event, payload=payload, size=len(payload))


def test_a_resize_belongs_to_the_stream_of_its_container() -> None:
    found = recorded("run-terminal")
    attach, resize = only(found, "/attach"), only(found, "/resize")
    assert resize.stream_of == attach.number
    assert attach.stream is not None
    assert [(size["n"], size["w"], size["h"]) for size in attach.stream.resizes] == [(resize.number, 80, 24)]


def test_a_resize_belongs_to_the_stream_of_its_exec() -> None:
    found = recorded("exec-terminal")
    started = only(found, "/start")
    resizes = [item for item in found if item.request and "/resize" in item.request.head.target]
    assert {item.stream_of for item in resizes} <= {started.number}
    assert started.story is not None
    assert started.story.name == "web"


@pytest.mark.parametrize(
    ("name", "part", "kind"),
    [
        ("run", "/attach", "multiplexed"),
        ("run-stdin", "/attach", "multiplexed"),
        ("attach-200", "/attach", "multiplexed"),
        ("run-terminal", "/attach", "raw"),
        ("exec", "/start", "multiplexed"),
        ("exec-terminal", "/start", "raw"),
    ],
)
def test_the_tty_of_the_create_tells_what_a_stream_is(name: str, part: str, kind: str) -> None:
    streams = [
        item.stream for item in recorded(name) if item.stream and item.request and part in item.request.head.target
    ]
    assert [(stream.kind, stream.guessed) for stream in streams] == [(kind, False)]


def test_a_log_that_looks_like_frames_is_not_corrupted() -> None:
    response = only(recorded("logs-look-alike"), "/logs").response
    assert response is not None
    assert (response.body.kind, response.body.guessed) == ("raw", False)
    assert response.body.preview == "\x01\0\0\0\0\0\0\x03abc"


def test_without_the_create_or_inspect_the_look_alike_is_a_guess_that_says_so() -> None:
    alike = b"\x01\0\0\0\0\0\0\x03abc"
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n" % len(alike)
    request = f"GET /v1.41/containers/{'a' * 64}/logs?stdout=1 HTTP/1.1\r\n\r\n".encode()
    (exchange,) = exchanges([CONNECT, data("out", request), data("in", head + alike)])
    assert exchange.response is not None
    assert (exchange.response.body.kind, exchange.response.body.guessed) == ("multiplexed", True)


def test_a_follow_of_logs_is_split_by_what_the_inspect_said() -> None:
    response = only(recorded("logs-follow"), "/logs").response
    assert response is not None
    assert (response.body.kind, response.body.guessed) == ("multiplexed", False)
    pieces = response.body.preview
    assert [(piece["stream"], piece["text"]) for piece in pieces] == [("stdout", f"{n}\n") for n in (1, 2, 3)]
    assert pieces[-1]["t"] - pieces[0]["t"] > 0.05, "each at its own time"


CONNECT = Connect(t=0.0, conn=1, pid=7, tid=7, fd=3, family="unix", address="/run/docker.sock")


def data(direction: Direction, payload: bytes, t: float = 1.0) -> Event:
    size = len(payload)
    return Data(t=t, conn=1, pid=7, tid=7, fd=3, syscall="read", dir=direction, size=size, payload=payload)


@pytest.mark.parametrize(("version", "kind", "guessed"), [("1.41", "multiplexed", True), ("1.42", "raw", False)])
def test_from_api_1_42_on_a_raw_stream_is_a_terminals(version: str, kind: str, guessed: bool) -> None:
    request = f"POST /v{version}/containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode()
    head = b"HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
    (exchange,) = exchanges([CONNECT, data("out", request), data("in", head + b"\1\0\0\0\0\0\0\3abc")])
    assert exchange.stream is not None
    assert (exchange.stream.kind, exchange.stream.guessed) == (kind, guessed)


def test_the_versions_that_client_and_daemon_agreed_on() -> None:
    agreed = [item.negotiation for item in recorded("run")]
    assert [(n.client, n.daemon, n.spoken) for n in agreed if n] == [("1.50", "1.41", "1.41")]
    assert agreed[1] is not None, "it is said at the first request that uses it"


@pytest.mark.parametrize(
    ("agent", "newest"),
    [
        ("Docker-Client/28.2.2 (linux)", "1.50"),
        ("Docker-Client/20.10.24+dfsg1 (linux)", "1.41"),
        ("Docker-Client/99.1 (linux)", None),
        ("curl/7.88.1", None),
    ],
)
def test_what_a_client_knows_at_most(agent: str, newest: str | None) -> None:
    assert newest_of(agent) == newest


def test_a_build_and_its_session_are_one_story() -> None:
    found = recorded("buildkit")
    numbers = {item.story.number for item in found if item.story}
    targets = {item.request.head.target.split("?")[0] for item in found if item.story and item.request}
    assert (len(numbers), targets) == (1, {"/v1.41/build", "/session"})


def test_answers_in_another_shape_do_no_harm() -> None:
    shapes: list[Any] = [{"Id": 5}, [], {"Id": ""}, {"Id": None, "Config": 3, "Name": 4}, None]
    for body in shapes:
        raw = json.dumps(body).encode()
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(raw) + raw
        for request in ("POST /containers/create", "GET /containers/x/json", "POST /containers/x/exec"):
            asked = f"{request} HTTP/1.1\r\n\r\n".encode()
            assert len(exchanges([CONNECT, data("out", asked), data("in", answer)])) == 1
