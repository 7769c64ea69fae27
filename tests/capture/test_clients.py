"""Other clients and other daemons: compose of both generations, podman on both sides, containerd's ctr."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fixtures import podman_service
from fixtures.newer_debian import compose
from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import need, program
from tests.runs import Socktrace

COMPOSE = f"""
services:
  one:
    image: {IMAGE}
    network_mode: none
    command: ["echo", "hello"]
    environment:
      API_TOKEN: hunter2
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "docker-compose.yml").write_text("version: '3'\n" + COMPOSE)
    return folder


@pytest.fixture
def compose_2(daemon: Daemon) -> list[str]:
    """`docker compose`, with the plugin of the next Debian release."""
    try:
        plugin = compose()
    except (RuntimeError, OSError, subprocess.SubprocessError) as error:
        need(False, f"docker compose can't be had: {error}")
        raise
    plugins = Path(daemon.environment["DOCKER_CONFIG"]) / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    if not (plugins / "docker-compose").exists():
        (plugins / "docker-compose").symlink_to(plugin)
    return ["docker", "compose"]


@pytest.fixture
def compose_1() -> list[str]:
    return [program("docker-compose")]


@pytest.mark.parametrize("generation", ["compose_1", "compose_2"])
def test_compose(
    generation: str, request: pytest.FixtureRequest, daemon: Daemon, socktrace: Socktrace, project: Path
) -> None:
    argv: list[str] = request.getfixturevalue(generation)
    up = socktrace(*argv, "up", "--no-color", env=daemon.environment, cwd=project, options=("-q",))
    assert "hello" in up.stdout
    told = operations(socktrace, up.recording)
    assert {"ContainerList", "ContainerCreate", "ContainerStart"} <= set(told)
    assert b"hunter2" not in up.recording.read_bytes()
    down = socktrace(*argv, "down", env=daemon.environment, cwd=project, options=("-q",))
    assert "ContainerDelete" in operations(socktrace, down.recording)


def operations(socktrace: Socktrace, recording: Path) -> list[str]:
    """Of the exchanges of a recording."""
    found = [json.loads(line) for line in socktrace.plain("show", "--json", str(recording)).stdout.splitlines()]
    return [one["operation"] for one in found]


@pytest.fixture(scope="module")
def podman() -> Iterator[Path]:
    why = podman_service.missing()
    need(why is None, why or "")
    with podman_service.podman_service() as socket:
        yield socket


def shown(found: list[dict[str, Any]]) -> list[tuple[str, str | None, int]]:
    return [(one["path"], one["operation"], one["response"]["status"]) for one in found]


def test_docker_against_podman(podman: Path, socktrace: Socktrace) -> None:
    program("docker")
    environment = {**os.environ, "DOCKER_HOST": f"unix://{podman}"}
    found = socktrace.exchanges("docker", "ps", "-a", env=environment)
    assert shown(found) == [("/_ping", "SystemPingHead", 200), ("/containers/json", "ContainerList", 200)]
    timeline = socktrace.plain("docker", "images", env=environment).stderr
    assert "podman pid" in timeline
    assert "Gives the images" in timeline or "Gives one summary an image" in timeline


def test_podmans_own_api(podman: Path, socktrace: Socktrace) -> None:
    found = socktrace.exchanges("podman", "--remote", "--url", f"unix://{podman}", "ps", "-a")
    assert {(one["path"], one["tag"]) for one in found} == {("/_ping", "libpod"), ("/containers/json", "libpod")}
    run = socktrace("podman", "--remote", "images", env={**os.environ, "CONTAINER_HOST": f"unix://{podman}"},
                    options=("--prove",))  # fmt: skip
    told = " ".join(run.stderr.split())
    assert "podman's own form of Docker's ImageList." in told
    assert "At the other end is podman" in told


def test_podman_explained(podman: Path, socktrace: Socktrace) -> None:
    command = ["podman", "--remote", "--url", f"unix://{podman}", "ps", "-a"]
    told = " ".join(socktrace.plain("--explain", *command).stderr.split())
    assert "podman ps lists containers" in told
    assert "-a → all" in told


@pytest.mark.parametrize(
    ("words", "method"), [("images ls", "List"), ("containers ls", "ListStream"), ("version", "Version")]
)
def test_containerd(words: str, method: str, daemon: Daemon, socktrace: Socktrace) -> None:
    program("ctr")
    socket = daemon.folder / "exec" / "containerd" / "containerd.sock"
    (found,) = socktrace.exchanges("ctr", "--address", str(socket), "-n", "moby", *words.split())
    assert found["stream"]["kind"] == "grpc"
    calls = [(call["method"], call["status"]) for call in found["stream"]["calls"]]
    assert calls[0] == (method, 0)
    assert {status for _, status in calls} == {0}
    assert found["stream"]["calls"][0]["service"].startswith("containerd.services.")


def test_every_client_is_there_in_ci() -> None:
    for name in ("docker", "docker-compose", "podman", "ctr", "curl"):
        need(shutil.which(name) is not None, f"{name} is not installed")
