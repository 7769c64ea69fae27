"""HTTP/2 that is not gRPC: its calls are exchanges of their own, and the secrets in them are masked in place."""

from __future__ import annotations

from collections.abc import Sequence

import h2.config
import h2.connection
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracer.engine import generic
from tracer.events import Close, Connect, Data, Direction, Event
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.redact import redact
from tracer.views.json_lines import to_object
from tracer.wire.header_blocks import Block

Header = tuple[str, str]
SECRET = "Bearer hunter2hunter2"
BODY = b'{"name":"x","password":"hunter2"}'


def conversation(*, huge: bool = False, cut: bool = False) -> list[tuple[Direction, bytes]]:
    """Two calls with a secret header each, the second from the table of the first; made by the h2 library."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
    pieces: list[tuple[Direction, bytes]] = []

    def pass_on() -> None:
        for _ in range(3):
            ways: list[tuple[Direction, h2.connection.H2Connection, h2.connection.H2Connection]] = [
                ("out", client, server), ("in", server, client)
            ]  # fmt: skip
            for direction, source, target in ways:
                data = source.data_to_send()
                if data:
                    pieces.append((direction, data))
                    target.receive_data(data)

    client.initiate_connection()
    server.initiate_connection()
    pass_on()
    more: list[Header] = [(f"x-{number}", "y" * 90) for number in range(300)] if huge else []
    for stream, method, path in ((1, "POST", "/api/things?x=1"), (3, "GET", "/api/things/7")):
        head: list[Header] = [(":method", method), (":scheme", "https"), (":path", path), (":authority", "host:6443")]
        head += [("authorization", SECRET), ("content-type", "application/json"), *more]
        client.send_headers(stream, head, end_stream=method == "GET")
        if method == "POST":
            client.send_data(stream, BODY[:20])
            client.send_data(stream, BODY[20:], end_stream=True)
    pass_on()
    for stream, status in ((3, "404"), (1, "201")):
        answer: list[Header] = [(":status", status), ("content-type", "application/json"), ("set-cookie", SECRET)]
        server.send_headers(stream, answer)
        server.send_data(stream, b'{"message":"said"}', end_stream=not cut)
    pass_on()
    return pieces


def events(pieces: Sequence[tuple[Direction, bytes]]) -> list[Event]:
    made: list[Event] = [Connect(t=0, conn=1, pid=1, tid=1, fd=3, family="inet", address="10.0.0.1:6443")]
    for number, (direction, data) in enumerate(pieces):
        made.append(
            Data(t=number, conn=1, pid=1, tid=1, fd=3, syscall="x", dir=direction, size=len(data), payload=data)
        )
    return [*made, Close(t=99, conn=1, pid=1, tid=1)]


def exchanges(found: Sequence[Event]) -> list[Exchange]:
    return [item for item in in_order(assemble(found)) if isinstance(item, Exchange)]


def test_each_call_is_an_exchange() -> None:
    connection, *calls = exchanges(events(conversation()))
    assert (connection.upgrade, connection.stream and connection.stream.kind) == ("h2", "http2")
    told = [to_object(call) for call in calls]
    assert [(one["method"], one["target"], one["response"]["status"]) for one in told] == [
        ("GET", "/api/things/7", 404),
        ("POST", "/api/things?x=1", 201),
    ]
    post = told[1]
    assert post["request"]["http"] == "2"
    assert post["request"]["headers"][0] == ["Host", "host:6443"]
    assert post["request"]["body"]["preview"] == {"name": "x", "password": "hunter2"}
    assert post["response"]["body"]["preview"] == {"message": "said"}
    assert post["response"]["reason"] == "Created"
    assert post["failure"] is None
    assert post["timing"]["sent"] <= post["timing"]["first_byte"] <= post["timing"]["done"]


def test_a_request_that_asks_for_the_upgrade_is_stream_1() -> None:
    """RFC 7540 section 3.2: curl --http2 without TLS."""
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
    server = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
    settings = client.initiate_upgrade_connection() or b""
    server.initiate_upgrade_connection(settings)
    asked = b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: "
    switched = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    server.send_headers(1, [(":status", "200"), ("content-type", "text/plain")])
    server.send_data(1, b"hello", end_stream=True)
    upgraded, call = exchanges(
        events(
            [
                ("out", asked + settings + b"\r\n\r\n"),
                ("in", switched),
                ("out", client.data_to_send()),
                ("in", server.data_to_send()),
            ]
        )
    )
    assert (upgraded.upgrade, to_object(upgraded)["response"]["status"]) == ("h2c", 101)
    told = to_object(call)
    assert (told["method"], told["target"], told["response"]["status"], told["failure"]) == ("GET", "/a", 200, None)
    assert told["request"]["headers"] == [["Host", "x"]]
    assert told["response"]["body"]["preview"] == "hello"


def test_calls_that_did_not_end_are_told_at_the_close() -> None:
    _, *calls = exchanges(events(conversation(cut=True)))
    assert {call.failure for call in calls} == {"the response was cut off: the connection was closed"}
    asked = exchanges(events(conversation()[:-1]))[1:]
    assert {call.failure for call in asked} == {"there was no response"}


@pytest.mark.parametrize("huge", [False, True])
def test_secrets_are_masked_where_they_are(huge: bool) -> None:
    """Huffman-coded values, too, also in a block of several frames; and the table that later headers refer to."""
    original = events(conversation(huge=huge))
    masked = list(redact(original))
    sizes = [event.size for event in masked if isinstance(event, Data)]
    assert sizes == [event.size for event in original if isinstance(event, Data)]
    _, *calls = exchanges(masked)
    for call in calls:
        assert call.request is not None
        assert call.response is not None
        for value in (call.request.head.value("authorization"), call.response.head.value("set-cookie")):
            assert value is not None
            assert set(value) == {"*"}
    told = to_object(calls[1])
    assert told["request"]["body"]["preview"] == {"name": "x", "password": "*******"}
    assert (told["method"], told["response"]["status"]) == ("POST", 201)


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_masking_does_not_depend_on_where_it_is_cut(sizes: list[int]) -> None:
    pieces: list[tuple[Direction, bytes]] = []
    for number, (direction, data) in enumerate(conversation()):
        at = 0
        while at < len(data):
            size = sizes[(number + at) % len(sizes)]
            pieces.append((direction, data[at : at + size]))
            at += size
    whole: dict[str, bytes] = {"out": b"", "in": b""}
    for event in redact(events(pieces)):
        if isinstance(event, Data):
            whole[event.dir] += event.payload or b""
    _, *calls = exchanges(events([(way, whole[way]) for way in ("out", "in")]))
    for call in calls:
        assert call.request is not None
        assert set(call.request.head.value("authorization") or "") == {"*"}


@pytest.mark.parametrize("block", [b"\x40", b"\x40\x05ab", b"\x0f\xff\xff\xff\xff\xff\xff", b"\x00\x01a"])
def test_damaged_blocks(block: bytes) -> None:
    with pytest.raises(ValueError, match="header block"):
        list(Block(1 << 16).literals(block))


def test_what_is_said_of_other_apis() -> None:
    _, get, _ = exchanges(events(conversation()))
    assert generic.sentence(get) == "Asks for a representation of the resource; it changes nothing."
