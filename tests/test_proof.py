"""--prove: on a real daemon every claim holds; each way to spoil a proof changes exactly the claim that it should."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import need, root
from tests.runs import COMMAND, ROOT, Run, Socktrace
from tracer.capture.arch import ARCHITECTURES
from tracer.engine.place import where
from tracer.events import Elsewhere, Output, Peer

CLAIMS = ["connection", "peer", "root", "bytes", "output", "network", "complete"]


class Proven:
    """A run with --prove: its claims by their id."""

    def __init__(self, run: Run) -> None:
        self.status = run.status
        self.run = run
        last = run.stderr.strip().splitlines()[-1]
        self.claims: dict[str, dict[str, Any]] = {claim["id"]: claim for claim in json.loads(last)["proof"]}

    @property
    def failing(self) -> list[str]:
        return [name for name, claim in self.claims.items() if claim["holds"] is False]

    def text(self, claim: str) -> str:
        told = self.claims[claim]
        return "\n".join([told["statement"], *(evidence["text"] for evidence in told["evidence"])])


@pytest.fixture
def prove(socktrace: Socktrace) -> Any:
    def run(*command: str, env: dict[str, str], stdin: str | None = None) -> Proven:
        return Proven(socktrace(*command, env=env, stdin=stdin, options=("-q", "--prove", "--json")))

    return run


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> str:
    return daemon.docker("run", "-d", "--name", "proven", "--network", "none", IMAGE, "sleep", "1000")


@pytest.mark.parametrize(
    "command",
    [
        ["docker", "ps"],
        ["docker", "ps", "-a", "--no-trunc"],
        ["docker", "inspect", "proven"],
        ["docker", "run", "--rm", "--network", "none", IMAGE, "echo", "hello world"],
        ["docker", "exec", "proven", "ls", "/bin"],
        ["docker", "run", "--rm", "--network", "none", IMAGE, "true"],
    ],
    ids=lambda command: " ".join(command[1:3]),
)
def test_every_claim_holds(prove: Any, daemon: Daemon, container: str, command: list[str]) -> None:
    root()
    proven = prove(*command, env=daemon.environment)
    assert list(proven.claims) == CLAIMS
    assert (proven.status, proven.failing) == (0, []), proven.claims


def test_the_evidence_names_what_the_kernel_says(prove: Any, daemon: Daemon, container: str) -> None:
    root()
    proven = prove("docker", "ps", env=daemon.environment)
    file = os.stat(daemon.socket)
    assert f"{daemon.socket}, inode {file.st_ino}, mode {file.st_mode & 0o7777:04o}" in proven.text("connection")
    assert f"process {daemon.process.pid}, program " in proven.text("peer")
    assert "is paired with" in proven.text("peer")
    assert "it is the daemon of this very machine" in proven.text("peer")
    assert "exactly 2 exchanges" in proven.text("bytes")
    assert container[:12] in proven.text("output")
    assert proven.text("network").endswith("or connected anywhere else")
    printed = b"".join(event.payload or b"" for event in proven.run.of(Output))
    assert printed == proven.run.stdout.encode()


CONNECTS_TO = """
import socket, subprocess, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
subprocess.run(["docker", "ps"])
"""
ASKS_A_NAME_SERVER = """
import socket, subprocess
asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
asker.sendto(b"?", ("127.0.0.1", 53))
subprocess.run(["docker", "ps"])
"""
CLONE = ARCHITECTURES[os.uname().machine].numbers["clone"]
HIDES = f"""
import ctypes, os, signal, subprocess
libc = ctypes.CDLL(None)
subprocess.run(["docker", "ps"])
CLONE_UNTRACED = 0x00800000
pid = libc.syscall({CLONE}, CLONE_UNTRACED | signal.SIGCHLD, 0, 0, 0, 0)
if pid == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""


@pytest.mark.parametrize(
    ("program", "claim", "words"),
    [
        (CONNECTS_TO, "network", "to 127.0.0.1:"),
        (ASKS_A_NAME_SERVER, "network", "asked the name server 127.0.0.1:53"),
        (HIDES, "complete", "can't be traced"),
    ],
    ids=["connects elsewhere", "asks a name server", "makes an untraced process"],
)  # fmt: skip
def test_what_spoils_one_claim(
    prove: Any, daemon: Daemon, container: str, program: str, claim: str, words: str
) -> None:
    root()
    proven = prove(sys.executable, "-c", program, env=daemon.environment)
    assert (proven.failing, proven.status) == ([claim], 121), proven.claims
    assert words in proven.text(claim)


