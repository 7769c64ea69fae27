"""The message cases that parsers of HTTP/1.1 are tested with, in our words and bytes, with what we make of each.

The result is one line: what the decoder says of the connection, in order. A request ends with `end`, text after `!` is
what is wrong with a message, `...` is a message that has no end.
"""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.wire.wires import Piece, decode

GET = b"GET / HTTP/1.1\r\n\r\n"
HEAD = b"HEAD / HTTP/1.1\r\n\r\n"
CONNECT = b"CONNECT host:443 HTTP/1.1\r\n\r\n"
UPGRADE = b"POST /x HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"


def lines(*parts: str) -> bytes:
    """Header lines with their ends, and the blank line."""
    return "".join(part + "\r\n" for part in (*parts, "")).encode("latin-1")


REQUESTS: list[tuple[str, bytes, str]] = [
    # request lines
    ("no headers", GET, "GET / 1.1 end"),
    ("one header", lines("GET / HTTP/1.1", "Accept: */*"), "GET / 1.1 Accept=*/* end"),
    ("HTTP/1.0", lines("GET /old HTTP/1.0"), "GET /old 1.0 end"),
    ("HTTP/0.9 has no version", b"GET /\r\n\r\n", "! three parts"),
    ("a version with two digits", lines("GET / HTTP/1.10"), "! METHOD TARGET HTTP/1.x"),
    ("a version of another protocol", lines("GET / HTTPS/1.1"), "! METHOD TARGET HTTP/1.x"),
    ("a version in small letters", lines("GET / http/1.1"), "! METHOD TARGET HTTP/1.x"),
    ("ICE, as Shoutcast has it", lines("SOURCE /music ICE/1.0"), "! METHOD TARGET HTTP/1.x"),
    ("RTSP", lines("OPTIONS rtsp://x RTSP/1.0"), "! METHOD TARGET HTTP/1.x"),
    ("a fragment in the target", lines("GET /a?b=c#part HTTP/1.1"), "GET /a?b=c#part 1.1 end"),
    ("a double question mark", lines("GET /t?a=b?c HTTP/1.1"), "GET /t?a=b?c 1.1 end"),
    ("a target of quotation marks", lines('GET /with_"quotes"?x HTTP/1.1'), 'GET /with_"quotes"?x 1.1 end'),
    ("a target in UTF-8", lines("GET /caf\xc3\xa9 HTTP/1.1"), "GET /caf\xc3\xa9 1.1 end"),
    ("a space in the target", lines("GET /a b HTTP/1.1"), "GET /a b 1.1 end"),
    ("an absolute target", lines("GET http://docker/info HTTP/1.1"), "GET http://docker/info 1.1 end"),
    ("an absolute target with a port", lines("GET http://h:80/x?y HTTP/1.1"), "GET http://h:80/x?y 1.1 end"),
    ("an absolute target with a user", lines("GET http://a:b@h/ HTTP/1.1"), "GET http://a:b@h/ 1.1 end"),
    ("an IPv6 host", lines("GET http://[::1]/ HTTP/1.1"), "GET http://[::1]/ 1.1 end"),
    ("an asterisk", lines("OPTIONS * HTTP/1.1"), "OPTIONS * 1.1 end"),
    ("PATCH", lines("PATCH /file HTTP/1.1", "Content-Length: 2") + b"ab", "PATCH /file 1.1 Content-Length=2 body=ab end"),
    ("a method with a hyphen", lines("M-SEARCH * HTTP/1.1"), "M-SEARCH * 1.1 end"),
    ("a method nobody knows", lines("MKREDIRECTREF /x HTTP/1.1"), "MKREDIRECTREF /x 1.1 end"),
    ("a method with a bracket", lines("G[T / HTTP/1.1"), "! HTTP method"),
    ("a method that is no word", b"\x00\x01\x02\x03", "! HTTP method"),
    ("an empty line before", b"\r\n" + GET, "GET / 1.1 end"),
    ("two bare line feeds before", b"\n\n" + GET, "GET / 1.1 end"),
    ("line feeds alone", b"GET / HTTP/1.1\nA: b\n\n", "GET / 1.1 A=b end"),
    ("both kinds of line ends", b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n", "GET / 1.1 A=b C=d end"),
    ("two spaces between the parts", lines("GET  /  HTTP/1.1"), "GET  /  1.1 end"),
    ("a very long target", lines("GET /" + "a" * 9000 + " HTTP/1.1"), "GET /" + "a" * 9000 + " 1.1 end"),
    # header lines
    ("no space after the colon", lines("GET / HTTP/1.1", "A:b"), "GET / 1.1 A=b end"),
    ("spaces around the value", lines("GET / HTTP/1.1", "A:   b  \t"), "GET / 1.1 A=b end"),
    ("an empty value", lines("GET / HTTP/1.1", "A:"), "GET / 1.1 A= end"),
    ("a colon in the value", lines("GET / HTTP/1.1", "A: b:c"), "GET / 1.1 A=b:c end"),
    ("the same header twice", lines("GET / HTTP/1.1", "A: 1", "A: 2"), "GET / 1.1 A=1 A=2 end"),
    ("a folded value", lines("GET / HTTP/1.1", "A: b", " c", "\td"), "GET / 1.1 A=b c d end"),
    ("a fold of nothing but spaces", lines("GET / HTTP/1.1", "A: b", "  ", "C: d"), "GET / 1.1 A=b C=d end"),
    ("a fold that continues nothing", lines("GET / HTTP/1.1", " A: b"), "! continues nothing"),
    ("octets above 127 in a value", lines("GET / HTTP/1.1", "A: \xff\xe9"), "GET / 1.1 A=\xff\xe9 end"),
    ("a space before the colon", lines("GET / HTTP/1.1", "A : b"), "GET / 1.1 A=b end"),
    ("a name with a bracket", lines("GET / HTTP/1.1", "A[]: b"), "GET / 1.1 A[]=b end"),
    ("a line without a colon", lines("GET / HTTP/1.1", "nonsense"), "! no name and colon"),
    ("a line without a name", lines("GET / HTTP/1.1", ": b"), "! no name and colon"),
    ("a control character in a value", lines("GET / HTTP/1.1", "A: b\x01c"), "GET / 1.1 A=b\x01c end"),
    ("a carriage return in a value", b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n", "GET / 1.1 A=b\rc end"),
    ("a value of 70,000 characters", lines("GET / HTTP/1.1", "A: " + "b" * 70000), f"GET / 1.1 A={'b' * 70000} end"),
    ("connection tokens", lines("GET / HTTP/1.1", "Connection: a, b"), "GET / 1.1 Connection=a, b end"),
    # lengths
    ("length zero", lines("POST / HTTP/1.1", "Content-Length: 0"), "POST / 1.1 Content-Length=0 end"),
    ("a GET with a body", lines("GET / HTTP/1.1", "Content-Length: 5") + b"HELLO", "GET / 1.1 Content-Length=5 body=HELLO end"),
    ("the length in odd letters", lines("POST / HTTP/1.1", "conTENT-Length: 2") + b"ab", "POST / 1.1 conTENT-Length=2 body=ab end"),
    ("the same length twice", lines("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 1") + b"a", "POST / 1.1 Content-Length=1 Content-Length=1 body=a end"),
    ("a list of equal lengths", lines("POST / HTTP/1.1", "Content-Length: 1, 1") + b"a", "POST / 1.1 Content-Length=1, 1 body=a end"),
    ("lengths that contradict", lines("POST / HTTP/1.1", "Content-Length: 1", "Content-Length: 2"), "POST / 1.1 Content-Length=1 Content-Length=2 ! contradict"),
    ("a negative length", lines("POST / HTTP/1.1", "Content-Length: -1"), "POST / 1.1 Content-Length=-1 ! not a number"),
    ("a length with a plus", lines("POST / HTTP/1.1", "Content-Length: +1"), "POST / 1.1 Content-Length=+1 ! not a number"),
    ("a length in hexadecimal", lines("POST / HTTP/1.1", "Content-Length: 0x1"), "POST / 1.1 Content-Length=0x1 ! not a number"),
    ("a length with a space in it", lines("POST / HTTP/1.1", "Content-Length: 4 2"), "POST / 1.1 Content-Length=4 2 ! not a number"),
    ("an empty length", lines("POST / HTTP/1.1", "Content-Length:"), "POST / 1.1 Content-Length= ! not a number"),
    ("a length that overflows 64 bits", lines("POST / HTTP/1.1", "Content-Length: 184467440737095516160"), "POST / 1.1 Content-Length=184467440737095516160 ! not a number"),
    ("a body that is cut off", lines("POST / HTTP/1.1", "Content-Length: 9") + b"abc", "POST / 1.1 Content-Length=9 body=abc ! 6 bytes short"),
    ("a POST without a length", lines("POST / HTTP/1.1") , "POST / 1.1 end"),
    # chunks
    ("one chunk", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("chunks", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hello world end"),
    ("chunks in odd letters", lines("POST / HTTP/1.1", "transfer-encoding: CHUNKED") + b"A\r\n0123456789\r\n0\r\n\r\n", "POST / 1.1 transfer-encoding=CHUNKED body=0123456789 end"),
    ("leading zeros", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0005\r\nhello\r\n000\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("an extension", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5;a=b\r\nhello\r\n0;c\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("a quoted extension", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b'5; a="b;c"\r\nhello\r\n0\r\n\r\n', "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("a space after the size", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5 \r\nhello\r\n0\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("trailers", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\nSum: 1\r\nB: c\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked body=a trailers Sum=1 B=c end"),
    ("a trailer without a colon", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\nnonsense\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked ! no name and colon"),
    ("no chunk at all", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0\r\n\r\n", "POST / 1.1 Transfer-Encoding=chunked end"),
    ("a size that is no number", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"xyz\r\n", "POST / 1.1 Transfer-Encoding=chunked ! not the size of a chunk"),
    ("a size with 0x", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"0x5\r\nhello", "POST / 1.1 Transfer-Encoding=chunked ! not the size of a chunk"),
    ("a negative size", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"-5\r\nhello", "POST / 1.1 Transfer-Encoding=chunked ! not the size of a chunk"),
    ("a size of 17 digits", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"fffffffffffffffff\r\n", "POST / 1.1 Transfer-Encoding=chunked ! not the size of a chunk"),
    ("an empty size", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"\r\nhello", "POST / 1.1 Transfer-Encoding=chunked ! not the size of a chunk"),
    ("a chunk longer than its size", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"3\r\nhello\r\n", "POST / 1.1 Transfer-Encoding=chunked body=hel ! not by the end of its line"),
    ("chunks that end with line feeds", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\nhello\n0\n\n", "POST / 1.1 Transfer-Encoding=chunked body=hello end"),
    ("a chunk that is cut off", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"5\r\nhe", "POST / 1.1 Transfer-Encoding=chunked body=he ! 3 bytes short"),
    ("chunks without the last one", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked") + b"2\r\nhe\r\n", "POST / 1.1 Transfer-Encoding=chunked body=he ! cut off"),
    ("a length and chunks", lines("POST / HTTP/1.1", "Content-Length: 9", "Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n", "POST / 1.1 Content-Length=9 Transfer-Encoding=chunked body=a end"),
    ("gzip, then chunked", lines("POST / HTTP/1.1", "Transfer-Encoding: gzip, chunked") + b"1\r\na\r\n0\r\n\r\n", "POST / 1.1 Transfer-Encoding=gzip, chunked body=a end"),
    ("chunked, then gzip", lines("POST / HTTP/1.1", "Transfer-Encoding: chunked, gzip"), "POST / 1.1 Transfer-Encoding=chunked, gzip ! gives its body no end"),
    ("identity", lines("POST / HTTP/1.1", "Transfer-Encoding: identity"), "POST / 1.1 Transfer-Encoding=identity ! gives its body no end"),
    # one after the other
    ("two at once", GET + lines("GET /2 HTTP/1.1"), "GET / 1.1 end GET /2 1.1 end"),
    ("a body and the next", lines("POST / HTTP/1.1", "Content-Length: 1") + b"a" + GET, "POST / 1.1 Content-Length=1 body=a end GET / 1.1 end"),
    ("an empty line between", GET + b"\r\n" + GET, "GET / 1.1 end GET / 1.1 end"),
    ("bytes after the last one", GET + b"\x00rest", "GET / 1.1 end ! HTTP method"),
    ("words after the last one", GET + b"hello world of words\r\n\r\n", "GET / 1.1 end ! METHOD TARGET HTTP/1.x"),
    ("a head that is cut off", b"GET / HTTP/1.1\r\nA: b", "! cut off"),
    ("TLS", b"\x16\x03\x01\x02\x00\x01\x00", "! TLS, not plain HTTP"),
    ("a TLS alert", b"\x15\x03\x03\x00\x02\x02\x28", "! TLS, not plain HTTP"),
    ("HTTP/2 after a request", GET + b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET / 1.1 end ! connection preface"),
    ("an expectation", lines("POST / HTTP/1.1", "Expect: 100-continue", "Content-Length: 1") + b"a", "POST / 1.1 Expect=100-continue Content-Length=1 body=a end"),
    ("an upgrade", UPGRADE, "POST /x 1.1 Connection=Upgrade Upgrade=tcp end"),
    ("nothing", b"", ""),
]  # fmt: skip

RESPONSES: list[tuple[str, bytes, bytes, str]] = [
    ("a length", GET, lines("HTTP/1.1 200 OK", "Content-Length: 2") + b"ok", "200 OK 1.1 Content-Length=2 body=ok end"),
    ("no length: until the close", GET, lines("HTTP/1.1 200 OK") + b"all of it", "200 OK 1.1 body=all of it end"),
    ("HTTP/1.0 until the close", GET, lines("HTTP/1.0 200 OK") + b"all", "200 OK 1.0 body=all end"),
    ("no reason", GET, lines("HTTP/1.1 200", "Content-Length: 0"), "200  1.1 Content-Length=0 end"),
    ("no reason, a space", GET, lines("HTTP/1.1 200 ", "Content-Length: 0"), "200  1.1 Content-Length=0 end"),
    ("a reason above 127", GET, lines("HTTP/1.1 200 caf\xe9", "Content-Length: 0"), "200 caf\xe9 1.1 Content-Length=0 end"),
    ("an answer to HEAD has no body", HEAD, lines("HTTP/1.1 200 OK", "Content-Length: 9"), "200 OK 1.1 Content-Length=9 end"),
    ("an answer to HEAD with chunks", HEAD, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), "200 OK 1.1 Transfer-Encoding=chunked end"),
    ("204 has no body", GET, lines("HTTP/1.1 204 No Content", "Content-Length: 5"), "204 No Content 1.1 Content-Length=5 end"),
    ("304 has no body", GET, lines("HTTP/1.1 304 Not Modified", "Content-Length: 5"), "304 Not Modified 1.1 Content-Length=5 end"),
    ("301 without a length", GET, lines("HTTP/1.1 301 Moved", "Location: /x"), "301 Moved 1.1 Location=/x end"),
    ("404", GET, lines("HTTP/1.1 404 Not Found", "Content-Length: 0"), "404 Not Found 1.1 Content-Length=0 end"),
    ("599", GET, lines("HTTP/1.1 599 Odd", "Content-Length: 0"), "599 Odd 1.1 Content-Length=0 end"),
    ("a status of two digits", GET, lines("HTTP/1.1 20 OK"), "! HTTP/1.x CODE REASON"),
    ("a status of four digits", GET, lines("HTTP/1.1 2000 OK"), "! HTTP/1.x CODE REASON"),
    ("a status that begins with 0", GET, lines("HTTP/1.1 099 OK"), "! HTTP/1.x CODE REASON"),
    ("a status of letters", GET, lines("HTTP/1.1 abc OK"), "! HTTP/1.x CODE REASON"),
    ("two spaces before the status", GET, lines("HTTP/1.1  200 OK"), "! HTTP/1.x CODE REASON"),
    ("another protocol", GET, lines("ICY 200 OK"), "! status line"),
    ("not HTTP at all", GET, b"SSH-2.0-OpenSSH_9.2\r\n", "! status line"),
    ("TLS in answer to plain HTTP", GET, b"\x15\x03\x01\x00\x02\x02\x0a", "! TLS, not plain HTTP"),
    ("chunks", GET, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\n\r\n", "200 OK 1.1 Transfer-Encoding=chunked body=ok end"),
    ("chunks with trailers", GET, lines("HTTP/1.1 200 OK", "Transfer-Encoding: chunked") + b"2\r\nok\r\n0\r\nV: w\r\n\r\n", "200 OK 1.1 Transfer-Encoding=chunked body=ok trailers V=w end"),
    ("a coding that is not chunked", GET, lines("HTTP/1.1 200 OK", "Transfer-Encoding: gzip") + b"zip", "200 OK 1.1 Transfer-Encoding=gzip body=zip end"),
    ("a body that is cut off", GET, lines("HTTP/1.1 200 OK", "Content-Length: 9") + b"abc", "200 OK 1.1 Content-Length=9 body=abc ! 6 bytes short"),
    ("100 before 200", GET, lines("HTTP/1.1 100 Continue") + lines("HTTP/1.1 200 OK", "Content-Length: 0"), "100 Continue 1.1 end 200 OK 1.1 Content-Length=0 end"),
    ("103 before 200", GET, lines("HTTP/1.1 103 Early Hints", "Link: x") + lines("HTTP/1.1 200 OK", "Content-Length: 0"), "103 Early Hints 1.1 Link=x end 200 OK 1.1 Content-Length=0 end"),
    ("two answers to two requests", GET + GET, lines("HTTP/1.1 200 A", "Content-Length: 0") + lines("HTTP/1.1 200 B", "Content-Length: 0"), "200 A 1.1 Content-Length=0 end 200 B 1.1 Content-Length=0 end"),
    ("HEAD, then GET", HEAD + GET, lines("HTTP/1.1 200 A", "Content-Length: 5") + lines("HTTP/1.1 200 B", "Content-Length: 1") + b"b", "200 A 1.1 Content-Length=5 end 200 B 1.1 Content-Length=1 body=b end"),
    ("an answer nobody asked for", b"", lines("HTTP/1.1 408 Request Timeout", "Content-Length: 0"), "! no request asked for"),
    ("CONNECT", CONNECT, lines("HTTP/1.1 200 Connected") + b"tunnel", "200 Connected 1.1 end upgraded=connect opaque=tunnel"),
    ("CONNECT refused", CONNECT, lines("HTTP/1.1 403 No", "Content-Length: 2") + b"no", "403 No 1.1 Content-Length=2 body=no end"),
    ("101", UPGRADE, lines("HTTP/1.1 101 UPGRADED", "Upgrade: tcp") + b"raw", "101 UPGRADED 1.1 Upgrade=tcp end upgraded=tcp opaque=raw"),
    ("101 without saying to what", UPGRADE, lines("HTTP/1.1 101 UPGRADED") + b"raw", "101 UPGRADED 1.1 end upgraded=tcp opaque=raw"),
    ("an upgrade that is refused", UPGRADE, lines("HTTP/1.1 409 Conflict", "Content-Length: 0"), "409 Conflict 1.1 Content-Length=0 end"),
    ("a hijack with 200", UPGRADE, lines("HTTP/1.1 200 OK", "Content-Type: application/vnd.docker.raw-stream") + b"raw", "200 OK 1.1 Content-Type=application/vnd.docker.raw-stream end upgraded=tcp opaque=raw"),
    ("line feeds alone", GET, b"HTTP/1.1 200 OK\nContent-Length: 1\n\nx", "200 OK 1.1 Content-Length=1 body=x end"),
    ("a folded header", GET, lines("HTTP/1.1 200 OK", "A: b", " c", "Content-Length: 0"), "200 OK 1.1 A=b c Content-Length=0 end"),
    ("lengths that contradict", GET, lines("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2") + b"ab", "200 OK 1.1 Content-Length=1 Content-Length=2 ! contradict"),
    ("a keep-alive without a length", GET, lines("HTTP/1.1 200 OK", "Connection: keep-alive") + b"x", "200 OK 1.1 Connection=keep-alive body=x end"),
]  # fmt: skip


def told(pieces: list[Piece], direction: str) -> str:
    """The steps of one direction as one line; of a sentence about what is wrong the caller looks for a part."""
    words = []
    for step in decode(pieces):
        if step[0] != direction:
            continue
        kind, values = step[1], step[3:]
        if kind == "head":
            start = [str(value) for value in values[:3]]
            words += [*start, *(f"{name}={value}" for name, value in values[3])]
        elif kind == "trailers":
            words += ["trailers", *(f"{name}={value}" for name, value in values[0])]
        elif kind == "complete":
            words.append("end")
        elif kind == "broken":
            words.append(f"! {values[0]}")
            break
        elif kind == "upgraded":
            words.append(f"upgraded={values[0]}")
        else:
            words.append(f"{kind}={values[0].decode('latin-1')}")
    return " ".join(words)


def test_there_are_enough_cases() -> None:
    names = [("request", case[0]) for case in REQUESTS] + [("response", case[0]) for case in RESPONSES]
    assert len(set(names)) == len(names) >= 100


def agrees(line: str, expected: str) -> bool:
    """The same, or the same up to the `!` with the sentence's part in what follows."""
    start, wrong, part = expected.partition("! ")
    if not wrong:
        return line == expected
    return line.startswith(f"{start}! ") and part in line


@pytest.mark.parametrize(("raw", "expected"), [case[1:] for case in REQUESTS], ids=[case[0] for case in REQUESTS])
def test_requests(raw: bytes, expected: str) -> None:
    line = told([("out", raw)], "out")
    assert agrees(line, expected), line
    if len(raw) < 1000:
        bytewise: list[Piece] = [("out", raw[at : at + 1]) for at in range(len(raw))]
        assert told(bytewise, "out") == line


@pytest.mark.parametrize(
    ("request_", "raw", "expected"), [case[1:] for case in RESPONSES], ids=[case[0] for case in RESPONSES]
)
def test_responses(request_: bytes, raw: bytes, expected: str) -> None:
    line = told([("out", request_), ("in", raw)], "in")
    assert agrees(line, expected), line
    for cut, _ in pairwise(range(len(raw) + 1)):
        assert told([("out", request_), ("in", raw[:cut]), ("in", raw[cut:])], "in") == line


@pytest.mark.parametrize("raw", [case[1] for case in REQUESTS], ids=[case[0] for case in REQUESTS])
def test_the_next_connection_still_decodes(raw: bytes) -> None:
    told([("out", raw)], "out")
    assert told([("out", GET)], "out") == "GET / 1.1 end"
