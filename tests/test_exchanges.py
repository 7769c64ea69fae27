"""Exchanges: pairing, timing, and what is said when something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tracer.events import Close, Connect, Data, Direction, End, Event, Failed
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.reader import read
from tracer.wire.tls import opened

FIXTURES = Path(__file__).parent.parent / "fixtures"
REQUEST = b"GET /info HTTP/1.1\r\n\r\n"
CONNECT = Connect(t=0.0, conn=1, pid=7, tid=7, fd=3, family="unix", address="/run/docker.sock")
CLOSE = Close(t=9.0, conn=1, pid=7, tid=7)
END = End(t=9.5)


def data(dir: Direction, payload: bytes, t: float = 1.0, conn: int = 1, syscall: str = "read") -> Event:
    size = len(payload)
    return Data(t=t, conn=conn, pid=7, tid=7, fd=3, syscall=syscall, dir=dir, size=size, payload=payload)


def exchanges(*events: Event) -> list[Exchange]:
    return [item for item in assemble(events) if isinstance(item, Exchange)]


RESET = Failed(t=2.0, conn=1, pid=7, tid=7, fd=3, syscall="read", error="ECONNRESET")
PARTIAL = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"


@pytest.mark.parametrize(
    ("events", "failure"),
    [
        ([data("out", REQUEST), CLOSE], "there was no response: the client closed the connection"),
        ([data("out", REQUEST), data("in", b""), CLOSE], "there was no response: the other side closed the connection"),
        ([data("out", REQUEST), END], "there was no response: the command ended first"),
        ([data("out", REQUEST)], "there was no response: the recording ends here"),
        ([data("out", REQUEST), RESET, CLOSE], "there was no response: read failed with ECONNRESET"),
        (
            [data("out", REQUEST), data("in", PARTIAL), CLOSE],
            "the response was cut off after 4 bytes of body: the client closed the connection",
        ),
        (
            [data("out", b"POST /build HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"), CLOSE],
            "the request was cut off after 3 bytes of body: the client closed the connection",
        ),
        (
            [data("out", REQUEST), data("in", PARTIAL[:20]), CLOSE],
            "the response was cut off in its head: the client closed the connection",
        ),
        ([data("out", REQUEST[:9]), CLOSE], "the request was cut off after 9 bytes"),
        (
            [data("out", b"\x16\x03\x01\x00\x05"), CLOSE],
            "TLS that can't be read: the server did not answer the client's hello",
        ),
        ([data("out", b"\x00\x01\x02\x03"), CLOSE], "the bytes do not begin with an HTTP method"),
        ([data("out", REQUEST), data("in", b"garbage!"), CLOSE], "the bytes do not begin with an HTTP status line"),
    ],
)
def test_failures_are_sentences(events: list[Event], failure: str) -> None:
    (exchange,) = exchanges(CONNECT, *events)
    assert exchange.failure == failure


def test_what_is_cut_off_is_counted_from_its_own_beginning() -> None:
    whole = data("in", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    ended = exchanges(CONNECT, data("out", REQUEST), whole, data("out", REQUEST), data("in", PARTIAL), data("in", b""))
    assert [one.failure for one in ended] == [
        None,
        f"the response was cut off after {len(PARTIAL)} bytes, 6 bytes short",
    ]


def test_a_body_that_lasts_until_the_close_is_no_failure() -> None:
    answer = data("in", b"HTTP/1.0 200 OK\r\n\r\nall of it")
    for ending in ([data("in", b"")], [CLOSE]):
        (exchange,) = exchanges(CONNECT, data("out", REQUEST), answer, *ending)
        assert exchange.failure is None
        assert exchange.response is not None
        assert exchange.response.body.preview == "all of it"


def test_after_a_broken_connection_the_next_one_still_decodes() -> None:
    second = Connect(t=2.0, conn=2, pid=7, tid=7, fd=3, family="unix", address="/run/docker.sock")
    found = exchanges(
        CONNECT,
        data("out", b"\x00\x00"),
        CLOSE,
        second,
        data("out", REQUEST, conn=2),
        data("in", b"HTTP/1.1 204 No Content\r\n\r\n", conn=2),
    )
    assert [exchange.failure is None for exchange in found] == [False, True]


def test_times_are_those_of_the_syscalls() -> None:
    (exchange,) = exchanges(
        CONNECT,
        data("out", REQUEST, t=1.0),
        data("in", PARTIAL, t=1.5),
        data("in", b" done!", t=2.25),
    )
    assert (exchange.timing.sent, exchange.timing.first_byte, exchange.timing.done) == (1.0, 1.5, 2.25)
    assert (exchange.timing.wait, exchange.timing.total) == (0.5, 1.25)


def test_an_answer_that_was_seen_before_its_request_took_no_time() -> None:
    """Two threads: the read returns and is seen, and only then the write that it answers."""
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    (exchange,) = exchanges(CONNECT, data("in", answer, t=1.0), data("out", REQUEST, t=1.5), CLOSE)
    assert exchange.failure is None
    assert (exchange.timing.sent, exchange.timing.first_byte, exchange.timing.done) == (1.0, 1.0, 1.5)
    assert exchange.timing.wait == 0


def test_like_syscalls_are_counted_together() -> None:
    pieces = [data("in", PARTIAL[at : at + 1]) for at in range(len(PARTIAL))]
    (exchange,) = exchanges(CONNECT, data("out", REQUEST, syscall="write"), *pieces, data("in", b" done!"))
    assert [(call.syscall, call.count, call.size) for call in exchange.calls] == [
        ("write", 1, len(REQUEST)),
        ("read", len(PARTIAL) + 1, len(PARTIAL) + 6),
    ]


def test_every_byte_of_a_pipelined_write_belongs_to_one_exchange() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    found = exchanges(CONNECT, data("out", REQUEST * 3), data("in", answer * 3))
    assert [sum(call.size for call in item.calls if call.dir == "out") for item in found] == [len(REQUEST)] * 3
    assert [sum(call.size for call in item.calls if call.dir == "in") for item in found] == [len(answer)] * 3


@pytest.mark.parametrize("path", sorted(FIXTURES.glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_byte_of_a_recording_is_in_one_exchange(path: Path) -> None:
    events = list(read(str(path)))
    moved = sum(event.size for event in opened(events) if isinstance(event, Data))
    carried = sum(call.size for item in assemble(events) if isinstance(item, Exchange) for call in item.calls)
    assert carried == moved


def test_what_is_odd_is_said() -> None:
    raw = b"POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    (exchange,) = exchanges(CONNECT, data("out", raw))
    assert exchange.request is not None
    assert exchange.request.body.size == 1
    assert exchange.request.head.oddities == (
        "Content-Length and Transfer-Encoding are both there: the first does not count",
    )


def test_bytes_that_nobody_asked_for_are_an_exchange_with_a_failure() -> None:
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    found = exchanges(CONNECT, data("out", REQUEST), data("in", answer + b"HTTP/1.1 408 Late\r\n\r\n"), CLOSE)
    assert [item.failure for item in found] == [None, "the daemon sent 21 bytes that no request asked for"]


def test_in_order_gives_exchanges_by_their_requests() -> None:
    second = Connect(t=0.0, conn=2, pid=7, tid=7, fd=4, family="unix", address="/run/docker.sock")
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    events: list[Event] = [
        CONNECT,
        second,
        data("out", REQUEST),
        data("out", REQUEST, conn=2),
        data("in", answer, conn=2),
        data("in", answer),
        END,
    ]
    assert [item.number for item in assemble(events) if isinstance(item, Exchange)] == [2, 1]
    assert [item.number for item in in_order(assemble(events)) if isinstance(item, Exchange)] == [1, 2]