def test_a_connection_that_is_handed_to_an_untraced_helper(
    prove: Any, daemon: Daemon, container: str, tmp_path: Path
) -> None:
    """The helper asks on the client's own connection: its bytes are moved where nobody looks."""
    root()
    with Helper(tmp_path / "helper.sock"):
        program = f"""
import socket
daemon = socket.socket(socket.AF_UNIX)
daemon.connect({str(daemon.socket)!r})
daemon.sendall(b"GET /_ping HTTP/1.1\\r\\nHost: docker\\r\\n\\r\\n")
print(daemon.recv(1000).decode())
helper = socket.socket(socket.AF_UNIX)
helper.connect({str(tmp_path / "helper.sock")!r})
socket.send_fds(helper, [b"x"], [daemon.fileno()])
helper.recv(1)
"""
        proven = prove(sys.executable, "-c", program, env=daemon.environment)
    assert (proven.failing, proven.status) == (["complete"], 121), proven.claims
    assert "passed to a process that is not traced" in proven.text("complete")


class Helper:
    """A process outside of the tree that takes a connection and asks on it."""

    def __init__(self, path: Path) -> None:
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen()
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *error: object) -> None:
        self._thread.join(10)
        self._server.close()

    def _serve(self) -> None:
        connection, _ = self._server.accept()
        _, fds, _, _ = socket.recv_fds(connection, 10, 1)
        with socket.socket(fileno=fds[0]) as passed:
            passed.sendall(b"GET /info HTTP/1.1\r\nHost: docker\r\n\r\n")
            passed.recv(1000)
        connection.sendall(b"x")
        connection.close()


FAKE = """
import os, socket, sys
os.setuid(65534)
server = socket.socket(fileno=int(sys.argv[1]))
while True:
    connection, _ = server.accept()
    while data := connection.recv(4000):
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nApi-Version: 1.41\\r\\nContent-Length: 3\\r\\n\\r\\n[]\\n")
"""


@pytest.fixture
def rootless(tmp_path: Path) -> Iterator[Path]:
    root()
    path = tmp_path / "docker.sock"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        path.chmod(0o666)
        pid = os.fork()
        if pid == 0:
            os.setuid(65534)
            server.listen()  # SO_PEERCRED is fixed here
            os._exit(0)
        os.waitpid(pid, 0)
        daemon = subprocess.Popen(
            [sys.executable, "-c", FAKE, str(server.fileno())], pass_fds=[server.fileno()], stdout=subprocess.DEVNULL
        )
    yield path
    daemon.kill()
    daemon.wait()


def test_a_daemon_that_is_not_root(prove: Any, rootless: Path) -> None:
    env = {**os.environ, "DOCKER_HOST": f"unix://{rootless}"}
    proven = prove("curl", "-s", "--unix-socket", str(rootless), "http://x/containers/json", env=env)
    assert (proven.failing, proven.status) == (["root"], 121), proven.claims
    assert "not run as root but as uid 65534" in proven.text("root")


