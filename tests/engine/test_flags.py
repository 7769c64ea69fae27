"""The table of flags: each is what the real docker CLI sends, and the command line is read as the CLI reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fixtures.private_daemon import IMAGE, Daemon, clis
from tests.runs import Socktrace
from tracer.engine.flags import OPERATIONS, Flag, parse, table

CHECKED = [flag for flag in table() if flag.sent]
LEGACY = {"DOCKER_BUILDKIT": "0"}


def command_line(flag: Flag, folder: Path) -> list[str]:
    """A command with this flag; `create` stands for `run` too, which would start what can't be started here."""
    command = next(name for name in reversed(flag.commands))
    given = [flag.names[-1], *([flag.example] if flag.example else [])]
    rest = {
        "create": [IMAGE, "true"],
        "exec": ["flags", "true"],
        "build": [str(folder)],
        "ps": [],
        "logs": ["finished"],
        "pull": ["127.0.0.1:1/nothing"],
        "login": ["-p", "x", "127.0.0.1:1"],
    }[command]
    return [command, *given, *rest]


@pytest.fixture(scope="module")
def container(daemon: Daemon) -> str:
    daemon.docker("run", "--name", "finished", "--network", "none", IMAGE, "true")
    return daemon.docker("run", "-d", "--name", "flags", "--network", "none", IMAGE, "sleep", "1000")


def test_there_are_enough_flags() -> None:
    assert len(CHECKED) >= 40
    assert {flag.commands[0] for flag in table()} | {"create"} == set(OPERATIONS)


@pytest.mark.parametrize("flag", CHECKED, ids=lambda flag: f"{flag.commands[-1]} {flag.names[-1]}")
def test_a_flag_becomes_what_the_table_says(
    daemon: Daemon, container: str, socktrace: Socktrace, tmp_path: Path, flag: Flag
) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {IMAGE} AS base\n")
    docker = clis()[-1] if flag.commands == ("build",) else clis()[0]  # the old one builds without BuildKit
    arguments = command_line(flag, tmp_path)
    found = socktrace.exchanges(docker, *arguments, env={**daemon.environment, **LEGACY})
    operations = {OPERATIONS[flag.commands[-1]], "ExecStart", "ImageBuild"}
    values = [_value(flag, exchange) for exchange in found if exchange["operation"] in operations]
    assert json.loads(flag.sent) in [_subset(value, json.loads(flag.sent)) for value in values]


def _value(flag: Flag, exchange: dict[str, Any]) -> Any:
    return flag.value_in(exchange["request"]["body"]["preview"], exchange["query"])


def _subset(value: Any, wanted: Any) -> Any:
    """What was sent without the keys that the table leaves out: newer CLIs send some more."""
    if isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        return [_subset(one, two) for one, two in zip(value, wanted, strict=True)]
    if isinstance(wanted, dict) and isinstance(value, dict):
        return {key: value.get(key) for key in wanted}
    if wanted == {"name": {"web": True}}:
        return json.loads(value)
    return value


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("docker run --rm -it demo sh", ["--rm", "-i", "-t", "demo:image", "sh:command"]),
        ("docker run -e A=b --name=x demo", ["-e A=b", "--name x", "demo:image"]),
        ("docker run -p80:80 demo ls -la", ["-p 80:80", "demo:image", "ls -la:command"]),
        ("docker -H unix:///x container run demo", ["demo:image"]),
        ("docker exec -itu 0 web sh", ["-i", "-t", "-u 0", "web:container", "sh:command"]),
        ("docker ps -aq", ["-a", "-q"]),
        ("docker run --unknown demo", ["--unknown", "demo:image"]),
        ("docker version", []),
        ("docker", []),
    ],
)
def test_a_command_line_is_read_as_the_cli_reads_it(line: str, told: list[str]) -> None:
    parsed = parse(line.split())
    assert parsed is not None
    words = [f"{word.text} {word.value}" if word.value is not None else word.text for word in parsed.words]
    roles = [f":{word.role}" if word.role else "" for word in parsed.words]
    assert [word + role for word, role in zip(words, roles, strict=True)] == told


def test_other_programs_have_other_command_lines() -> None:
    assert parse(["curl", "http://x"]) is None
    assert parse([]) is None
