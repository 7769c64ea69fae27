"""Reads that are told at their entry: the bytes are those that the program gets, however it reads them."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.private_daemon import IMAGE, Daemon
from tests.capture.programs import run_program
from tests.runs import Socktrace
from tracer.capture import syscalls
from tracer.capture.peeking import LARGEST, Peeking
from tracer.capture.tracees import Call, Connection
from tracer.events import Data

SPECS = {spec.name: spec for spec in syscalls.SPECS}


class Pair:
    """A connection within this process, which is its own tracee here."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.connection = Connection(1, (os.readlink(f"/proc/self/fd/{self.ours.fileno()}"),), "unix")

    def call(self, size: int, *, name: str = "read", flags: int = 0, fd: int | None = None) -> Call:
        fd = self.ours.fileno() if fd is None else fd
        return Call(SPECS[name], (fd, 0, size, flags, 0, 0), fd, self.connection)

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    pair = Pair()
    yield pair
    pair.close()


@pytest.fixture
def peeking() -> Iterator[Peeking]:
    peeking = Peeking()
    yield peeking
    peeking.ended(os.getpid())


def test_a_read_that_will_be_filled_is_told_and_the_bytes_stay(pair: Pair, peeking: Peeking) -> None:
    data = os.urandom(40_000)
    pair.theirs.sendall(data)
    assert peeking.certain(os.getpid(), pair.call(16_384)) == data[:16_384]
    assert pair.ours.recv(16_384) == data[:16_384]
    assert peeking.certain(os.getpid(), pair.call(16_384)) == data[16_384:32_768]
    assert pair.ours.recv(16_384) == data[16_384:32_768]
    assert peeking.certain(os.getpid(), pair.call(16_384)) is None  # more may come before it reads
    assert pair.ours.recv(16_384) == data[32_768:]
    peeking.forget()
    assert peeking.certain(os.getpid(), pair.call(1)) is None
    pair.theirs.close()
    assert peeking.certain(os.getpid(), pair.call(1)) is None


@pytest.mark.parametrize("flags", [syscalls.MSG_PEEK, syscalls.MSG_TRUNC, 0x100])  # 0x100: MSG_WAITALL
def test_a_receive_that_does_more_than_read_is_not_told(pair: Pair, peeking: Peeking, flags: int) -> None:
    pair.theirs.sendall(bytes(100))
    assert peeking.certain(os.getpid(), pair.call(10, name="recvfrom", flags=flags)) is None
    harmless = syscalls.MSG_DONTWAIT | syscalls.MSG_NOSIGNAL
    assert peeking.certain(os.getpid(), pair.call(10, name="recvfrom", flags=harmless)) == bytes(10)


def test_what_is_no_plain_read_is_not_told(pair: Pair, peeking: Peeking) -> None:
    pair.theirs.sendall(bytes(1000))
    for name, size in [("write", 10), ("readv", 10), ("recvmsg", 10), ("read", 0), ("read", LARGEST + 1)]:
        assert peeking.certain(os.getpid(), pair.call(size, name=name)) is None


def test_a_number_that_is_another_socket_in_the_table_of_the_process(pair: Pair, peeking: Peeking) -> None:
    other = Pair()
    other.theirs.sendall(bytes(100))
    assert peeking.certain(os.getpid(), pair.call(10, fd=other.ours.fileno())) is None
    other.close()
    assert peeking.certain(os.getpid(), pair.call(10, fd=other.ours.fileno())) is None


def test_a_connection_that_an_untraced_process_may_read_from(pair: Pair, peeking: Peeking) -> None:
    pair.theirs.sendall(bytes(100))
    pair.connection.in_flight = True
    assert peeking.certain(os.getpid(), pair.call(10)) is None


def test_where_the_process_has_gone_or_may_not_be_looked_into(pair: Pair, peeking: Peeking) -> None:
    pair.theirs.sendall(bytes(100))
    assert peeking.certain(1 << 22, pair.call(10)) is None


