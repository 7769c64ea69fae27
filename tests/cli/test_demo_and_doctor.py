"""`socktrace demo`, `socktrace doctor`, --explain, --step and --pace, as users run them."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import root
from tests.runs import COMMAND, ROOT, Socktrace
from tracer.pipeline.lessons import lessons

LESSONS = ["build", "curl", "dind", "exec", "ps", "pull", "refused", "run", "run-it"]


def test_demo_lists_the_lessons(socktrace: Socktrace) -> None:
    assert lessons() == LESSONS
    done = socktrace.plain("demo")
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()[2:]] == LESSONS
    assert "không cần Docker" in socktrace.plain("demo", "--lang", "vi").stdout


def test_demo_ps_needs_no_docker(socktrace: Socktrace, tmp_path: Path) -> None:
    """The SDK is run where there is no docker CLI: PATH is empty here."""
    empty = str(tmp_path)
    done = socktrace.plain("demo", "ps", env={"PATH": empty, "HOME": empty, "TMPDIR": empty})
    assert done.returncode == 0, done.stderr
    assert "hello" in done.stdout
    assert "/containers/json" in done.stderr
    assert not list(tmp_path.glob("socktrace-*")), "the stand-in daemon left its socket behind"


def test_demo_ps_with_the_docker_cli(socktrace: Socktrace, daemon: Daemon) -> None:
    done = socktrace.plain("demo", "ps")
    assert done.returncode == 0
    assert "CONTAINER ID" in done.stdout
    assert "HEAD /_ping" in done.stderr
    timeline = socktrace.plain("demo", "ps", "-v")
    assert "> HEAD /_ping HTTP/1.1" in timeline.stderr


@pytest.mark.parametrize("name", [name for name in LESSONS if name != "ps"])
def test_the_other_lessons_are_recordings_explained(socktrace: Socktrace, tmp_path: Path, name: str) -> None:
    done = socktrace.plain("demo", name, "--prove", env={"PATH": str(tmp_path)})
    assert done.returncode == (121 if name in ("refused", "dind") else 0), done.stdout
    assert "The proof" in done.stdout
    assert "What happened on the wire" in done.stdout or name == "refused"


def test_explain_in_the_language_of_the_locale(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", "-a", env={**daemon.environment, "LC_ALL": "vi_VN.UTF-8"}, options=("--explain",))
    assert '-a → all = "1" (yêu cầu 2)  Cả những container đã kết thúc.' in run.stderr
    assert run.stdout.startswith("CONTAINER ID")


def test_explain_finds_the_docker_command_for_curl(socktrace: Socktrace, daemon: Daemon) -> None:
    host = {"AutoRemove": True, "NanoCpus": 500000000, "NetworkMode": "none"}
    body: dict[str, Any] = {
        "Image": IMAGE,
        "Cmd": ["echo", "a b"],
        "Env": ["A=b"],
        "Tty": True,
        "HostConfig": host,
    }
    call = ["curl", "-s", "--unix-socket", str(daemon.socket), "-H", "Content-Type: application/json"]
    run = socktrace(
        *call, "-d", json.dumps(body), "http://x/containers/create?name=curled",
        env=daemon.environment, options=("--explain",),
    )  # fmt: skip
    command = f"docker create --rm -t -e A=b --name curled --network none --cpus 0.5 {IMAGE} echo 'a b'"
    assert command in run.stderr
    daemon.docker("rm", "curled")
    made = socktrace("sh", "-c", command, env=daemon.environment, options=("--json",))
    again = next(json.loads(line) for line in made.stderr.splitlines() if "ContainerCreate" in line)
    sent = again["request"]["body"]["preview"]
    assert {key: sent[key] for key in body if key != "HostConfig"} == {
        key: body[key] for key in body if key != "HostConfig"
    }
    assert body["HostConfig"].items() <= sent["HostConfig"].items()
    daemon.docker("rm", "curled")


@pytest.mark.parametrize(
    ("method", "target", "command"),
    [
        ("GET", "/containers/json?all=1&filters=%7B%22name%22%3A%7B%22web%22%3Atrue%7D%7D", "docker ps -a -f name=web"),
        ("GET", "/v1.41/containers/json", "docker ps"),
        ("POST", "/containers/web/start", "docker start web"),
        ("GET", "/containers/web/logs?stdout=1&follow=1&tail=5", "docker logs -f -n 5 web"),
        ("POST", "/containers/web/rename?name=new", "docker rename web new"),
        ("GET", "/images/json", "docker images"),
        ("POST", "/images/create?fromImage=alpine&tag=3", "docker pull alpine:3"),
        ("DELETE", "/images/a/b:c", "docker rmi a/b:c"),
        ("POST", "/images/x/tag?repo=y&tag=z", "docker tag x y:z"),
        ("GET", "/version", "docker version"),
        ("GET", "/networks/n", "docker network inspect n"),
    ],
)
def test_the_docker_command_of_a_request(method: str, target: str, command: str) -> None:
    from tracer.engine.equivalent import command_for
    from tracer.events import Connect, Data
    from tracer.exchanges import Exchange, assemble

    raw = f"{method} {target} HTTP/1.1\r\n\r\n".encode()
    connect = Connect(t=0, conn=1, pid=1, tid=1, fd=3, family="unix", address="/x")
    data = Data(t=0, conn=1, pid=1, tid=1, fd=3, syscall="write", dir="out", size=len(raw), payload=raw)
    (exchange,) = [item for item in assemble([connect, data]) if isinstance(item, Exchange)]
    assert command_for(exchange) == command


def test_doctor_on_a_machine_where_all_is_well(socktrace: Socktrace, daemon: Daemon) -> None:
    root()
    done = socktrace.plain("doctor", "--json", env=daemon.environment)
    told = json.loads(done.stdout)
    assert (done.returncode, told["well"]) == (0, True), told
    texts = {check["id"]: check["text"] for check in told["checks"]}
    assert f"process {daemon.process.pid}, uid 0" in texts["listener"]
    assert "chosen by the variable DOCKER_HOST" in texts["endpoint"]
    assert "API 1.41" in texts["daemon"]
    assert "will speak API 1.41" in texts["agree"]
    screen = socktrace.plain("doctor", "--lang", "vi", env=daemon.environment)
    assert "Mọi thứ đều ổn." in screen.stdout


@pytest.mark.parametrize(
    ("endpoint", "sentence"),
    [
        ("unix:///nonexistent/docker.sock", "There is no socket at /nonexistent/docker.sock"),
        ("tcp://127.0.0.1:1", "Nobody listens on 127.0.0.1:1"),
        ("tcp://no-such-host.invalid:2375", "it could not be looked up"),
    ],
)
def test_doctor_says_what_stands_in_the_way(socktrace: Socktrace, endpoint: str, sentence: str) -> None:
    done = socktrace.plain("doctor", env={**os.environ, "DOCKER_HOST": endpoint})
    assert done.returncode == 1
    assert sentence in " ".join(done.stdout.split())
    assert "1 thing stands in the way" in done.stdout


def test_doctor_meets_something_that_is_no_daemon(socktrace: Socktrace, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "x.sock"))
        server.listen()
        server.settimeout(0.1)
        done = socktrace.plain("doctor", env={**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/x.sock"})
    assert done.returncode == 1
    assert "does not answer GET /version" in done.stdout


def test_doctor_leaves_no_process_behind(socktrace: Socktrace, tmp_path: Path) -> None:
    mark = f"unix://{tmp_path}/nonexistent"
    socktrace.plain("doctor", env={**os.environ, "DOCKER_HOST": mark})
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if mark.encode() in Path(f"/proc/{pid}/environ").read_bytes():
                left.append(pid)
    assert not left


def test_pace_shows_a_recording_at_its_speed(socktrace: Socktrace) -> None:
    recording = str(ROOT / "fixtures" / "logs-follow.jsonl")
    quick = socktrace.plain("show", "--pace", "1000", recording)
    assert "stdout: 1" in quick.stdout
    assert quick.returncode == 0
    began = time.monotonic()
    socktrace.plain("show", "--pace", "1", recording)
    assert time.monotonic() - began > 0.4, "the run took half a second"


def test_a_wrong_pace_is_said(socktrace: Socktrace) -> None:
    done = socktrace.plain("show", "--pace", "fast", str(ROOT / "fixtures" / "ps.jsonl"))
    assert done.returncode == 2
    assert "'fast' is not a speed" in done.stderr


def test_step_waits_for_keys(tmp_path: Path) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
        arguments = ["show", "--step", "--color", "never", str(ROOT / "fixtures" / "run.jsonl")]
        os.execvpe(sys.executable, [*COMMAND, *arguments], environment)
    shown = b""

    def read_until(mark: bytes) -> None:
        nonlocal shown
        while mark not in shown:
            shown += os.read(terminal, 4096)

    read_until(b"socktrace docker run")
    for mark in (b"HEAD /_ping", b"containers/create"):
        while mark not in shown:
            os.write(terminal, b" ")
            shown += os.read(terminal, 4096)
        assert b"/start" not in shown
    os.write(terminal, b"q")
    with contextlib.suppress(OSError):  # the other side is gone
        while os.read(terminal, 4096):
            continue
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(terminal)
