"""Many at once: nothing is lost, nothing hangs, nothing is left behind."""

from __future__ import annotations

import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon
from tests.capture.programs import run_program
from tests.oracle import proxied
from tests.runs import COMMAND, ROOT, Socktrace
from tracer.events import Data, End, Exit

PROCESSES = int(os.environ.get("SOCKTRACE_STRESS_PROCESSES", "8"))
THREADS = int(os.environ.get("SOCKTRACE_STRESS_THREADS", "5"))
REQUESTS = int(os.environ.get("SOCKTRACE_STRESS_REQUESTS", "20"))
TIMES = int(os.environ.get("SOCKTRACE_STRESS_TIMES", "1"))

CLIENT = """
import http.client, os, random, socket, sys, threading
class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX); self.sock.connect(sys.argv[1])
def talk(seed):
    rng = random.Random(seed); c = Unix("docker")
    for _ in range(int(sys.argv[4])):
        body = rng.randbytes(min(1 << 20, int(100 * rng.paretovariate(0.7))))
        c.request("POST", "/no/such/path", body); assert c.getresponse().read() == body
    c.close()
for p in range(int(sys.argv[2])):
    if os.fork() == 0:
        threads = [threading.Thread(target=talk, args=(p * 1000 + t,)) for t in range(int(sys.argv[3]))]
        [t.start() for t in threads]; [t.join() for t in threads]
        os._exit(0)
failed = 0
for p in range(int(sys.argv[2])): failed |= os.wait()[1]
sys.exit(failed != 0)
"""


class Mirror(BaseHTTPRequestHandler):
    """Answers a POST with its own body, on a connection that is kept."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def address_string(self) -> str:
        return "unix"


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Path]:
    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 512

    with Server(str(tmp_path / "mirror.sock"), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield tmp_path / "mirror.sock"
        server.shutdown()


def test_processes_times_threads_times_requests(socktrace: Socktrace, mirror: Path, tmp_path: Path) -> None:
    for turn in range(TIMES):
        with proxied(mirror, tmp_path / f"{turn}.sock") as proxy:
            sizes = [str(PROCESSES), str(THREADS), str(REQUESTS)]
            options = ("-q", "--no-redact", "--socket", str(proxy.path))
            run = socktrace(sys.executable, "-c", CLIENT, str(proxy.path), *sizes, options=options)
            proxy.close()
        assert run.status == 0, run.stderr
        events = run.events
        end = events[-1]
        assert isinstance(end, End)
        assert end.lost == 0
        streams: dict[tuple[int, str], bytearray] = {}
        for event in events:
            if isinstance(event, Data):
                assert event.payload is not None
                streams.setdefault((event.conn, event.dir), bytearray()).extend(event.payload)
        conns = sorted({conn for conn, _ in streams})
        ours = sorted((bytes(streams[conn, "out"]), bytes(streams[conn, "in"])) for conn in conns)
        assert len(ours) == PROCESSES * THREADS
        assert ours == sorted(passed.both for passed in proxy.connections)


def test_a_tree_of_short_processes_neither_hangs_nor_leaks(socktrace: Socktrace) -> None:
    run = socktrace("sh", "-c", "for i in $(seq 500); do /bin/true; done; exit 7")
    assert run.status == 7
    assert len(run.of(Exit)) == 502
    assert run.notes == []


def test_processes_side_by_side(socktrace: Socktrace) -> None:
    run = socktrace("sh", "-c", "for i in $(seq 200); do /bin/true & done; wait")
    assert run.status == 0
    assert len(run.of(Exit)) == 202


def test_threads_that_come_and_go(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "for _ in range(20):\n"
        "    ts=[threading.Thread(target=lambda: time.sleep(0.001)) for _ in range(20)]\n"
        "    [t.start() for t in ts]; [t.join() for t in ts]\n"
        "s=connect(); s.send(b'x'); s.recv(1)"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.streams == [(b"x", b"x")]


def test_an_exit_while_other_threads_run(socktrace: Socktrace, tmp_path: Path) -> None:
    source = "[threading.Thread(target=lambda: time.sleep(30), daemon=True).start() for _ in range(20)]; os._exit(5)"
    assert run_program(socktrace, tmp_path / "echo.sock", source).status == 5


def test_a_flood_of_signals(socktrace: Socktrace, tmp_path: Path) -> None:
    source = (
        "count=[0]\n"
        "def on(*a): count[0]+=1\n"
        "signal.signal(signal.SIGURG, on); s=connect()\n"
        "for _ in range(300): os.kill(os.getpid(), signal.SIGURG); s.send(b'x'); exactly(s,1)\n"
        "print(count[0])"
    )
    run = run_program(socktrace, tmp_path / "echo.sock", source)
    assert run.stdout == "300\n"
    assert run.streams == [(b"x" * 300, b"x" * 300)]


def test_ten_runs_in_a_row_give_the_same_exchanges(socktrace: Socktrace, daemon: Daemon) -> None:
    def calls() -> list[tuple[str, str, int]]:
        found = socktrace.exchanges("docker", "ps", env=daemon.environment)
        return [(item["method"], item["target"], item["response"]["status"]) for item in found]

    assert len({tuple(calls()) for _ in range(10)}) == 1


def test_memory_stays_flat_whatever_the_volume(tmp_path: Path) -> None:
    """A hundred megabytes through the socket; the front and the tracer stay below a fixed size."""
    from tests.capture.programs import PRELUDE, echo_server

    path = tmp_path / "docker.sock"
    head = "POST /images/load HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n"
    source = (
        f"s=connect(); size=100<<20; s.send(b'{head}' % size)\n"
        "t=threading.Thread(target=lambda: [s.recv(1<<16) for _ in iter(lambda: s.recv(1<<16), b'')], daemon=True)\n"
        "t.start()\n"
        "for _ in range(100): s.sendall(bytes(1<<20))\n"
    )
    with echo_server(path):
        argv = [*COMMAND, "-o", os.devnull, sys.executable, "-c", PRELUDE + source, str(path)]
        # a process starts with the memory of the one that forked it: measured from a small one, not from pytest
        measure = (
            "import resource, subprocess, sys; subprocess.run(sys.argv[1:]); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
        )
        done = subprocess.run(
            [sys.executable, "-c", measure, *argv],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert int(done.stdout.split()[-1]) < 80 << 10, "in kB"
