"""h11 and llhttp as oracles: where they accept a message, we agree with what they understand."""

from __future__ import annotations

import h11
import httptools
from hypothesis import given
from hypothesis import strategies as st

from tests.wire.wires import decode

TOKEN = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ-", min_size=1, max_size=12)
VALUE = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
HEADERS = st.lists(st.tuples(TOKEN.map(lambda name: "X-" + name), VALUE), max_size=5)
BODY = st.binary(max_size=300)


def chunked(body: bytes, sizes: list[int]) -> bytes:
    out = bytearray()
    at = 0
    for size in [*sizes, len(body) + 1]:
        piece = body[at : at + size]
        at += len(piece)
        if piece:
            out += b"%x\r\n%b\r\n" % (len(piece), piece)
    return bytes(out + b"0\r\n\r\n")


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    headers = draw(HEADERS)
    body = draw(BODY)
    lines = [f"{name}: {value}" for name, value in headers]
    if draw(st.booleans()):
        lines.append("Transfer-Encoding: chunked")
        body = chunked(body, draw(st.lists(st.integers(1, 50), max_size=5)))
    else:
        lines.append(f"Content-Length: {len(body)}")
    start = f"POST /v1.41/containers/create?name={draw(TOKEN)} HTTP/1.1"
    return "\r\n".join([start, "Host: docker", *lines]).encode() + b"\r\n\r\n" + body


def ours(raw: bytes) -> tuple[str, str, list[tuple[str, str]], bytes]:
    steps = decode([("out", raw)], ends=())
    head = next(step for step in steps if step[1] == "head")
    body = b"".join(step[3] for step in steps if step[1] == "body")
    assert any(step[1] == "complete" for step in steps)
    return head[3], head[4], [(name.lower(), value) for name, value in head[6]], body


def by_h11(raw: bytes) -> tuple[str, str, list[tuple[str, str]], bytes]:
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(raw)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    body = b""
    while isinstance(event := connection.next_event(), h11.Data):
        body += event.data
    assert isinstance(event, h11.EndOfMessage)
    headers = [(name.decode(), value.decode("latin-1")) for name, value in request.headers]
    return request.method.decode(), request.target.decode(), headers, body


class Collector:
    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[str, str]] = []
        self.body = b""

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.decode().lower(), value.decode("latin-1")))

    def on_body(self, body: bytes) -> None:
        self.body += body


@given(requests())
def test_we_agree_with_h11(raw: bytes) -> None:
    assert ours(raw) == by_h11(raw)


@given(requests())
def test_we_agree_with_llhttp(raw: bytes) -> None:
    collector = Collector()
    httptools.HttpRequestParser(collector).feed_data(raw)
    _, target, headers, body = ours(raw)
    assert (target, headers, body) == (collector.url.decode(), collector.headers, collector.body)
