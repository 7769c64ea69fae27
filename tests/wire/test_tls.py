"""TLS decoding: real sessions of OpenSSL made in memory, cut anywhere; updates of keys; damage of every kind."""

from __future__ import annotations

import ssl
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.ciphers import aead
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given, settings
from hypothesis import strategies as st

from fixtures.certificates import HOSTS, Authority
from tracer.events import Close, Connect, Data, Direction, Event, Tls, TlsSecret
from tracer.wire.tls import handshake, opened
from tracer.wire.tls.keylog import MAX_SESSIONS, KeyLog
from tracer.wire.tls.keys import IV_SIZE, Key12, Key13, Unopened, expand_label, prf
from tracer.wire.tls.session import Session
from tracer.wire.tls.suites import SUITES

TALK: list[tuple[Direction, bytes]] = [
    ("out", b"GET / HTTP/1.1\r\n\r\n"),
    ("in", b"HTTP/1.1 200 OK\r\n\r\n"),
    ("out", b"x" * 40_000),
    ("in", bytes(range(256)) * 300),
]


class Tape(NamedTuple):
    """What a session put on the wire, and its key log."""

    moved: list[tuple[Direction, bytes]]
    secrets: list[str]


@pytest.fixture(scope="module")
def keys() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        yield Authority().write(Path(folder), "a daemon", hosts=HOSTS)


class End:
    """One end of a session in memory."""

    def __init__(self, context: ssl.SSLContext, *, server: bool, resume: ssl.SSLSession | None = None) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name,
                                    session=resume)  # fmt: skip
        self.ready = False

    def shake(self) -> None:
        try:
            if not self.ready:
                self.tls.do_handshake()
                self.ready = True
        except ssl.SSLWantReadError:
            pass


def contexts(keys: Path, log: Path, version: str, ciphers: str | None) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    client = ssl.create_default_context(cafile=str(keys / "ca.pem"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(keys / "cert.pem", keys / "key.pem")
    client.keylog_filename = str(log)
    for context in (client, server):
        limit = ssl.TLSVersion.TLSv1_2 if version == "1.2" else ssl.TLSVersion.TLSv1_3
        context.minimum_version = context.maximum_version = limit
    if ciphers:
        client.set_ciphers(ciphers)
    return client, server


def session(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext, log: Path, resume: ssl.SSLSession | None = None
) -> tuple[Tape, ssl.SSLSession | None]:
    """A session that says TALK."""
    client, server = End(client_context, server=False, resume=resume), End(server_context, server=True)
    moved: list[tuple[Direction, bytes]] = []
    before = len(log.read_text()) if log.exists() else 0

    def carry() -> bool:
        found = False
        ways: list[tuple[Direction, End, End]] = [("out", client, server), ("in", server, client)]
        for direction, source, target in ways:
            data = source.outgoing.read()
            if data:
                moved.append((direction, data))
                target.incoming.write(data)
                found = True
        return found

    client.shake()
    while carry() or not (client.ready and server.ready):
        server.shake()
        client.shake()
    for direction, data in TALK:
        sender, receiver = (client, server) if direction == "out" else (server, client)
        sender.tls.write(data)
        carry()
        got = b""
        while len(got) < len(data):
            got += receiver.tls.read(1 << 16)
        assert got == data
    return Tape(moved, log.read_text()[before:].splitlines()), client.tls.session


CASES = {
    "1.3": ("1.3", None),
    "1.2": ("1.2", None),
    "1.2 chacha20": ("1.2", "ECDHE-ECDSA-CHACHA20-POLY1305"),
    "1.2 128": ("1.2", "ECDHE-ECDSA-AES128-GCM-SHA256"),
}


@pytest.fixture(scope="module", params=CASES)
def tape(request: pytest.FixtureRequest, keys: Path, tmp_path_factory: pytest.TempPathFactory) -> Tape:
    log = tmp_path_factory.mktemp("tape") / "keys.log"
    version, ciphers = CASES[request.param]
    return session(*contexts(keys, log, version, ciphers), log)[0]


def read(tape: Tape, size: int = 1 << 20, late: int = 0) -> tuple[dict[Direction, bytes], Session]:
    """What a reader makes of it who gets pieces of `size` bytes, and the secrets before piece number `late`."""
    log = KeyLog()
    reader = Session(log)
    got: dict[Direction, bytes] = {"out": b"", "in": b""}
    pieces = [(way, data[at : at + size]) for way, data in tape.moved for at in range(0, len(data), size)]
    for number, (direction, data) in enumerate(pieces):
        if number == late:
            for line in tape.secrets:
                log.add(line)
        for way, plain in reader.feed(direction, data):
            got[way] += plain
    for way, plain in reader.advance():
        got[way] += plain
    return got, reader


WHOLE: dict[Direction, bytes] = {
    way: b"".join(data for direction, data in TALK if direction == way) for way in ("out", "in")
}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 64, 1000, 16_389, 1 << 20])
def test_however_it_is_cut(tape: Tape, size: int) -> None:
    got, reader = read(tape, size)
    assert got == WHOLE
    assert reader.problem is None
    assert reader.alerts == []


