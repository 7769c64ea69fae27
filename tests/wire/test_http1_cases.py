"""Message cases, one a row: bytes in, what is understood or what is said to be wrong."""

from __future__ import annotations

import pytest

from tracer.wire.heads import Head, parse_head

GOOD_REQUESTS = [
    (b"GET / HTTP/1.1\r\n\r\n", "GET", "/", "1.1", []),
    (b"GET / HTTP/1.0\r\n\r\n", "GET", "/", "1.0", []),
    (b"M-SEARCH * HTTP/1.1\r\nHost: x\r\n\r\n", "M-SEARCH", "*", "1.1", [("Host", "x")]),
    (b"GET http://docker/info HTTP/1.1\r\n\r\n", "GET", "http://docker/info", "1.1", []),
    (b"OPTIONS * HTTP/1.1\r\nA:b\r\n\r\n", "OPTIONS", "*", "1.1", [("A", "b")]),
    (b"GET / HTTP/1.1\nHost: x\n\n", "GET", "/", "1.1", [("Host", "x")]),
    (b"GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", "GET", "/", "1.1", [("A", "b c")]),
    (b"GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n", "GET", "/", "1.1", [("A", "b c")]),
    (b"GET / HTTP/1.1\r\nA:\r\n\r\n", "GET", "/", "1.1", [("A", "")]),
    (b"GET / HTTP/1.1\r\nA:  b  \r\n\r\n", "GET", "/", "1.1", [("A", "b")]),
    (b"GET / HTTP/1.1\r\nA: b: c\r\n\r\n", "GET", "/", "1.1", [("A", "b: c")]),
    (b"GET / HTTP/1.1\r\nA: \xff\xe9\r\n\r\n", "GET", "/", "1.1", [("A", "\xff\xe9")]),
    (b"GET / HTTP/1.1\r\nA: 1\r\nA: 2\r\n\r\n", "GET", "/", "1.1", [("A", "1"), ("A", "2")]),
    (b"GET /a b HTTP/1.1\r\n\r\n", "GET", "/a b", "1.1", []),
    (b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n", "GET", "/\xc3\xa9", "1.1", []),
    (b"DELETE /images/a%2Fb HTTP/1.1\r\n\r\n", "DELETE", "/images/a%2Fb", "1.1", []),
]
BAD_REQUESTS = [
    (b"GET /\r\n\r\n", "three parts"),
    (b"GET / HTTP/2\r\n\r\n", "METHOD TARGET HTTP/1.x"),
    (b"GET / http/1.1\r\n\r\n", "METHOD TARGET HTTP/1.x"),
    (b"G[T / HTTP/1.1\r\n\r\n", "METHOD TARGET HTTP/1.x"),
    (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", "no name and colon"),
    (b"GET / HTTP/1.1\r\n: empty\r\n\r\n", "no name and colon"),
    (b"GET / HTTP/1.1\r\n folded\r\n\r\n", "continues nothing"),
]
GOOD_RESPONSES = [
    (b"HTTP/1.1 200 OK\r\n\r\n", 200, "OK"),
    (b"HTTP/1.1 200\r\n\r\n", 200, ""),
    (b"HTTP/1.1 200 \r\n\r\n", 200, ""),
    (b"HTTP/1.0 404 Not Found\r\n\r\n", 404, "Not Found"),
    (b"HTTP/1.1 101 UPGRADED\r\n\r\n", 101, "UPGRADED"),
    (b"HTTP/1.1 599 Odd\r\n\r\n", 599, "Odd"),
    (b"HTTP/1.1 200 caf\xe9\r\n\r\n", 200, "caf\xe9"),
]
BAD_RESPONSES = [
    (b"HTTP/1.1 20 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 2000 OK\r\n\r\n", "status line"),
    (b"HTTP/1.1 abc OK\r\n\r\n", "status line"),
    (b"HTTP/1.1  200 OK\r\n\r\n", "status line"),
    (b"HTTP/one 200 OK\r\n\r\n", "status line"),
]


@pytest.mark.parametrize(("raw", "method", "target", "version", "headers"), GOOD_REQUESTS)
def test_requests_that_are_read(
    raw: bytes, method: str, target: str, version: str, headers: list[tuple[str, str]]
) -> None:
    head = parse_head("request", raw)
    assert isinstance(head, Head)
    assert (head.method, head.target, head.version, head.headers) == (method, target, version, headers)


@pytest.mark.parametrize(("raw", "why"), BAD_REQUESTS)
def test_requests_that_are_not(raw: bytes, why: str) -> None:
    told = parse_head("request", raw)
    assert isinstance(told, str)
    assert why in told


@pytest.mark.parametrize(("raw", "status", "reason"), GOOD_RESPONSES)
def test_responses_that_are_read(raw: bytes, status: int, reason: str) -> None:
    head = parse_head("response", raw)
    assert isinstance(head, Head)
    assert (head.status, head.reason) == (status, reason)


@pytest.mark.parametrize(("raw", "why"), BAD_RESPONSES)
def test_responses_that_are_not(raw: bytes, why: str) -> None:
    told = parse_head("response", raw)
    assert isinstance(told, str)
    assert why in told
