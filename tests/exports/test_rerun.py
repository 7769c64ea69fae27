"""The scripts make the same requests again, against a real daemon."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon
from tests.exports.exported import NAMES, asked, export, fixture
from tests.needs import program
from tests.runs import Socktrace

TAKES = ("curl", "python")


@pytest.mark.parametrize("name", NAMES)
def test_the_scripts_are_correct(name: str, tmp_path: Path) -> None:
    script = tmp_path / "again.sh"
    script.write_bytes(export(fixture(name), "curl"))
    subprocess.run([program("bash"), "-n", str(script)], check=True)
    subprocess.run(["sh", "-n", str(script)], check=True)
    compile(export(fixture(name), "python"), name, "exec")


def rerun(form: str, recording: Path, daemon: Daemon, folder: Path) -> list[str]:
    """The command that makes the requests of a recording again."""
    script = folder / f"again.{form}"
    script.write_bytes(export(recording, form))
    return ["sh" if form == "curl" else sys.executable, str(script)]


def again(form: str, recording: Path, daemon: Daemon, socktrace: Socktrace) -> Path:
    """Run it under socktrace: what it said is a recording, too."""
    command = rerun(form, recording, daemon, socktrace.folder)
    run = socktrace(*command, env={**daemon.environment, "DOCKER_SOCKET": str(daemon.socket)})
    assert run.status == 0, run.stderr
    return run.recording


def without_ids(requests: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Paths with their version and ids left out, and pings, of which a library makes its own."""
    found = []
    for method, target in requests:
        path = re.sub(r"^/v[0-9.]+", "", target.partition("?")[0])
        if path not in ("/_ping", "/version") and "/attach" not in path:
            found.append((method, re.sub(r"[0-9a-f]{64}", "ID", path)))
    return found


@pytest.mark.parametrize("form", TAKES)
def test_a_container_runs_again(form: str, daemon: Daemon, socktrace: Socktrace) -> None:
    name = f"again-{form}"
    first = socktrace(
        "docker", "run", "--rm", "--network", "none", "--name", name, "demo", "true", env=daemon.environment
    )
    second = again(form, first.recording, daemon, socktrace)
    assert without_ids(asked(second)) == without_ids(asked(first.recording))
    assert name not in daemon.docker("ps", "-a", "--format", "{{.Names}}").split()


@pytest.mark.parametrize("form", TAKES)
def test_listing_and_copying_happen_again(form: str, daemon: Daemon, socktrace: Socktrace, tmp_path: Path) -> None:
    name = f"copied-{form}"
    daemon.docker("create", "--name", name, "--network", "none", "demo", "true")
    (tmp_path / "file").write_bytes(bytes(range(256)))
    script = f"docker ps -a; docker cp {tmp_path}/file {name}:/file; docker inspect {name}"
    first = socktrace("sh", "-c", script, env=daemon.environment)
    daemon.docker("rm", name)
    daemon.docker("create", "--name", name, "--network", "none", "demo", "true")
    second = again(form, first.recording, daemon, socktrace)
    assert without_ids(asked(second)) == without_ids(asked(first.recording))
    daemon.docker("cp", f"{name}:/file", str(tmp_path / "back"))
    assert (tmp_path / "back").read_bytes() == bytes(range(256))