@pytest.mark.parametrize("late", [0, 1, 2, 3, 4])
def test_secrets_may_come_after_what_they_open(tape: Tape, late: int) -> None:
    assert read(tape, late=late)[0] == WHOLE


def test_facts_of_the_handshake(tape: Tape) -> None:
    reader = read(tape)[1]
    assert reader.client is not None
    assert reader.client.server_name == "localhost"
    assert reader.version in ("1.2", "1.3")
    (certificate,) = reader.certificates["in"]
    assert (certificate.subject, certificate.issuer) == ("CN=a daemon", "CN=test CA")
    assert certificate.names == list(HOSTS)
    assert certificate.not_before < certificate.not_after


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_a_resumed_session(version: str, keys: Path, tmp_path: Path) -> None:
    log = tmp_path / "keys.log"
    client, server = contexts(keys, log, version, None)
    _, ticket = session(client, server, log)
    tape, _ = session(client, server, log, ticket)
    got, reader = read(tape)
    assert got == WHOLE
    assert reader.resumed


def test_a_server_that_asks_for_another_hello(keys: Path, tmp_path: Path) -> None:
    """HelloRetryRequest: the client has sent a key share for a curve that the server does not want."""
    log = tmp_path / "keys.log"
    client, server = contexts(keys, log, "1.3", None)
    server.set_ecdh_curve("secp384r1")
    tape, _ = session(client, server, log)
    assert sum(data[5:6] == b"\1" for way, data in tape.moved if way == "out" and data[0] == 22) >= 1
    assert len(tape.moved) > 4
    for size in (1, 7, 1 << 20):
        got, reader = read(tape, size)
        assert got == WHOLE
        assert reader.problem is None


def test_another_sessions_secrets_open_nothing(tape: Tape) -> None:
    wrong = [" ".join([*line.split()[:2], "00" * 48]) for line in tape.secrets]
    got, reader = read(Tape(tape.moved, wrong))
    assert got == {"out": b"", "in": b""}
    assert reader.problem == "a record could not be decrypted with the secrets that the client told"
    unknown, reader = read(Tape(tape.moved, []))
    assert unknown == {"out": b"", "in": b""}
    assert reader.why_not() == "the secrets of this session are not known"


def events(tape: Tape, secrets: Sequence[str]) -> list[Event]:
    made: list[Event] = [Connect(t=0, conn=1, pid=1, tid=1, fd=3, family="inet", address="127.0.0.1:2376")]
    for number, (direction, data) in enumerate(tape.moved):
        if number == 2:
            made += [TlsSecret(t=number, conn=1, line=line) for line in secrets]
        made.append(Data(t=number, conn=1, pid=1, tid=1, fd=3, syscall="x", dir=direction, size=len(data),
                         payload=data))  # fmt: skip
    return [*made, Close(t=99, conn=1, pid=1, tid=1)]


def test_events_come_opened_with_what_is_known_of_the_session(tape: Tape) -> None:
    found = list(opened(events(tape, tape.secrets)))
    moved = [event for event in found if isinstance(event, Data)]
    assert all(event.plain for event in moved)
    for way in ("out", "in"):
        assert b"".join(event.payload or b"" for event in moved if event.dir == way) == WHOLE[way]
    first, last = [event for event in found if isinstance(event, Tls)]
    assert first.problem is last.problem is None
    assert (last.records_out, last.records_in) == tuple(
        sum(len(data) for way, data in tape.moved if way == wanted) for wanted in ("out", "in")
    )
    assert list(opened(found)) == found


def test_events_that_cannot_be_opened_go_on_as_they_were(tape: Tape) -> None:
    original = events(tape, [])
    found = list(opened(original))
    (told,) = [event for event in found if isinstance(event, Tls)]
    assert told.problem == "the secrets of this session are not known"
    assert [event for event in found if not isinstance(event, Tls)] == original
    assert found.index(told) < found.index(next(event for event in found if isinstance(event, Data)))


def test_a_server_that_answers_plainly_leaves_everything_as_it_was(tape: Tape) -> None:
    hello = tape.moved[0]
    short = Tape([hello, ("in", b"HTTP/1.0 400 Bad Request\r\n\r\n")], [])
    assert list(opened(events(short, []))) == events(short, [])


