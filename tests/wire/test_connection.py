"""What a conversation means does not depend on how its bytes were cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.wires import decode
from tracer.wire.connection import HttpConnection
from tracer.wire.http1 import Body, Complete

PING = b"HEAD /_ping HTTP/1.1\r\nHost: docker\r\n\r\n"
PONG = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 2\r\n\r\n"
LIST = b"GET /v1.41/containers/json HTTP/1.1\r\nHost: docker\r\n\r\n"
EMPTY_LIST = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n[]\n"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Sum\r\n\r\n"
    b"5;name=value\r\nhello\r\n6\r\n world\r\n0\r\nSum: 11\r\n\r\n"
)
ATTACH = b"POST /containers/x/attach HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
SWITCH = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

CONVERSATIONS: dict[str, list[tuple[str, bytes]]] = {
    "keep-alive": [("out", PING), ("in", PONG), ("out", LIST), ("in", EMPTY_LIST)],
    "pipelined": [("out", PING + LIST + LIST), ("in", PONG + EMPTY_LIST + CHUNKED)],
    "chunked": [("out", LIST), ("in", CHUNKED)],
    "hijacked": [("out", ATTACH + b"typed\n"), ("in", SWITCH + b"\x01\0\0\0\0\0\0\x03hi\n")],
    "until close": [("out", LIST), ("in", b"HTTP/1.0 200 OK\r\n\r\nall the rest")],
    "continue": [
        ("out", b"POST /build HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"),
        ("in", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("out", b"body"),
        ("in", b"HTTP/1.1 204 No Content\r\n\r\n"),
    ],
    "no http": [("out", b"\x16\x03\x01\x02\x00\x01"), ("in", b"\x15\x03\x01\x00\x02")],
    "bad request": [("out", b"GET /\r\n\r\n"), ("in", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nbad")],
}


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_every_single_split_gives_the_same_steps(name: str) -> None:
    pieces = CONVERSATIONS[name]
    whole = decode(pieces)
    for index, (direction, data) in enumerate(pieces):
        for cut in range(1, len(data)):
            split = [*pieces[:index], (direction, data[:cut]), (direction, data[cut:]), *pieces[index + 1 :]]
            assert decode(split) == whole, (name, index, cut)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_byte_by_byte_gives_the_same_steps(name: str) -> None:
    pieces = CONVERSATIONS[name]
    single = [(direction, data[at : at + 1]) for direction, data in pieces for at in range(len(data))]
    assert decode(single) == decode(pieces)


@pytest.mark.parametrize("name", CONVERSATIONS)
def test_the_order_of_the_directions_does_not_matter_within_a_recording(name: str) -> None:
    """A read's exit can be seen before the write's that it answers: responses wait for their requests."""
    pieces = CONVERSATIONS[name]
    if name == "no http":
        return  # nothing is asked there, so nothing waits
    answers_first = [piece for piece in pieces if piece[0] == "in"] + [piece for piece in pieces if piece[0] == "out"]
    assert decode(answers_first) == decode(pieces)


def test_a_head_response_has_no_body_whatever_its_length_says() -> None:
    steps = decode(CONVERSATIONS["keep-alive"])
    assert [step[:3] for step in steps if step[1] in ("head", "body", "complete") and step[0] == "in"] == [
        ("in", "head", 0),
        ("in", "complete", 0),
        ("in", "head", 1),
        ("in", "body", 1),
        ("in", "complete", 1),
    ]


def test_chunks_and_trailers_are_taken_apart() -> None:
    steps = decode(CONVERSATIONS["chunked"])
    assert ("in", "body", 0, b"hello world") in steps
    assert ("in", "trailers", 0, (("Sum", "11"),)) in steps


def test_after_101_both_directions_are_opaque() -> None:
    steps = decode(CONVERSATIONS["hijacked"])
    assert ("in", "upgraded", 0, "tcp") in steps
    assert ("out", "opaque", 1, b"typed\n") in steps
    assert ("in", "opaque", 1, b"\x01\0\0\0\0\0\0\x03hi\n") in steps


def test_the_200_of_old_daemons_is_a_hijack_too() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"
    steps = decode([("out", ATTACH), ("in", head + b"raw")])
    assert ("in", "upgraded", 0, "tcp") in steps
    assert ("in", "opaque", 1, b"raw") in steps


def test_an_upgrade_that_is_refused_leaves_http_going_on() -> None:
    refused = b"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n"
    steps = decode([("out", ATTACH), ("in", refused), ("out", LIST), ("in", EMPTY_LIST)])
    assert ("in", "body", 1, b"[]\n") in steps


def test_what_is_wrong_is_said_and_the_answer_to_it_is_still_read() -> None:
    steps = decode(CONVERSATIONS["bad request"])
    assert any(step[:2] == ("out", "broken") for step in steps)
    assert ("in", "body", 0, b"bad") in steps


@given(st.lists(st.tuples(st.sampled_from(["out", "in"]), st.binary(max_size=200)), max_size=20))
def test_no_bytes_make_the_decoder_raise(pieces: list[tuple[str, bytes]]) -> None:
    decode(pieces)


@given(st.data())
def test_damaged_conversations_never_raise_and_lose_no_bytes(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CONVERSATIONS)))
    pieces = []
    for direction, raw in CONVERSATIONS[name]:
        damaged = bytearray(raw)
        for _ in range(data.draw(st.integers(0, 3))):
            damaged[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        pieces.append((direction, bytes(damaged)))
    decode(pieces)


def test_a_server_that_speaks_first_is_not_kept_in_memory_for_ever() -> None:
    wire = HttpConnection()
    fed = 0
    for _ in range(100):
        list(wire.feed("in", b"x" * (1 << 16)))
        fed += 1 << 16
    assert wire.understood("in") > fed - (4 << 20)


@pytest.mark.parametrize("framing", ["Content-Length: 100", "Transfer-Encoding: chunked"])
def test_bytes_inside_a_body_are_one_piece_and_not_copied(framing: str) -> None:
    wire = HttpConnection()
    list(wire.feed("out", LIST))
    size = b"64\r\n" if "chunked" in framing else b""
    list(wire.feed("in", b"HTTP/1.1 200 OK\r\n" + framing.encode() + b"\r\n\r\n" + size + b"x"))
    piece = bytes(98)
    (step,) = wire.feed("in", piece)
    assert isinstance(step.event, Body)
    assert step.event.data is piece
    assert (step.direction, step.number, step.event.at) == ("in", 0, wire.understood("in") - 98)
    ending = b"y\r\n0\r\n\r\n" if size else b"y"
    last, complete = wire.feed("in", ending)
    assert isinstance(last.event, Body)
    assert (last.event.data, type(complete.event)) == (b"y", Complete)
