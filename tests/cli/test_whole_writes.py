"""What is shown is written to its last byte, or missed: also where Python's streams have no buffer."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon
from tests.runs import COMMAND, ROOT

FIXTURES = Path(__file__).parents[2] / "fixtures"

PIPE = 1 << 16
"""Bytes that a pipe holds (pipe(7))."""

CHATTY = """
import http.client, os, socket, sys
client = http.client.HTTPConnection("docker")
client.sock = socket.socket(socket.AF_UNIX)
client.sock.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
for _ in range(400):
    client.request("GET", "/_ping")
    client.getresponse().read()
"""


def _wait_until_full(pipe: int) -> None:
    end = time.monotonic() + 60
    waiting = 0
    while waiting < PIPE:
        assert time.monotonic() < end, waiting
        time.sleep(0.05)
        waiting = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)))[0]


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_last_byte_that_has_no_room_is_missed(unbuffered: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    command = [*COMMAND, "show", str(FIXTURES / "ps.jsonl")]
    size = len(subprocess.run(command, env=environment, capture_output=True, check=True).stdout)
    with open(tmp_path / "shown", "wb") as file:
        done = subprocess.run(
            command,
            env=environment,
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size - 1, size - 1)),
        )
    assert done.stderr == "socktrace: the timeline can't be written: File too large\n"
    assert done.returncode == 120


def test_a_signal_in_the_middle_of_the_timeline_costs_none_of_it(daemon: Daemon) -> None:
    environment = {**daemon.environment, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    command = [*COMMAND, sys.executable, "-c", CHATTY]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as run:
        assert run.stderr is not None
        _wait_until_full(run.stderr.fileno())
        run.send_signal(signal.SIGUSR1)
        shown = run.stderr.read().decode()
    assert run.returncode == 0
    assert shown.count("GET /_ping") == 400
    assert "400 exchanges" in shown


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "words",
    [
        "--help",
        "--version",
        "completion bash",
        "demo ps",
        "diff ps.jsonl run.jsonl",
        "doctor",
        "export -f har ps.jsonl",
        "show ps.jsonl",
        "show --json ps.jsonl",
    ],
)
def test_a_full_disk_is_one_sentence(words: str, unbuffered: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [*COMMAND, *words.split()],
            env=environment,
            cwd=FIXTURES,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "can't be written" in done.stderr
    assert done.stderr.endswith("No space left on device\n")
    assert len(done.stderr.splitlines()) == 1
    assert done.returncode == 120


def test_output_that_nobody_reads_ends_us_as_it_ends_others() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run([*COMMAND, "--help"], env=environment, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.parametrize("closed", ["", "<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_the_command_finds_closed_what_was_closed(closed: str, tmp_path: Path) -> None:
    look = f"for fd in 0 1 2; do test -e /proc/$$/fd/$fd && echo $fd; done >{tmp_path}/open; exit 7"
    found = []
    for before in ([], [*COMMAND, "-q"], [*COMMAND]):
        done = subprocess.run(
            ["sh", "-c", f'exec "$@" {closed}', "sh", *before, "sh", "-c", look],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 7
        assert b"Traceback" not in done.stderr
        found.append((tmp_path / "open").read_text())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize(
    ("words", "closed", "status", "said"),
    [
        ("show ps.jsonl", ">&-", 120, "socktrace: the timeline can't be written: Bad file descriptor\n"),
        ("--help", ">&-", 120, "socktrace: the output can't be written: Bad file descriptor\n"),
        ("show ps.jsonl -o /dev/null", "<&- >&- 2>&-", 0, ""),
        ("show missing.jsonl", "2>&-", 1, ""),
    ],
)
def test_our_own_output_where_it_was_closed(words: str, closed: str, status: int, said: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, *words.split()],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=FIXTURES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (status, said)
