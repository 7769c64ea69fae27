"""Recordings: what is written is read again, damage is said with its line, secrets don't get in."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from hypothesis import given
from hypothesis import strategies as st

from tracer.events import Close, Connect, Credentials, Data, Direction, End, Event, Exec, Header, Note, Peer
from tracer.exchanges import Exchange, assemble
from tracer.recording.files import RecordingError
from tracer.recording.lines import decode, encode
from tracer.recording.reader import read
from tracer.recording.redact import mask_arguments, redact
from tracer.recording.writer import Writer

HEADER = Header(tool="socktrace 0", started="2026-01-01T00:00:00.000000Z", argv=["docker", "ps"])


def data(payload: bytes, dir: Direction = "out", conn: int = 1, t: float = 0.5) -> Data:
    return Data(t=t, conn=conn, pid=1, tid=1, fd=3, syscall="write", dir=dir, size=len(payload), payload=payload)


def connect(conn: int = 1) -> Connect:
    peer = Peer(pid=8, uid=0, gid=0, exe="/usr/sbin/dockerd", comm="dockerd")
    return Connect(t=0.1, conn=conn, pid=1, tid=1, fd=3, family="unix", address="/run/docker.sock", peer=peer)


EVENTS: list[Event] = [
    HEADER,
    Exec(t=0.0, pid=1, tid=1, exe="/usr/bin/docker", argv=["docker", "ps"]),
    connect(),
    data(b"GET / HTTP/1.1\r\n\r\n"),
    data(b"\xff\x00\x80", "in"),
    Data(t=0.6, conn=1, pid=1, tid=1, fd=3, syscall="sendfile", dir="out", size=9, payload=None),
    Close(t=0.7, conn=1, pid=1, tid=1),
    End(t=0.8, exit_code=0, bytes_out=27, bytes_in=3),
]


def write(path: Path, events: list[Event] = EVENTS) -> Path:
    writer = Writer(str(path))
    for event in events:
        writer.write(event)
    writer.close()
    assert writer.problem is None
    return path


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"])
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    assert list(read(str(write(tmp_path / name)))) == EVENTS


def test_the_lines_have_the_keys_of_the_format() -> None:
    lines = [json.loads(encode(event)) for event in EVENTS]
    assert [line["type"] for line in lines] == ["header", "exec", "connect", "data", "data", "data", "close", "end"]
    assert lines[0]["format"] == "socktrace"
    assert lines[0]["version"] == 1
    assert lines[3]["text"] == "GET / HTTP/1.1\r\n\r\n"
    assert "b64" not in lines[3]
    assert lines[4]["b64"] == "/wCA"
    assert lines[5]["omitted"] is True
    assert not {"text", "b64"} & set(lines[5])


@given(st.binary(max_size=500))
def test_every_payload_comes_back(payload: bytes) -> None:
    assert decode(encode(data(payload))) == data(payload)


def test_unknown_types_and_keys_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl")
    lines = path.read_text().splitlines()
    lines.insert(1, '{"type":"weather","t":0.0,"sunny":true}')
    lines[2] = lines[2][:-1] + ',"new":1}'
    path.write_text("\n".join(lines) + "\n")
    assert list(read(str(path))) == EVENTS


def test_a_recording_that_was_cut_off_is_used_up_to_there(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl")
    path.write_bytes(path.read_bytes()[:-20])
    damages: list[str] = []
    found = list(read(str(path), damages.append))
    assert found[:-1] == EVENTS[:-1]
    assert isinstance(found[-1], Note)
    assert "line 8" in found[-1].message
    assert "cut off" in damages[0]


def test_a_damaged_line_is_named_by_its_number(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl")
    lines = path.read_text().splitlines()
    lines[4] = lines[4].replace('"size":3', '"size":4')
    path.write_text("\n".join(lines) + "\n")
    damages: list[str] = []
    list(read(str(path), damages.append))
    assert "line 5" in damages[0]


@pytest.mark.parametrize("kind", ["note", "something new"])
def test_a_line_that_is_nested_too_deeply_is_damaged(tmp_path: Path, kind: str) -> None:
    path = write(tmp_path / "a.jsonl")
    lines = path.read_text().splitlines()
    lines[4] = f'{{"type":"{kind}","x":{"[" * 100_000}{"]" * 100_000}}}'
    path.write_text("\n".join(lines) + "\n")
    damages: list[str] = []
    assert list(read(str(path), damages.append))[:4] == EVENTS[:4]
    assert "line 5" in damages[0]
    assert "nested too deeply" in damages[0]


def test_a_damaged_gzip_is_used_up_to_there(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(encode(event) for event in EVENTS))[:-12])
    damages: list[str] = []
    assert next(read(str(path), damages.append)) == HEADER
    list(read(str(path), damages.append))
    assert damages


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"hello\n", "not a socktrace recording"),
        (b'{"type":"header","format":"socktrace","version":2}\n', "install a newer socktrace"),
        (b"[1]\n", "not a socktrace recording"),
        (b"\xff\xfe\n", "not a socktrace recording"),
        (b"[" * 100_000 + b"\n", "not a socktrace recording"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=sentence):
        list(read(str(path)))


def test_a_full_disk_is_said_once_and_does_not_raise() -> None:
    writer = Writer("/dev/full")
    for event in EVENTS:
        writer.write(event)
    assert writer.problem is not None
    assert "No space left" in writer.problem


# Redaction

CREATE_BODY = (
    b'{"Image":"x","Env":["DB_PASSWORD=hunter2","LANG=C","API_TOKEN=a\\"b"],"password":"s3cret",'
    b'"JoinTokens":{"Worker":"SWMTKN-1","Manager":"SWMTKN-2"},"Cmd":["echo"]}'
)
REQUEST = (
    b"POST /containers/create HTTP/1.1\r\nHost: docker\r\nX-Registry-Auth: eyJ1c2VyIjoi\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CREATE_BODY)
) + CREATE_BODY
SECRETS = (b"hunter2", b'a\\"b', b"s3cret", b"SWMTKN-1", b"SWMTKN-2", b"eyJ1c2VyIjoi")


def masked(pieces: list[bytes]) -> bytes:
    events: list[Event] = [HEADER, connect(), *(data(piece) for piece in pieces), End(t=1.0)]
    out = list(redact(events))
    assert [type(event) for event in out] == [type(event) for event in events], "the order is kept"
    return b"".join(event.payload or b"" for event in out if isinstance(event, Data))


def test_secrets_become_stars_of_the_same_length() -> None:
    hidden = masked([REQUEST])
    assert len(hidden) == len(REQUEST)
    for secret in SECRETS:
        assert secret not in hidden
    for plain in (b'"DB_PASSWORD=*******"', b'"LANG=C"', b'"Cmd":["echo"]', b"X-Registry-Auth: ************\r\n"):
        assert plain in hidden


def test_secrets_are_found_wherever_two_writes_split_them() -> None:
    whole = masked([REQUEST])
    for cut in range(1, len(REQUEST)):
        assert masked([REQUEST[:cut], REQUEST[cut:]]) == whole, cut
    assert masked([REQUEST[at : at + 1] for at in range(len(REQUEST))]) == whole


def _auth(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode())


LOGIN = {"username": "an", "password": "hunter2", "serveraddress": "registry.example"}


@pytest.mark.parametrize(
    ("header", "value", "said"),
    [
        ("X-Registry-Auth", LOGIN, [("registry.example", "an", "password")]),
        ("x-registry-auth", {"identitytoken": "abc"}, [("", "", "identity token")]),
        ("X-Registry-Auth", {}, [("", "", "nothing")]),
        ("X-Registry-Auth", None, []),
        (
            "X-Registry-Config",
            {"a.example": {"username": "u", "password": "p"}, "b.example": {"registrytoken": "t"}},
            [("a.example", "u", "password"), ("b.example", "", "registry token")],
        ),
    ],
)
def test_whose_credentials_they_are_outlives_the_masking(
    header: str, value: object, said: list[tuple[str, str, str]]
) -> None:
    raw = b"POST /images/create HTTP/1.1\r\n%b: %b\r\n\r\n" % (header.encode(), _auth(value))
    for cut in range(1, len(raw)):
        out = list(redact([HEADER, connect(), data(raw[:cut]), data(raw[cut:]), End(t=1.0)]))
        found = [event for event in out if isinstance(event, Credentials)]
        assert [(event.registry, event.user, event.kind) for event in found] == said
        moved = b"".join(event.payload or b"" for event in out if isinstance(event, Data))
        assert _auth(value) not in moved
        assert len(moved) == len(raw)
    (exchange,) = [item for item in assemble(out) if isinstance(item, Exchange)]
    assert [(login.registry, login.user, login.kind) for login in exchange.logins] == said
    (unmasked,) = [item for item in assemble([connect(), data(raw), End(t=1.0)]) if isinstance(item, Exchange)]
    assert unmasked.logins == exchange.logins


def test_what_is_said_of_credentials_is_an_event() -> None:
    said = Credentials(t=0.4, conn=1, at=0, registry="registry.example", user="an", kind="password")
    assert decode(encode(said)) == said


GRPC = [(":authority", "x"), ("content-type", "application/grpc")]


def _session(caller: str, path: str, message: bytes) -> list[Event]:
    """A connection that becomes HTTP/2, and one call of the daemon or of the client with its answer."""
    ours = H2Connection(H2Configuration(client_side=True))
    theirs = H2Connection(H2Configuration(client_side=False))
    ours.initiate_connection()
    theirs.initiate_connection()
    ours.send_headers(1, [(":method", "POST"), (":path", path), (":scheme", "http"), *GRPC])
    ours.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=True)
    asked = ours.data_to_send()
    theirs.receive_data(asked)
    theirs.send_headers(1, [(":status", "200"), ("content-type", "application/grpc")])
    theirs.send_data(1, b"\0" + len(message).to_bytes(4, "big") + message)
    theirs.send_headers(1, [("grpc-status", "0")], end_stream=True)
    answered = theirs.data_to_send()
    upgrade = b"POST /session HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"
    switched = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"
    way: list[Direction] = ["in", "out"] if caller == "daemon" else ["out", "in"]
    return [
        HEADER, connect(), data(upgrade), data(switched, dir="in"),
        data(asked, dir=way[0]), data(answered, dir=way[1]), End(t=1.0),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "secret"),
    [
        ("/moby.filesync.v1.Auth/Credentials", True),
        ("/moby.buildkit.secrets.v1.Secrets/GetSecret", True),
        ("/moby.filesync.v1.FileSync/DiffCopy", False),
    ],
)
@pytest.mark.parametrize("caller", ["daemon", "client"])
def test_credentials_in_a_build_session_are_masked(caller: str, path: str, secret: bool) -> None:
    events = _session(caller, path, b"\x0a\x07hunter2")
    out = list(redact(events))
    assert [getattr(event, "size", 0) for event in out] == [getattr(event, "size", 0) for event in events]
    assert any(b"hunter2" in (event.payload or b"") for event in out if isinstance(event, Data)) is not secret
    (exchange,) = [item for item in assemble(out) if isinstance(item, Exchange)]
    assert exchange.stream is not None
    (call,) = exchange.stream.calls
    assert (call["sent"], call["received"], call["status"]) == (1, 1, 0)
    assert [message.get("masked", False) for message in call["messages"]] == [secret, secret]


def test_secret_build_arguments_of_a_solve_are_masked() -> None:
    argument = b"\x0a\x13build-arg:NPM_TOKEN\x12\x06abcdef"
    message = b"\x3a" + bytes([len(argument)]) + argument
    out = list(redact(_session("client", "/moby.buildkit.v1.Control/Solve", message)))
    moved = b"".join(event.payload or b"" for event in out if isinstance(event, Data))
    assert b"abcdef" not in moved
    assert b"build-arg:NPM_TOKEN\x12\x06******" in moved


def test_a_chunked_body_is_masked_in_its_chunks() -> None:
    head = b"POST /auth HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b'{"username":"an","password":"hunter2"}'
    raw = head + b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (32, body[:32], len(body) - 32, body[32:])
    assert b'"password":"***\r\n6\r\n****"}' in masked([raw])
    assert b'"username":"an"' in masked([raw])


def test_the_data_of_secrets_is_masked_and_that_of_others_is_not() -> None:
    body = b'{"Name":"s","Data":"aGVsbG8="}'
    head = b"POST /v1.41/%b/create HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    assert b"aGVsbG8=" not in masked([head % (b"secrets", len(body)) + body])
    assert b"aGVsbG8=" in masked([head % (b"configs", len(body)) + body])


def test_a_head_that_is_never_finished_is_masked_all_the_same() -> None:
    assert b"abc" not in masked([b"GET / HTTP/1.1\r\nAuthorization: Basic abc"])


def test_command_lines_are_masked() -> None:
    assert mask_arguments(["docker", "login", "-u", "an", "-p", "pw"]) == ["docker", "login", "-u", "an", "-p", "**"]
    assert mask_arguments(["docker", "run", "-p", "80:80"]) == ["docker", "run", "-p", "80:80"]
    assert mask_arguments(["-e", "MY_TOKEN=abc", "A=b"]) == ["-e", "MY_TOKEN=***", "A=b"]
    assert mask_arguments(["-H", "Authorization: Basic abc"]) == ["-H", "Authorization: *********"]
    assert mask_arguments(["-d", '{"password":"x y"}']) == ["-d", '{"password":"***"}']
    assert mask_arguments(["sh", "-c", "DB_PASSWORD=pw docker ps"]) == ["sh", "-c", "DB_PASSWORD=** docker ps"]


def test_the_header_says_that_it_was_redacted() -> None:
    first = next(redact([HEADER]))
    assert isinstance(first, Header)
    assert first.redacted


def test_build_arguments_in_a_query_are_masked_by_their_name() -> None:
    query = b"buildargs=%7B%22NPM_TOKEN%22%3A%22abc%22%2C%22LANG%22%3A%22C%22%7D&t=x"
    hidden = masked([b"POST /v1.41/build?" + query + b" HTTP/1.1\r\n\r\n"])
    assert b"%22NPM_TOKEN%22%3A%22***%22%2C%22LANG%22%3A%22C%22" in hidden
