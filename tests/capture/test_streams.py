"""Everything that Docker says beyond plain requests, from commands run now: each of these once went by as bytes."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures import newer_debian, registry
from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import need, program
from tests.runs import COMMAND, ROOT, Socktrace

OLD = "/usr/bin/docker"
"""Debian's CLI, which has BuildKit built in."""


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    why = registry.missing()
    need(why is None, why or "")
    with registry.registry() as address:
        yield address


@pytest.fixture
def context(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nCOPY greeting /\nRUN cat /greeting\n")
    (folder / "greeting").write_text("hello\n")
    return folder


def one(exchanges: list[dict[str, Any]], part: str) -> dict[str, Any]:
    found = [exchange for exchange in exchanges if part in (exchange["target"] or "")]
    assert found, [exchange["target"] for exchange in exchanges]
    return found[-1]


def calls(exchange: dict[str, Any]) -> set[tuple[str, str, str]]:
    assert exchange["stream"]["kind"] == "grpc"
    assert exchange["stream"]["problem"] is None
    return {(call["caller"], call["service"], call["method"]) for call in exchange["stream"]["calls"]}


def test_buildkit_calls_the_client_for_its_files(daemon: Daemon, socktrace: Socktrace, context: Path) -> None:
    need(os.path.exists(OLD), f"{OLD} is not there")
    environment = {**daemon.environment, "DOCKER_BUILDKIT": "1"}
    found = socktrace.exchanges(OLD, "build", "--network", "none", str(context), env=environment)
    session = one(found, "/session")
    assert calls(session) == {("daemon", "moby.filesync.v1.FileSync", "DiffCopy")}
    for call in session["stream"]["calls"]:
        assert (call["status"], call["duration"] > 0, call["sent"] > 0, call["received"] > 0) == (0, True, True, True)
    names = [message["fields"]["2"]["1"] for call in session["stream"]["calls"] for message in call["messages"]
             if message["by"] == "client" and message["fields"] and "2" in message["fields"]]  # fmt: skip
    assert {"Dockerfile", "greeting"} <= set(names)
    screen = socktrace.plain(OLD, "build", "--network", "none", str(context), env=environment).stderr
    assert "daemon calls moby.filesync.v1.FileSync/DiffCopy" in screen


def test_buildx_drives_buildkit_over_grpc(daemon: Daemon, socktrace: Socktrace, context: Path) -> None:
    try:
        plugin = newer_debian.buildx()
    except RuntimeError as error:
        need(False, f"no buildx: {error}")
    plugins = Path(daemon.environment["DOCKER_CONFIG"]) / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    (plugins / "docker-buildx").unlink(missing_ok=True)
    (plugins / "docker-buildx").symlink_to(plugin)
    build = ("docker", "buildx", "build", "--network", "none", "--build-arg", "NPM_TOKEN=hunter2", str(context))
    found = socktrace.exchanges(*build, env=daemon.environment)
    driven = [exchange for exchange in found if exchange["target"] == "/grpc" and exchange["stream"]["calls"]]
    said = set().union(*(calls(exchange) for exchange in driven))
    assert {("client", "moby.buildkit.v1.Control", "Solve"), ("client", "moby.buildkit.v1.Control", "Status")} <= said
    assert ("daemon", "moby.filesync.v1.FileSync", "DiffCopy") in calls(one(found, "/session"))
    assert "hunter2" not in str(found)
    assert "build-arg:NPM_TOKEN" in str(found)


def test_containerds_socket_is_read_by_its_preface(daemon: Daemon, socktrace: Socktrace) -> None:
    ctr = program("ctr")
    address = str(daemon.folder / "exec" / "containerd" / "containerd.sock")
    found = socktrace.exchanges("--socket", address, ctr, "--address", address, "-n", "moby", "images", "ls")
    assert ("client", "containerd.services.images.v1.Images", "List") in calls(found[-1])


def test_credentials_are_told_without_the_password(daemon: Daemon, socktrace: Socktrace, served: str) -> None:
    login = socktrace(
        "docker", "login", "-u", registry.USER, "--password-stdin", served,
        env=daemon.environment, stdin=registry.PASSWORD, options=("-v",),
    )  # fmt: skip
    assert f"serveraddress {served}" in login.stderr
    assert registry.PASSWORD not in login.stderr + login.recording.read_text()
    daemon.docker("tag", IMAGE, f"{served}/{IMAGE}")
    pushed = socktrace("docker", "push", f"{served}/{IMAGE}", env=daemon.environment, options=())
    assert f"credentials for {served}, user {registry.USER}" in pushed.stderr
    assert "1 layer pushed (" in pushed.stderr
    daemon.docker("rmi", f"{served}/{IMAGE}")
    missing = socktrace("docker", "pull", f"{served}/nothing:here", env=daemon.environment, options=())
    assert "manifest unknown" in missing.stderr
    again = socktrace.exchanges("docker", "pull", f"{served}/{IMAGE}", env=daemon.environment)
    pull = one(again, "/images/create")
    assert pull["credentials"] == [{"registry": served, "user": registry.USER, "kind": "password"}]
    assert set(dict(pull["request"]["headers"])["X-Registry-Auth"]) == {"*"}


@pytest.mark.parametrize("compression", ["gzip", "bzip2", "xz", "zstd"])
def test_compressed_archives_are_listed(daemon: Daemon, socktrace: Socktrace, tmp_path: Path, compression: str) -> None:
    packer = program(compression)
    (tmp_path / "hello.txt").write_text("hello\n")
    subprocess.run(["tar", "-cf", "root.tar", "hello.txt"], cwd=tmp_path, check=True)
    packed = subprocess.run([packer, "-c", "root.tar"], cwd=tmp_path, check=True, capture_output=True).stdout
    (tmp_path / "packed").write_bytes(packed)
    found = socktrace.exchanges("docker", "import", str(tmp_path / "packed"), "packed", env=daemon.environment)
    body = one(found, "/images/create")["request"]["body"]
    assert (body["kind"], body["compression"], body["size"]) == ("tar", compression, len(packed))
    assert [member["name"] for member in body["preview"]] == ["hello.txt"]


def test_a_resize_is_told_with_the_stream_that_it_is_for(daemon: Daemon, socktrace: Socktrace, tmp_path: Path) -> None:
    output = tmp_path / "exchanges"
    run = ["docker", "run", "--rm", "-it", "--network", "none", IMAGE, "sh", "-c", "sleep 0.5; stty size"]
    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, (30, 90))
        environment = {**daemon.environment, "PYTHONPATH": str(ROOT)}
        os.execvpe(sys.executable, [*COMMAND, "--json", "-o", str(output), *run], environment)
    shown = b""
    try:
        while piece := os.read(terminal, 1 << 16):
            shown += piece
    except OSError:
        pass  # the other side is gone
    os.waitpid(pid, 0)
    os.close(terminal)
    found = [json.loads(line) for line in output.read_text().splitlines()]
    attach, resize = one(found, "/attach"), one(found, "/resize")
    assert resize["story"]["stream_of"] == attach["n"]
    assert [(size["w"], size["h"]) for size in attach["stream"]["resizes"]] == [(90, 30)]
    assert attach["stream"]["kind"] == "raw"
    assert "30 90" in "".join(piece["text"] for piece in attach["stream"]["preview"])
    assert b"30 90" in shown


def test_a_stream_is_shown_while_it_grows(daemon: Daemon, socktrace: Socktrace) -> None:
    loop = "for i in 1 2; do echo line $i; sleep 0.3; done"
    command = ("docker", "run", "--rm", "--network", "none", IMAGE, "sh", "-c", loop)
    run = socktrace(*command, env=daemon.environment, options=("--live",))
    lines = [line.strip() for line in run.stderr.splitlines()]
    first = lines.index("3  ◀ stdout: line 1")
    assert first < lines.index("3  ◀ stdout: line 2")
    assert any("101 UPGRADED" in line for line in lines[first:]), "the exchange itself comes at its end"