def sealed(key: bytes, iv: bytes, number: int, kind: int, data: bytes) -> bytes:
    """A record of TLS 1.3."""
    inner = data + bytes([kind])
    head = b"\x17\3\3" + (len(inner) + 16).to_bytes(2, "big")
    nonce = (int.from_bytes(iv, "big") ^ number).to_bytes(IV_SIZE, "big")
    return head + aead.AESGCM(key).encrypt(nonce, inner, head)


def test_key_updates_are_followed() -> None:
    suite, secret = SUITES[0x1301], bytes(range(32))
    reading = Key13(suite, secret)
    for _ in range(3):
        key = expand_label(secret, "key", 16, "sha256")
        iv = expand_label(secret, "iv", 12, "sha256")
        for number in range(2):
            record = sealed(key, iv, number, 23, b"hello")
            assert reading.open(23, record[1:3], record[5:]) == (23, b"hello")
        secret = expand_label(secret, "traffic upd", 32, "sha256")
        reading = reading.updated()
    with pytest.raises(Unopened):
        reading.open(23, b"\3\3", bytes(40))


def test_the_pseudorandom_function_of_tls_12() -> None:
    """The test vector that was published on the IETF's TLS list for P_SHA256."""
    secret = bytes.fromhex("9bbe436ba940f017b17652849a71db35")
    seed = bytes.fromhex("a0ba9f936cda311827a6f796ffd5198c")
    wanted = (
        "e3f229ba727be17b8d122620557cd453c2aab21d07c3d495329b52d4e61edb5a6b301791e90d35c9c9a46b4e14baf9af0fa022f7077d"
    )
    assert prf(secret, b"test label", seed, 100, "sha256").hex().startswith(wanted)


@pytest.mark.parametrize("number", [0xC0AC, 0x1304])
def test_ccm(number: int) -> None:
    suite = SUITES[number]
    key = bytes(range(suite.key_size))
    if number == 0x1304:
        secret = bytes(32)
        reading = Key13(suite, secret)
        real = aead.AESCCM(expand_label(secret, "key", 16, "sha256"))
        data = real.encrypt(expand_label(secret, "iv", 12, "sha256"), b"hi\x17", b"\x17\3\3\0\x13")
        assert reading.open(23, b"\3\3", data) == (23, b"hi")
        return
    explicit = b"\0" * 7 + b"\1"
    data = explicit + aead.AESCCM(key).encrypt(b"salt" + explicit, b"hi", bytes(8) + b"\x17\3\3\0\2")
    assert Key12(suite, key, b"salt").open(23, b"\3\3", data) == (23, b"hi")


@pytest.mark.parametrize("line", ["", "# comment", "A B", "LABEL zz 00", "CLIENT_RANDOM 00 0", "a b c d"])
def test_lines_of_a_key_log_that_say_nothing(line: str) -> None:
    assert KeyLog().add(line) is None


def test_old_sessions_are_forgotten() -> None:
    log = KeyLog()
    for number in range(MAX_SESSIONS + 1):
        log.add(f"CLIENT_RANDOM {number:064x} 00")
    assert not log.knows(bytes(32))
    assert log.knows(MAX_SESSIONS.to_bytes(32, "big"))


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=4), st.integers(50, 5000))
def test_damage_never_raises(damage: list[tuple[int, int]], size: int) -> None:
    tape = _kept_tape()
    moved = [(way, bytearray(data)) for way, data in tape.moved]
    for place, value in damage:
        _, data = moved[place % len(moved)]
        data[place % len(data)] = value
    read(Tape([(way, bytes(data)) for way, data in moved], tape.secrets), size)


_TAPES: list[Tape] = []


def _kept_tape() -> Tape:
    if not _TAPES:
        with tempfile.TemporaryDirectory() as folder:
            keys = Authority().write(Path(folder), "a daemon", hosts=HOSTS)
            log = Path(folder) / "keys.log"
            _TAPES.append(session(*contexts(keys, log, "1.3", None), log)[0])
    return _TAPES[0]


def test_a_hello_that_is_cut_short() -> None:
    assert list(Session(KeyLog()).feed("out", b"\x16\3\1\0\4\1\0\0\0")) == []
    reader = Session(KeyLog())
    assert list(reader.feed("out", b"\x16\3\1\0\6\1\0\0\2\3\3")) == []
    assert reader.client is not None
    assert reader.why_not() == "the server did not answer the client's hello"


def test_a_certificate_of_any_version_is_read_or_left_out() -> None:
    """RFC 5280 section 4.1.2.1 knows 0 to 2; the fuzzer found that others make an exception of their own."""
    der = Authority().certificate.public_bytes(Encoding.DER)
    for version in range(256):
        changed = der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([version]), 1)
        entry = len(changed).to_bytes(3, "big") + changed
        message = len(entry).to_bytes(3, "big") + entry
        assert len(handshake.certificates(message, tls13=False)) == (version == 2), version
