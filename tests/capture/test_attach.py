"""`socktrace -p PID`: a program that is already running is followed, and lives on unharmed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.capture.programs import PRELUDE, echo_server
from tests.runs import COMMAND, ROOT, Run, Socktrace
from tracer.events import Connect, Data, Direction, Event
from tracer.exchanges import Exchange, assemble
from tracer.recording.reader import read

ENV = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"}

POLLER = """
s = connect()
n = 0
while True:
    s.send(b"GET /poll/%d HTTP/1.1\\r\\n\\r\\n" % n); n += 1
    s.recv(100); time.sleep(0.02)
"""
THREADS = """
def poll():
    while True:
        s = connect(); s.send(b"GET /x HTTP/1.1\\r\\n\\r\\n"); s.recv(100); s.close(); time.sleep(0.02)
[threading.Thread(target=poll).start() for _ in range(5)]
"""
FORKS = """
while True:
    if os.fork() == 0:
        s = connect(); s.send(b"GET /child HTTP/1.1\\r\\n\\r\\n"); s.recv(100); os._exit(0)
    os.wait(); time.sleep(0.02)
"""


@contextmanager
def program(source: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with echo_server(path):
        process = subprocess.Popen([sys.executable, "-c", PRELUDE + source, str(path)])
        time.sleep(0.5)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def attach(pid: int, socket: Path, recording: Path, seconds: float = 1.5) -> subprocess.CompletedProcess[str]:
    """Follow for some time, then press Ctrl-C."""
    argv = [*COMMAND, "--no-redact", "--socket", str(socket), "-w", str(recording), "-p", str(pid)]
    process = subprocess.Popen(argv, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    return subprocess.CompletedProcess(argv, process.returncode, out, err)


def tracer_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("TracerPid:")).split()[1])


@pytest.mark.parametrize(("source", "target"), [(POLLER, "/poll/"), (THREADS, "/x"), (FORKS, "/child")])
def test_it_is_followed_and_lives_on(source: str, target: str, tmp_path: Path) -> None:
    path, recording = tmp_path / "echo.sock", tmp_path / "run.jsonl"
    with program(source, path) as process:
        done = attach(process.pid, path, recording)
        assert done.returncode == 0, done.stderr
        assert process.poll() is None
        assert all(tracer_of(int(tid)) == 0 for tid in os.listdir(f"/proc/{process.pid}/task"))
        assert Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T"
    assert done.stderr.count(f"GET {target}") >= 5


def test_an_open_connection_is_told_with_its_peer_and_a_note(tmp_path: Path) -> None:
    path, recording = tmp_path / "echo.sock", tmp_path / "run.jsonl"
    with program(POLLER, path) as process:
        done = attach(process.pid, path, recording)
    run = Run(subprocess.CompletedProcess([], 0, "", ""), recording)
    (connect,) = run.of(Connect)
    assert (connect.midway, connect.address, connect.pid) == (True, str(path), process.pid)
    assert any("open already" in note for note in run.notes)
    assert "open already" in done.stderr


def test_it_can_be_followed_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    with program(THREADS, path) as process:
        for turn in range(3):
            done = attach(process.pid, path, tmp_path / f"{turn}.jsonl", 0.8)
            assert "GET /x" in done.stderr
        assert process.poll() is None


def test_a_stopped_program_stays_stopped(tmp_path: Path) -> None:
    path = tmp_path / "echo.sock"
    with program(POLLER, path) as process:
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.1)
        attach(process.pid, path, tmp_path / "run.jsonl", 0.8)
        assert Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"
        process.send_signal(signal.SIGCONT)
        time.sleep(0.2)
        assert Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "SR"


def test_a_program_that_ends_ends_the_trace(tmp_path: Path) -> None:
    process = subprocess.Popen(["sleep", "1.2"])
    argv = [*COMMAND, "-p", str(process.pid)]
    done = subprocess.run(argv, env=ENV, capture_output=True, text=True, timeout=20, check=False)
    process.wait()
    assert (process.returncode, done.returncode) == (0, 0)
    assert "exit status 0" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["-p", "999999999"], 120, "there is no process 999999999"),
        (["-p", "abc"], 2, "not a process id"),
        (["-p", "1", "ls"], 2, "not both"),
    ],
)
def test_mistakes(arguments: list[str], status: int, words: str, socktrace: Socktrace) -> None:
    done = socktrace.plain(*arguments)
    assert done.returncode == status
    assert words in done.stderr


def test_a_program_that_is_traced_already(socktrace: Socktrace) -> None:
    process = subprocess.Popen(["sleep", "30"])
    strace = subprocess.Popen(["strace", "-o", os.devnull, "-p", str(process.pid)], stderr=subprocess.DEVNULL)
    time.sleep(0.5)
    try:
        done = socktrace.plain("-p", str(process.pid))
    finally:
        strace.terminate()
        strace.wait()
        process.kill()
        process.wait()
    assert done.returncode == 120
    assert "already traced by process" in done.stderr


def test_a_connection_seen_from_the_middle_begins_with_its_next_request() -> None:
    def data(dir: Direction, payload: bytes) -> Event:
        size = len(payload)
        return Data(t=1.0, conn=1, pid=1, tid=1, fd=3, syscall="x", dir=dir, size=size, payload=payload)

    connect = Connect(t=0.0, conn=1, pid=1, tid=1, fd=3, family="unix", address="/s", midway=True)
    events = [
        connect,
        data("in", b'rest of a body"}'),
        data("out", b"rest of an upload"),
        data("out", b"GET /info HTTP/1.1\r\n\r\n"),
        data("in", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"),
    ]
    (exchange,) = [item for item in assemble(events) if isinstance(item, Exchange)]
    assert exchange.request is not None
    assert exchange.request.head.target == "/info"
    assert exchange.failure is None


def test_the_recording_of_an_attached_program_can_be_shown(tmp_path: Path, socktrace: Socktrace) -> None:
    path, recording = tmp_path / "echo.sock", tmp_path / "run.jsonl"
    with program(POLLER, path) as process:
        attach(process.pid, path, recording, 1.0)
    assert list(read(str(recording)))
    assert "GET /poll/" in socktrace.plain("show", str(recording)).stdout
