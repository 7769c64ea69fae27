"""Containers: a client inside of one followed from the host by -p, and socktrace itself inside, with SYS_PTRACE."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import need, root
from tests.runs import COMMAND, ROOT, Run
from tracer.events import Connect, PeerFound

LIBRARIES = ("/usr", "/lib", "/lib64")
NAME = "client"


def volumes(daemon: Daemon, *more: str) -> list[str]:
    """The host's programs and the daemon's socket, mounted where a client looks for it."""
    places = dict.fromkeys([*LIBRARIES, *more])
    mounted = [f"{os.path.realpath(place)}:{place}:ro" for place in places]
    return [word for place in [*mounted, f"{daemon.socket}:/var/run/docker.sock"] for word in ("-v", place)]


@pytest.fixture
def cleaned(daemon: Daemon) -> Iterator[None]:
    root()
    need(os.path.exists("/usr/bin/docker"), "no docker CLI in /usr/bin")
    yield
    daemon.docker("rm", "-f", NAME)


def test_a_client_in_a_container_is_followed_from_the_host(cleaned: None, daemon: Daemon, tmp_path: Path) -> None:
    """It uses a mounted docker.sock: its path is its own, the daemon is the host's."""
    loop = "while ! test -e /go; do sleep 0.1; done; exec /usr/bin/docker ps -a"
    daemon.docker("run", "-d", "--name", NAME, "--network", "none", *volumes(daemon), IMAGE, "sh", "-c", loop)
    pid = daemon.docker("inspect", "--format", "{{.State.Pid}}", NAME)
    recording = tmp_path / "followed.jsonl"
    tracer = subprocess.Popen(
        [*COMMAND, "-q", "--prove", "-p", pid, "-w", str(recording)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    while not recording.exists() or not recording.stat().st_size:
        time.sleep(0.05)
    daemon.docker("exec", NAME, "sh", "-c", "echo > /go")
    told = " ".join(tracer.communicate(timeout=30)[1].split())
    run = Run(subprocess.CompletedProcess([], 0, "", ""), recording)
    assert [connect.address for connect in run.of(Connect) if connect.error is None] == ["/var/run/docker.sock"]
    assert [found.peer.pid for found in run.of(PeerFound)] == [daemon.process.pid]
    assert b"GET /v1.41/containers/json?all=1" in run.streams[0][0]
    assert "It sees the same processes and the same files as we do" in told


def test_socktrace_in_a_container(cleaned: None, daemon: Daemon) -> None:
    """As documented: --cap-add SYS_PTRACE. The daemon is outside, and the proof says so."""
    python = shutil.which("python3", path="/usr/bin") or sys.executable
    places = {str(ROOT), sys.prefix, sys.base_prefix, str(Path(os.path.realpath(sys.executable)).parents[1])}
    found = subprocess.run(
        ["docker", "run", "--name", NAME, "--network", "none", "--cap-add", "SYS_PTRACE", *volumes(daemon, *places),
         "-e", f"PYTHONPATH={os.pathsep.join([str(ROOT), *sys.path[1:]])}", "-e", "HOME=/tmp", IMAGE,
         os.path.realpath(sys.executable) if sys.executable else python,
         "-m", "tracer", "--prove", "/usr/bin/docker", "ps", "-a"],
        env=daemon.environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    told = " ".join(found.stderr.split())
    assert "GET /v1.41/containers/json?all=1" in told, found
    assert "200 OK" in told
    assert "process pid 0" not in told
    assert "lives outside" in told or "neither SO_PEERCRED nor sock_diag named a process" in told
    assert found.returncode == 121
