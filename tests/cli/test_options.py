"""The command line: what each option does, and what is said of mistakes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon, clis
from tests import needs
from tests.runs import COMMAND, ROOT, Socktrace
from tracer.cli import run
from tracer.cli.options import show_of
from tracer.pipeline.settings import Show, Trace
from tracer.recording.reader import read

FIXTURES = Path(__file__).parents[2] / "fixtures"


def test_the_timeline_of_a_recording_is_that_of_its_run(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    file = tmp_path / "run.jsonl"
    for options in ([], ["-v"], ["-vv"], ["-vvv"], ["--json"], ["--filter", "method=GET"]):
        traced = tmp_path / "traced"
        socktrace.plain(*options, "-w", str(file), "-o", str(traced), "docker", "ps", "-a", env=daemon.environment)
        shown = socktrace.plain("show", str(file), *options)
        assert shown.stdout == traced.read_text(), options
        assert shown.returncode == 0


def test_options_stop_at_the_command(socktrace: Socktrace) -> None:
    assert socktrace.plain("-q", "echo", "-v", "--json", "--", "-q").stdout == "-v --json -- -q\n"
    assert socktrace.plain("-q", "--", "echo", "--", "x").stdout == "-- x\n"
    assert socktrace.plain("--", "echo", "-n", "x").stdout == "x"


def test_a_command_without_options_gets_what_the_parser_would_give_it() -> None:
    """It is run without the parser, which takes a while."""
    options = run.parser().parse_args(["docker", "ps", "-q"])
    assert vars(show_of(options)) == vars(Show())
    given, plain = (vars(trace) for trace in (run.trace_of(options, options.command), Trace(["docker", "ps", "-q"])))
    assert {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()} == {
        key: tuple(value) if isinstance(value, list) else value for key, value in plain.items()
    }


def test_a_command_named_like_a_verb_is_reached_with_two_dashes(socktrace: Socktrace, tmp_path: Path) -> None:
    program = tmp_path / "show"
    program.write_text("#!/bin/sh\necho a program\n")
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": "/"}
    assert socktrace.plain("-q", "--", "show", env=env).stdout == "a program\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-v"],
        ["--nonsense", "ls"],
        ["--color", "pink", "ls"],
        ["--filter", "x=", "ls"],
        ["demo", "nonsense"],
        ["show"],
    ],
)
def test_wrong_options_end_with_2_and_no_traceback(arguments: list[str], socktrace: Socktrace) -> None:
    done = socktrace.plain(*arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr


def test_json_follows_its_schema(socktrace: Socktrace, daemon: Daemon) -> None:
    ping, listing = socktrace.exchanges("docker", "ps", env=daemon.environment)
    assert list(listing) == [
        "v", "n", "conn", "pid", "comm", "endpoint", "method", "target", "path", "query", "api_version", "operation",
        "tag", "summary", "request", "response", "timing", "upgrade", "stream", "failure",
        "story", "negotiation", "credentials", "tls",
    ]  # fmt: skip
    assert (ping["operation"], listing["operation"]) == ("SystemPingHead", "ContainerList")
    assert listing["endpoint"] == daemon.environment["DOCKER_HOST"]
    assert (listing["v"], listing["n"], listing["conn"], listing["comm"]) == (1, 2, 1, "docker")
    assert (listing["path"], listing["api_version"], listing["tag"]) == ("/containers/json", "1.41", "Container")
    assert listing["request"]["body"] == {"size": 0, "sha256": None, "kind": "none", "preview": None}
    assert listing["response"]["status"] == 200
    assert listing["response"]["body"]["kind"] == "json"
    assert len(listing["response"]["body"]["sha256"]) == 64
    assert listing["timing"]["sent"] <= listing["timing"]["first_byte"] <= listing["timing"]["done"]
    assert (listing["upgrade"], listing["failure"]) == (None, None)


def test_a_missing_socket_is_a_failure_with_advice(socktrace: Socktrace, tmp_path: Path) -> None:
    missing = tmp_path / "nothing" / "docker.sock"
    code = f"import socket; socket.socket(socket.AF_UNIX).connect({str(missing)!r})"
    (failed,) = socktrace.exchanges(sys.executable, "-c", code)
    assert failed["failure"] == f"could not connect to {missing}: ENOENT"
    assert failed["request"] is None
    told = socktrace.plain(sys.executable, "-c", code).stderr
    assert "No such file or directory (ENOENT)" in told
    assert "systemctl start docker" in told


@pytest.mark.parametrize("level", ["", "-v", "-vv", "-vvv"])
def test_each_level_of_detail_shows_more(level: str, socktrace: Socktrace) -> None:
    arguments = [level] if level else []
    shown = socktrace.plain("show", str(FIXTURES / "ps.jsonl"), *arguments).stdout
    assert ("Api-Version: 1.41" in shown) == (level != "")
    assert ('"Names": [' in shown) == (level in ("-vv", "-vvv"))
    assert ('write(3, "HEAD /_ping HTTP/1.1' in shown) == (level == "-vvv")


def test_secrets_are_neither_shown_nor_written(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    body = '{"Image":"demo","Env":["DB_PASSWORD=hunter2"]}'
    socket = str(daemon.socket)
    command = [
        "curl",
        "-s",
        "--unix-socket",
        socket,
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
        "http://x/containers/create",
    ]
    run = socktrace(*command, options=("-vvv",), env=daemon.environment)
    assert "hunter2" not in run.stderr
    assert "hunter2" not in run.recording.read_text()
    assert run.header.redacted
    plain = socktrace(*command, options=("-vvv", "--no-redact"), env=daemon.environment)
    assert "hunter2" in plain.stderr
    assert not plain.header.redacted


def test_color_is_for_terminals_or_on_demand(socktrace: Socktrace) -> None:
    file = str(FIXTURES / "ps.jsonl")
    base = {"PATH": "/usr/bin:/bin"}
    assert "\x1b[" not in socktrace.plain("show", file, env=base).stdout
    assert "\x1b[" in socktrace.plain("show", file, "--color", "always", env=base).stdout
    assert "\x1b[" in socktrace.plain("show", file, env={**base, "FORCE_COLOR": "1"}).stdout
    assert "\x1b[" not in socktrace.plain("show", file, env={**base, "FORCE_COLOR": "1", "NO_COLOR": "1"}).stdout


def test_a_recording_can_go_to_stdout(socktrace: Socktrace) -> None:
    done = socktrace.plain("-q", "-w", "-", "true")
    assert json.loads(done.stdout.splitlines()[0])["type"] == "header"


def test_live_prints_while_the_command_runs(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("sh", "-c", "docker ps -q; sleep 1; echo after >&2", options=("--live",), env=daemon.environment)
    assert run.stderr.index("containers/json") < run.stderr.index("after\n")


@pytest.mark.parametrize(
    ("option", "words"),
    [("-w", "can't write /no/such/folder/x"), ("-o", "can't be written to /no/such/folder/x")],
)
def test_a_file_that_can_not_be_made_is_said_before_the_command_runs(
    option: str, words: str, socktrace: Socktrace, tmp_path: Path
) -> None:
    done = socktrace.plain(option, "/no/such/folder/x", "touch", str(tmp_path / "ran"))
    assert done.returncode == 120
    assert words in done.stderr
    assert not (tmp_path / "ran").exists()


def test_a_full_disk_is_said_and_the_command_is_not_harmed(socktrace: Socktrace) -> None:
    done = socktrace.plain("-q", "-w", "/dev/full", "echo", "done")
    assert done.stdout == "done\n"
    assert "No space left on device" in done.stderr
    assert done.returncode == 120


@pytest.mark.parametrize("name", ["missing.jsonl", "empty.jsonl", "other.jsonl"])
def test_show_says_what_is_wrong_with_a_file(name: str, socktrace: Socktrace, tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "other.jsonl").write_text("hello\n")
    done = socktrace.plain("show", str(tmp_path / name))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert name in done.stderr


def test_a_recording_keeps_the_order_of_the_run(socktrace: Socktrace, daemon: Daemon) -> None:
    run = socktrace("docker", "ps", env=daemon.environment)
    times = [event.t for event in read(str(run.recording)) if hasattr(event, "t")]
    assert times == sorted(times)


def test_control_characters_of_a_recording_can_not_drive_the_terminal(socktrace: Socktrace, tmp_path: Path) -> None:
    text = (FIXTURES / "ps.jsonl").read_text().replace("HEAD /_ping ", "HEAD /_\\u001b[2J ")
    (tmp_path / "evil.jsonl").write_text(text)
    shown = socktrace.plain("show", str(tmp_path / "evil.jsonl")).stdout
    assert "\x1b" not in shown


def test_show_begins_to_print_before_it_has_read_everything(tmp_path: Path) -> None:
    argv = [*COMMAND, "show", "-"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    lines = (FIXTURES / "life.jsonl").read_bytes().splitlines(keepends=True)
    process = subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b"".join(lines[:-20]))
    process.stdin.flush()
    assert b"socktrace" in b"".join(process.stdout.readline() for _ in range(2))
    process.stdin.close()
    process.stdout.close()
    process.wait(20)


def test_a_reader_that_goes_away_is_no_failure() -> None:
    argv = [*COMMAND, "show", str(FIXTURES / "life.jsonl"), "-vvv"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(argv, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(1)
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) in (0, -13)


OPERATIONS = {
    "ps": ["SystemPingHead", "ContainerList"],
    "version": ["SystemPingHead", "SystemVersion"],
    "info": ["SystemPingHead", "SystemInfo"],
    "images": ["SystemPingHead", "ImageList"],
    "run --rm --network none demo echo hi": [
        "SystemPingHead",
        "ContainerCreate",
        "ContainerAttach",
        "ContainerWait",
        "ContainerStart",
    ],
    "create --name op --network none demo echo hi": ["SystemPingHead", "ContainerCreate"],
    "start op": ["SystemPingHead", "ContainerStart"],
    "wait op": ["SystemPingHead", "ContainerWait"],
    "inspect op": ["SystemPingHead", "ContainerInspect"],
    "logs op": ["SystemPingHead", "ContainerInspect", "ContainerLogs"],
    "rm op": ["SystemPingHead", "ContainerDelete"],
}


def test_each_docker_command_is_its_calls(socktrace: Socktrace, daemon: Daemon) -> None:
    for command, operations in OPERATIONS.items():
        found = socktrace.exchanges("docker", *command.split(), env=daemon.environment)
        assert [item["operation"] for item in found] == operations, command
        assert [item["failure"] for item in found] == [None] * len(found)
        assert all(item["response"]["status"] < 400 for item in found)


def test_the_output_of_a_container_is_told_from_its_errors(socktrace: Socktrace, daemon: Daemon) -> None:
    command = ["docker", "run", "--rm", "--network", "none", "demo", "sh", "-c", "echo out; echo error >&2"]
    found = socktrace.exchanges(*command, env=daemon.environment)
    (attach,) = [item for item in found if item["operation"] == "ContainerAttach"]
    assert attach["upgrade"] == "tcp"
    assert attach["stream"]["kind"] == "multiplexed"
    assert (attach["stream"]["stdin"], attach["stream"]["stdout"], attach["stream"]["stderr"]) == (0, 4, 6)


def test_the_header_keeps_no_credentials_of_the_environment(socktrace: Socktrace) -> None:
    environment = {**os.environ, "DOCKER_AUTH_CONFIG": '{"auths":{}}', "DOCKER_HOST": "unix:///nonexistent/docker.sock"}
    assert socktrace("true", env=environment).header.env == {"DOCKER_HOST": "unix:///nonexistent/docker.sock"}


def test_buildkit_calls_are_named(socktrace: Socktrace, daemon: Daemon, tmp_path: Path) -> None:
    """The daemon calls the client, over HTTP/2 on the session. The CLI of docker.io 20.10 has BuildKit built in."""
    cli = next((path for path in clis() if path.startswith("/usr/bin/")), None)
    needs.need(cli, "needs the CLI of Debian's docker.io")
    assert cli is not None
    (tmp_path / "Dockerfile").write_text("FROM demo\nCOPY Dockerfile /\n")
    environment = {**daemon.environment, "DOCKER_BUILDKIT": "1"}
    found = socktrace.exchanges(cli, "build", "-q", "--network", "none", str(tmp_path), env=environment)
    (session,) = [item for item in found if item["upgrade"] == "h2c"]
    assert session["operation"] == "Session"
    assert session["stream"]["kind"] == "grpc"
    assert ("moby.filesync.v1.FileSync", "DiffCopy") in [
        (c["service"], c["method"]) for c in session["stream"]["calls"]
    ]


def test_containerd_is_spoken_to_in_grpc(socktrace: Socktrace, daemon: Daemon) -> None:
    ctr = needs.program("ctr")
    path = str(daemon.folder / "exec" / "containerd" / "containerd.sock")
    (found,) = socktrace.exchanges("--socket", path, ctr, "-a", path, "-n", "moby", "images", "ls")
    assert found["upgrade"] == "h2"
    assert found["stream"]["calls"][0]["service"] == "containerd.services.images.v1.Images"
    assert found["failure"] is None