@given(
    st.lists(st.tuples(st.sampled_from(["write", "read", "readv"]), st.booleans(), st.integers(1, 5000)), max_size=40)
)
def test_what_is_told_is_what_is_read(steps: list[tuple[str, bool, int]]) -> None:
    """Two connections, written to and read from in any order and size, also by a call that is never told."""
    pairs, peeking = (Pair(), Pair()), Peeking()
    for number, (step, which, size) in enumerate(steps):
        pair = pairs[which]
        pair.ours.setblocking(False)
        if step == "write":
            pair.theirs.sendall(bytes([number]) * size)
            continue
        told = peeking.certain(os.getpid(), pair.call(size, name=step))
        try:
            read = pair.ours.recv(size)
        except BlockingIOError:
            read = b""
        assert told in (None, read)
        if told is None:
            peeking.forget()
    for pair in pairs:
        pair.close()
    peeking.ended(os.getpid())


READERS = """
import random
rng = random.Random(7)
sent = rng.randbytes(600_000)
s = connect(); s.setblocking(True)
def send():
    s.sendall(sent)
writer = threading.Thread(target=send); writer.start()
lock, got = threading.Lock(), []
def read_on():
    while True:
        with lock:
            if sum(map(len, got)) == len(sent): return
            left = len(sent) - sum(map(len, got))
            size = min(left, rng.choice([1, 7, 512, 4096, 16384]))
            how = rng.randrange(6)
            if how == 0: got.append(s.recvmsg(size)[0])
            elif how == 1: s.recv(size, socket.MSG_PEEK)
            elif how == 2: got.append(os.read(s.fileno(), size))
            elif how == 3:
                buffer = bytearray(size); n = os.readv(s.fileno(), [buffer]); got.append(bytes(buffer[:n]))
            else: got.append(s.recv(size))
readers = [threading.Thread(target=read_on) for _ in range(3)]
for t in readers: t.start()
for t in readers + [writer]: t.join()
assert b"".join(got) == sent
print(len(got))
"""


def test_three_threads_in_turn_by_every_call(tmp_path: Path, socktrace: Socktrace) -> None:
    run = run_program(socktrace, tmp_path / "echo.sock", READERS)
    assert run.status == 0, run.stderr
    ((out, back),) = run.streams
    assert len(out) == 600_000
    assert back == out
    moved = [event for event in run.of(Data) if event.dir == "in" and event.size]
    assert len(moved) == int(run.stdout)


FILLED = """
import resource
s = connect(); s.sendall(bytes(range(256)) * 256)
while len(s.recv(1 << 16, socket.MSG_PEEK)) < 1 << 16: time.sleep(0.01)
def switches(): return resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
assert s.recv(256)
before = switches()
for _ in range(200): assert len(s.recv(256)) == 256
print(switches() - before)
"""


def test_a_filled_read_stops_once(tmp_path: Path, socktrace: Socktrace) -> None:
    run = run_program(socktrace, tmp_path / "echo.sock", FILLED)
    assert run.status == 0, run.stderr
    assert 200 <= int(run.stdout) < 300
    assert run.streams[0][1] == (bytes(range(256)) * 256)[: 201 * 256]


def test_the_other_side_sees_the_end_at_once(tmp_path: Path, socktrace: Socktrace) -> None:
    """No descriptor of ours keeps a connection open."""
    source = """
s = connect(); other = connect()
for c in (s, other):
    c.sendall(bytes(60_000))
    while len(c.recv(60_000, socket.MSG_PEEK)) < 60_000: time.sleep(0.01)
    for _ in range(10): assert len(c.recv(1000)) == 1000
ours = os.fstat(other.fileno()).st_ino
other.close()
inodes = [line.split()[6] for line in open("/proc/net/unix")][1:]
print(str(ours) in inodes)
"""
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.status == 0, run.stderr
    assert run.stdout == "False\n"


@pytest.mark.parametrize("way", ["unix", "tls"])
def test_a_large_answer_is_what_docker_wrote(daemon: Daemon, socktrace: Socktrace, tmp_path: Path, way: str) -> None:
    """To the last byte: the digest of the recorded body is that of the file."""
    saved = tmp_path / "image.tar"
    environment = daemon.environment if way == "unix" else daemon.tls_environment
    exchanges = socktrace.exchanges("docker", "save", "-o", str(saved), IMAGE, env=environment)
    (answer,) = [exchange["response"]["body"] for exchange in exchanges if "/images/" in exchange["target"]]
    assert answer["size"] == saved.stat().st_size > 1_000_000
    assert answer["sha256"] == hashlib.sha256(saved.read_bytes()).hexdigest()
