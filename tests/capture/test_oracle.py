"""Real clients against a real daemon: what was captured equals, byte for byte, what a proxy between them passed on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon, clis
from tests.oracle import Proxy
from tests.runs import Run, Socktrace

HELLO = "hello-oracle"

COMMANDS = {
    "ps": ["ps", "-a"],
    "version": ["version"],
    "info": ["info"],
    "images": ["images"],
    "run": ["run", "--rm", "--network", "none", "demo", "echo", "hi"],
    "run with stdin": ["run", "--rm", "-i", "--network", "none", "demo", "cat"],
    "run stderr": ["run", "--rm", "--network", "none", "demo", "sh", "-c", "echo out; echo err >&2; exit 7"],
    "create": ["create", "--network", "none", "demo", "echo", "hi"],
    "start": ["start", "-a", HELLO],
    "inspect": ["inspect", HELLO],
    "inspect image": ["image", "inspect", "demo"],
    "logs": ["logs", HELLO],
    "history": ["history", "demo"],
    "diff": ["diff", HELLO],
    "cp out": ["cp", f"{HELLO}:/bin/busybox", "OUT"],
    "export": ["export", "-o", "OUT", HELLO],
    "save": ["save", "-o", "OUT", "demo"],
    "tag": ["tag", "demo", "demo:again"],
    "rmi": ["rmi", "demo:again"],
    "missing image": ["image", "inspect", "no-such-image"],
    "volumes": ["volume", "ls"],
    "volume create": ["volume", "create", "v1"],
    "networks": ["network", "ls"],
    "df": ["system", "df"],
    "events": ["events", "--since", "10m", "--until", "0s"],
    "top of none": ["top", HELLO],
    "wait": ["wait", HELLO],
    "rename": ["rename", HELLO, HELLO + "2"],
    "rename back": ["rename", HELLO + "2", HELLO],
    "swarm": ["node", "ls"],
}


@pytest.fixture(scope="module", autouse=True)
def hello(daemon: Daemon) -> None:
    daemon.docker("create", "--name", HELLO, "--network", "none", "demo", "echo", "hi")
    daemon.docker("start", "-a", HELLO)


def traced(socktrace: Socktrace, daemon: Daemon, proxy: Proxy, *command: str, stdin: str | None = None) -> Run:
    run = socktrace(*command, env={**daemon.environment, "DOCKER_HOST": proxy.url}, stdin=stdin)
    proxy.close()
    return run


def assert_equal_to_oracle(run: Run, proxy: Proxy) -> None:
    assert run.streams
    assert len(run.streams) == len(proxy.connections)
    passed_on = sorted(proxy.connections, key=lambda passed: passed.both)
    for (sent, received), passed in zip(sorted(run.streams), passed_on, strict=True):
        assert sent == bytes(passed.out)
        if passed.unread:  # docker cp hangs up at the end of the tar, before the last chunk's end
            assert bytes(passed.into).startswith(received)
        else:
            assert received == bytes(passed.into)


@pytest.mark.parametrize("cli", clis())
@pytest.mark.parametrize("name", COMMANDS)
def test_the_docker_cli(
    name: str, cli: str, socktrace: Socktrace, daemon: Daemon, proxy: Proxy, tmp_path: Path
) -> None:
    stdin = "line\n" * 1000 if name == "run with stdin" else None
    arguments = [str(tmp_path / "out") if word == "OUT" else word for word in COMMANDS[name]]
    run = traced(socktrace, daemon, proxy, cli, *arguments, stdin=stdin)
    assert_equal_to_oracle(run, proxy)
    if stdin:
        assert run.stdout == stdin


PRINTING = {
    "ps": ["ps", "-a", "--format", "{{.ID}} {{.Names}} {{.Command}}"],
    "images": ["images", "-q", "--no-trunc"],
    **{name: COMMANDS[name] for name in ("version", "inspect", "run stderr", "missing image", "logs")},
}


@pytest.mark.parametrize("name", PRINTING)
def test_output_and_status_are_those_of_the_command_alone(name: str, socktrace: Socktrace, daemon: Daemon) -> None:
    argv = ["docker", *PRINTING[name]]
    alone = subprocess.run(argv, env=daemon.environment, capture_output=True, text=True, check=False)
    run = socktrace(*argv, env=daemon.environment)
    assert (run.stdout, run.stderr, run.status) == (alone.stdout, alone.stderr, alone.returncode)


def test_curl(socktrace: Socktrace, daemon: Daemon, proxy: Proxy) -> None:
    run = traced(socktrace, daemon, proxy, "curl", "-s", "--unix-socket", str(proxy.path), "http://localhost/version")
    assert_equal_to_oracle(run, proxy)
    assert '"ApiVersion"' in run.stdout


def test_curl_posting_a_container(socktrace: Socktrace, daemon: Daemon, proxy: Proxy) -> None:
    body = '{"Image":"demo","Cmd":["echo","hi"]}'
    arguments = ["-s", "--unix-socket", str(proxy.path), "-H", "Content-Type: application/json", "-d", body]
    run = traced(socktrace, daemon, proxy, "curl", *arguments, "http://localhost/containers/create")
    assert_equal_to_oracle(run, proxy)
    assert body.encode() in run.streams[0][0]


SDK = """
import docker
client = docker.from_env()
container = client.containers.create("demo", ["echo", "hi"], network_mode="none")
container.start()
assert container.wait()["StatusCode"] == 0
assert container.logs() == b"hi\\n"
assert client.api.inspect_container(container.id)["State"]["Status"] == "exited"
stream = b"".join(container.export())
assert len(stream) > 1 << 20
container.remove()
print(len(client.images.list()))
"""


def test_docker_py(socktrace: Socktrace, daemon: Daemon, proxy: Proxy) -> None:
    run = traced(socktrace, daemon, proxy, sys.executable, "-c", SDK)
    assert run.status == 0, run.stderr
    assert_equal_to_oracle(run, proxy)


def test_requests_unixsocket(socktrace: Socktrace, daemon: Daemon, proxy: Proxy) -> None:
    url = "http+unix://" + str(proxy.path).replace("/", "%2F") + "/containers/json?all=1"
    script = f"import requests_unixsocket as r; print(len(r.Session().get({url!r}).json()) > 0)"
    run = traced(socktrace, daemon, proxy, sys.executable, "-c", script)
    assert run.stdout == "True\n"
    assert_equal_to_oracle(run, proxy)


def test_a_shell_script_that_calls_docker_five_times(socktrace: Socktrace, daemon: Daemon, proxy: Proxy) -> None:
    run = traced(socktrace, daemon, proxy, "sh", "-c", "for i in 1 2 3 4 5; do docker ps -q; done")
    assert len(run.streams) == 5
    assert_equal_to_oracle(run, proxy)


def test_a_big_upload(socktrace: Socktrace, daemon: Daemon, proxy: Proxy, tmp_path: Path) -> None:
    big = tmp_path / "big"
    big.write_bytes(bytes(range(256)) * 40000)
    run = traced(socktrace, daemon, proxy, "docker", "cp", str(big), f"{HELLO}:/big")
    assert run.status == 0, run.stderr
    assert_equal_to_oracle(run, proxy)
