"""HTTP/2 and gRPC: h2 makes the bytes, the observer must tell the same calls however they are cut."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.events import Direction
from tracer.exchanges import Exchange, assemble
from tracer.recording.reader import read
from tracer.wire.grpc import Messages, as_object
from tracer.wire.http2 import PREFACE, Http2Connection

Piece = tuple[Direction, bytes]
FIXTURES = Path(__file__).parents[2] / "fixtures"


def message(payload: bytes) -> bytes:
    return b"\0" + len(payload).to_bytes(4, "big") + payload


def conversation(caller: Direction = "out") -> list[Piece]:
    """Two calls, the second answered first and refused; made by two ends of the h2 library."""
    answerer: Direction = "in" if caller == "out" else "out"
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    pieces: list[Piece] = []

    def pass_on() -> None:
        for _ in range(3):
            for direction, source, target in ((caller, client, server), (answerer, server, client)):
                data = source.data_to_send()
                if data:
                    pieces.append((direction, data))
                    target.receive_data(data)

    client.initiate_connection()
    server.initiate_connection()
    pass_on()
    for stream, path in ((1, "/moby.filesync.v1.FileSync/DiffCopy"), (3, "/grpc.health.v1.Health/Check")):
        head = [(":method", "POST"), (":scheme", "http"), (":path", path), (":authority", "x")]
        client.send_headers(stream, [*head, ("content-type", "application/grpc")])
        client.send_data(stream, message(b"question"), end_stream=True)
    pass_on()
    for stream, status, payloads in ((3, "5", []), (1, "0", [b"one", b"t" * 5000, b""])):
        server.send_headers(stream, [(":status", "200"), ("content-type", "application/grpc")])
        for payload in payloads:
            server.send_data(stream, message(payload))
        server.send_headers(stream, [("grpc-status", status), ("grpc-message", "said")], end_stream=True)
    pass_on()
    return pieces


def test_calls_have_times_and_their_messages_fields() -> None:
    connection = Http2Connection()
    for t, (direction, data) in enumerate(conversation()):
        connection.feed(direction, data, float(t))
    first, second = (call.as_object() for call in connection.calls)
    assert first["began"] == second["began"]
    assert first["duration"] == second["duration"] == 1.0
    assert [(m["by"], m["size"]) for m in first["messages"]] == [
        ("client", 8),
        ("daemon", 3),
        ("daemon", 5000),
        ("daemon", 0),
    ]
    assert first["messages"][3]["fields"] == {}
    assert (second["status"], second["message"], second["received"]) == (5, "said", 0)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_compressed_message_is_opened(coding: str) -> None:
    packed = gzip.compress(b"\x0a\x02hi") if coding == "gzip" else zlib.compress(b"\x0a\x02hi")
    messages = Messages()
    messages.feed(b"\1" + len(packed).to_bytes(4, "big") + packed)
    assert as_object(messages.kept[0], "client", coding)["fields"] == {"1": "hi"}
    assert as_object(messages.kept[0], "client", "snappy")["fields"] is None


def test_a_long_message_is_counted_and_not_kept() -> None:
    messages = Messages()
    for _ in range(3):
        messages.feed(b"\0" + (1 << 20).to_bytes(4, "big") + bytes(1 << 20))
    assert (messages.count, messages.size) == (3, 3 * ((1 << 20) + 5))
    assert [kept.data for kept in messages.kept] == [None] * 3


def calls(pieces: list[Piece]) -> list[dict[str, Any]]:
    connection = Http2Connection()
    for direction, data in pieces:
        connection.feed(direction, data)
    assert connection.problem is None
    return [call.as_object() for call in connection.calls]


EXPECTED = [
    {"service": "moby.filesync.v1.FileSync", "method": "DiffCopy", "status": 0, "sent": 1, "received": 3},
    {"service": "grpc.health.v1.Health", "method": "Check", "status": 5, "sent": 1, "received": 0},
]


@pytest.mark.parametrize("caller", ["out", "in"])
def test_calls_of_either_side(caller: Direction) -> None:
    told = calls(conversation(caller))
    assert [{key: call[key] for key in EXPECTED[0]} for call in told] == EXPECTED
    assert {call["caller"] for call in told} == {"client" if caller == "out" else "daemon"}
    assert told[0]["bytes_received"] == 3 + 5000 + 3 * 5


def test_an_answer_that_was_recorded_before_its_request_waits_for_it() -> None:
    """Two threads: one reads the answer before the other has returned from its write."""
    pieces = conversation()
    greeting = [piece for piece in pieces if piece[1].startswith(PREFACE)]
    rest = [piece for piece in pieces if piece not in greeting]
    early = greeting + [p for p in rest if p[0] == "in"] + [p for p in rest if p[0] == "out"]
    assert calls(early) == calls(pieces)


def test_a_connection_that_is_seen_from_its_middle_on_waits_for_nothing() -> None:
    answers = [piece for piece in conversation() if piece[0] == "in"]
    connection = Http2Connection()
    for direction, data in answers:
        connection.feed(direction, data)
    assert connection.understood("in") == sum(len(data) for _, data in answers)


def test_every_single_split_tells_the_same() -> None:
    pieces = conversation()
    whole = calls(pieces)
    for index, (direction, data) in enumerate(pieces):
        for cut in range(1, len(data), 1 if len(data) < 300 else 37):
            split = [*pieces[:index], (direction, data[:cut]), (direction, data[cut:]), *pieces[index + 1 :]]
            assert calls(split) == whole


def test_byte_by_byte_tells_the_same() -> None:
    pieces = conversation()
    single: list[Piece] = [(direction, data[at : at + 1]) for direction, data in pieces for at in range(len(data))]
    assert calls(single) == calls(pieces)


@given(st.lists(st.tuples(st.sampled_from(["out", "in"]), st.binary(max_size=100)), max_size=10))
def test_no_bytes_make_it_raise(pieces: list[Piece]) -> None:
    connection = Http2Connection()
    connection.feed("out", PREFACE)
    for direction, data in pieces:
        connection.feed(direction, data)
    json.dumps([call.as_object() for call in connection.calls])


@given(st.data())
def test_damaged_frames_never_raise(data: st.DataObject) -> None:
    connection = Http2Connection()
    for direction, raw in conversation():
        damaged = bytearray(raw)
        for _ in range(data.draw(st.integers(0, 2))):
            damaged[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        connection.feed(direction, bytes(damaged))
    assert all(call.as_object()["service"] is not None for call in connection.calls)


def test_a_real_buildkit_session() -> None:
    items = assemble(read(str(FIXTURES / "buildkit.jsonl")))
    (session,) = [item for item in items if isinstance(item, Exchange) and item.upgrade == "h2c"]
    assert session.stream is not None
    assert session.stream.kind == "grpc"
    assert session.stream.problem is None
    methods = {(call["caller"], call["service"], call["method"], call["status"]) for call in session.stream.calls}
    assert ("daemon", "moby.filesync.v1.FileSync", "DiffCopy", 0) in methods
