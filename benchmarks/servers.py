"""The replay server against the daemon that it stands in for: GET /containers/json, in turn, on one connection."""

from __future__ import annotations

import http.client
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.timing import median
from fixtures.private_daemon import IMAGE, running

REQUESTS = 4000
ROUNDS = 3


class Unix(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker")
        self._path = path

    def connect(self) -> None:
        """connect(2) to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def rate(path: Path) -> float:
    """Requests a second."""
    client = Unix(path)
    begun = time.monotonic()
    for _ in range(REQUESTS):
        client.request("GET", "/v1.41/containers/json")
        answer = client.getresponse()
        assert answer.status == 200, answer.status
        answer.read()
    client.close()
    return REQUESTS / (time.monotonic() - begun)


def table(programs: Path) -> Iterator[str]:
    """A row for the daemon and one for its stand-in."""
    yield "| server | requests/s |"
    yield "| --- | ---: |"
    socktrace = programs / "socktrace"
    with running() as daemon, tempfile.TemporaryDirectory() as name:
        daemon.docker("create", "--name", "one", "--network", "none", IMAGE, "true")
        recording, listening = Path(name) / "ps.jsonl", Path(name) / "replay.sock"
        command = ["curl", "-s", "--unix-socket", str(daemon.socket), "http://docker/v1.41/containers/json"]
        subprocess.run([socktrace, "-q", "-w", recording, *command], check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(
            [socktrace, "replay", recording, "--repeat", "--listen", f"unix://{listening}"], stdout=subprocess.DEVNULL
        )
        while not listening.exists():
            time.sleep(0.02)
        rates: dict[str, list[float]] = {"dockerd": [], "socktrace replay": []}
        for _ in range(ROUNDS):
            rates["dockerd"].append(rate(daemon.socket))
            rates["socktrace replay"].append(rate(listening))
        server.terminate()
        server.wait()
    for name, measured in rates.items():
        yield f"| {name} | {median(measured):,.0f} |"