def test_a_recording_without_evidence_says_what_is_not_supported(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", env=daemon.environment)
    shown = socktrace.plain("show", "--prove", "--json", str(run.recording))
    claims = json.loads(shown.stdout.splitlines()[-1])["proof"]
    assert [claim["id"] for claim in claims if claim["holds"] is False] == ["output", "network", "complete"]
    assert "record it with --prove" in claims[4]["statement"]
    assert shown.returncode == 121


def test_the_verdict_of_a_recording_is_the_verdict_of_the_run(socktrace: Socktrace, daemon: Daemon) -> None:
    root()
    run = socktrace("docker", "images", env=daemon.environment, options=("-q", "--prove"))
    shown = socktrace.plain("show", "--prove", str(run.recording))
    assert shown.stdout.endswith(run.stderr)
    assert (run.status, shown.returncode) == (0, 0)


def test_a_command_that_fails_keeps_its_own_status(socktrace: Socktrace, daemon: Daemon) -> None:
    done = socktrace.plain("-q", "--prove", "sh", "-c", "exit 7", env=daemon.environment)
    assert done.returncode == 7
    assert "made no connection to a Docker daemon" in done.stderr


def test_without_a_connection_there_is_nothing_to_say_of_the_other_end(socktrace: Socktrace) -> None:
    done = socktrace.plain("-q", "--prove", "--json", "true")
    claims = {claim["id"]: claim["holds"] for claim in json.loads(done.stderr.splitlines()[-1])["proof"]}
    assert claims == {**dict.fromkeys(CLAIMS), "connection": False, "network": True, "complete": True}


def test_a_secret_in_the_output_is_not_recorded(socktrace: Socktrace, daemon: Daemon) -> None:
    daemon.docker("create", "--name", "secretive", "-e", "DB_PASSWORD=hunter2", "--network", "none", IMAGE, "true")
    run = socktrace("docker", "inspect", "secretive", env=daemon.environment, options=("-q", "--prove"))
    assert "hunter2" in run.stdout
    assert "hunter2" not in run.recording.read_text()
    assert "hunter2" not in run.stderr


def test_other_unix_sockets_are_told_and_spoil_nothing(
    prove: Any, daemon: Daemon, container: str, tmp_path: Path
) -> None:
    root()
    path = tmp_path / "other.sock"
    program = f"""
import socket, subprocess
server = socket.socket(socket.AF_UNIX); server.bind({str(path)!r}); server.listen()
socket.socket(socket.AF_UNIX).connect({str(path)!r})
subprocess.run(["docker", "ps"])
"""
    proven = prove(sys.executable, "-c", program, env=daemon.environment)
    assert proven.failing == []
    assert f"connected to {path}" in proven.text("network")
    assert [event.address for event in proven.run.of(Elsewhere)] == [str(path)]


@pytest.mark.parametrize(
    ("peer", "place"),
    [
        (Peer(pid=0, uid=0, same_pid_namespace=False), "outside"),
        (Peer(pid=7, same_pid_namespace=True, same_root=True), "host"),
        (Peer(pid=7, same_pid_namespace=False, same_root=False), "container"),
        (Peer(pid=7, same_pid_namespace=True, same_root=False), "container"),
        (Peer(pid=7), "unknown"),
    ],
)
def test_where_a_daemon_lives(peer: Peer, place: str) -> None:
    assert where(peer) == place


def test_a_daemon_in_namespaces_of_its_own(prove: Any, tmp_path: Path) -> None:
    """As with docker-in-docker: the daemon has its own pid and mount namespace, and we see it from outside."""
    root()
    path = tmp_path / "docker.sock"
    need(os.path.exists("/usr/bin/unshare"), "unshare is not installed")
    code = FAKE.replace("os.setuid(65534)", "").replace(
        "socket.socket(fileno=int(sys.argv[1]))",
        f"socket.socket(socket.AF_UNIX); server.bind({str(path)!r}); server.listen()",
    )
    inside = ["unshare", "--fork", "--pid", "--mount", "--kill-child", sys.executable, "-c", code]
    process = subprocess.Popen(inside)
    try:
        for _ in range(100):
            if path.exists():
                break
            threading.Event().wait(0.05)
        proven = prove("curl", "-s", "--unix-socket", str(path), "http://x/_ping", env=dict(os.environ))
        assert "docker-in-docker" in proven.text("peer")
    finally:
        process.kill()
        process.wait()


def test_a_client_inside_sees_a_daemon_outside(tmp_path: Path, daemon: Daemon) -> None:
    """As with a mounted docker.sock: the daemon's process has no id in the client's pid namespace."""
    root()
    need(os.path.exists("/usr/bin/unshare"), "unshare is not installed")
    command = [*COMMAND, "-q", "--prove", "docker", "ps", "-a"]
    done = subprocess.run(
        ["unshare", "--fork", "--pid", "--mount-proc", "--kill-child", *command],
        env={**daemon.environment, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert "no id in our pid namespace" in done.stderr
    assert done.returncode == 121
