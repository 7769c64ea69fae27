"""Which endpoint docker would use, by the rules of its CLI."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tracer.engine.endpoint import DEFAULT, addresses, find, of_program


@pytest.fixture
def config(tmp_path: Path) -> Path:
    for name, host in (("lab", "unix:///lab.sock"), ("far", "tcp://127.0.0.1:2375")):
        folder = tmp_path / "contexts" / "meta" / hashlib.sha256(name.encode()).hexdigest()
        folder.mkdir(parents=True)
        (folder / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    (tmp_path / "config.json").write_text('{"currentContext":"lab"}')
    return tmp_path


def test_without_anything_it_is_the_default(tmp_path: Path) -> None:
    assert find(["docker", "ps"], {"DOCKER_CONFIG": str(tmp_path)}).url == DEFAULT


def test_the_config_files_context_counts_least(config: Path) -> None:
    environment = {"DOCKER_CONFIG": str(config)}
    assert find(["docker", "ps"], environment).url == "unix:///lab.sock"
    environment["DOCKER_CONTEXT"] = "far"
    assert find(["docker", "ps"], environment).url == "tcp://127.0.0.1:2375"
    environment["DOCKER_HOST"] = "unix:///env.sock"
    assert find(["docker", "ps"], environment).url == "unix:///env.sock"
    assert find(["docker", "--context", "lab", "ps"], environment).url == "unix:///lab.sock"
    assert find(["docker", "-H", "unix:///flag.sock", "ps"], environment).url == "unix:///flag.sock"


@pytest.mark.parametrize(
    "argv",
    [
        ["docker", "-H", "unix:///x.sock", "ps"],
        ["docker", "-H=unix:///x.sock", "ps"],
        ["docker", "-Hunix:///x.sock", "ps"],
        ["/usr/bin/docker", "--host", "unix:///x.sock", "ps"],
        ["docker", "--log-level", "debug", "--host=unix:///x.sock", "ps"],
        ["docker", "-D", "--tls", "-H", "unix:///x.sock", "ps"],
    ],
)
def test_every_spelling_of_the_option(argv: list[str]) -> None:
    assert find(argv, {"HOME": "/nonexistent"}).url == "unix:///x.sock"


def test_options_of_the_subcommand_and_of_other_programs_do_not_count() -> None:
    assert find(["docker", "run", "-H", "unix:///x.sock"], {"HOME": "/nonexistent"}).url == DEFAULT
    assert find(["curl", "-H", "Host: x"], {"HOME": "/nonexistent"}).url == DEFAULT


def test_a_context_that_is_not_there_is_said(tmp_path: Path) -> None:
    found = find(["docker", "ps"], {"DOCKER_CONFIG": str(tmp_path), "DOCKER_CONTEXT": "gone"})
    assert (found.rule, found.name) == ("unreadable_context", "gone")


def test_addresses_as_the_kernel_sees_them(config: Path) -> None:
    far = find(["docker", "-c", "far", "ps"], {"DOCKER_CONFIG": str(config)})
    assert addresses(far) == ["127.0.0.1:2375"]
    assert list(of_program(["curl", "--unix-socket", "/a.sock", "http://x/"], {})) == ["/a.sock"]
    assert list(of_program(["ls"], {})) == []
    assert list(of_program(["docker", "-H", "unix:///b.sock", "ps"], {"HOME": "/x"})) == ["/b.sock"]
