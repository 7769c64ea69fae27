"""`docker -H ssh://`: the HTTP that goes over the pipes of an ssh helper, with a real sshd."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from fixtures import ssh_server
from fixtures.private_daemon import IMAGE, Daemon, clis
from tests.needs import need, root
from tests.runs import Socktrace
from tracer.capture import helpers
from tracer.events import Connect, PeerFound


@pytest.fixture(scope="module")
def over_ssh(daemon: Daemon, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    root()
    why = ssh_server.missing()
    need(why is None, why or "")
    with ssh_server.ssh_server(daemon, tmp_path_factory.mktemp("ssh")) as environment:
        yield environment


PATIENCE = 1.5
"""Seconds, a little less than docker waits for its first answer (2 s in 28.2, the ssh login included) before it hangs
up and asks again: on a busy machine that login may take longer, and nothing is learned."""


def in_time(socktrace: Socktrace, *argv: str, env: Mapping[str, str]) -> list[dict[str, Any]]:
    """The exchanges of a run in which docker did not lose its patience."""
    for _ in range(10):
        found = socktrace.exchanges(*argv, env=env)
        first = found[0]["timing"]
        if found[0]["response"] is not None or first["done"] - first["sent"] < PATIENCE:
            break
    return found


@pytest.mark.parametrize("cli", clis())
def test_the_docker_cli(cli: str, over_ssh: Mapping[str, str], daemon: Daemon, socktrace: Socktrace) -> None:
    argv = [cli, "run", "--rm", "--network", "none", IMAGE, "sh", "-c", "echo out; echo err >&2; exit 3"]
    plain = socktrace.exchanges(*argv, env=daemon.environment)
    carried = in_time(socktrace, *argv, env=over_ssh)
    shapes = [
        sorted((found["operation"], found["response"]["status"], found["failure"]) for found in run)
        for run in (plain, carried)
    ]
    assert shapes[1] == shapes[0]
    assert {found["endpoint"] for found in carried} == {"ssh://testhost"}
    streams = [next(found["stream"] for found in run if found["stream"]) for run in (plain, carried)]
    assert streams[1]["stdout"] == streams[0]["stdout"] == 4
    assert streams[1]["stderr"] == 4


def test_output_status_and_events(over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    run = socktrace("docker", "run", "--rm", "--network", "none", IMAGE, "sh", "-c", "echo hi; exit 3", env=over_ssh)
    assert (run.stdout, run.stderr, run.status) == ("hi\n", "", 3)
    connects = run.of(Connect)
    assert {(connect.family, connect.address) for connect in connects} == {("pipe", "ssh://testhost")}
    assert {connect.comm for connect in connects} == {"docker"}
    found = {peer.conn: peer.peer for peer in run.of(PeerFound)}
    assert {(peer.how, os.path.basename(peer.exe or "")) for peer in found.values()} == {("helper", "ssh")}
    assert set(found) == {connect.conn for connect in connects}


def test_nobody_is_claimed_to_be_at_the_other_end(over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    run = socktrace("docker", "ps", "-q", env=over_ssh, options=("--prove",))
    told = " ".join(run.stderr.split())
    assert "carries the bytes to ssh://testhost; who answers there can't be seen from here" in told
    assert "✗ Whether it runs as root could not be established." in told
    assert "every byte accounted for" in told
    assert "docker pid" in told
    assert "carried by ssh" in told


SOCKETS = """
import socket, subprocess, sys
ours, theirs = socket.socketpair()
helper = subprocess.Popen([sys.argv[1], "testhost", "docker", "system", "dial-stdio"], stdin=theirs, stdout=theirs)
theirs.close()
ours.sendall(b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
while b"\\r\\n\\r\\n" not in ours.recv(4096):
    pass
ours.close()
helper.kill()
"""


def test_a_helper_on_a_pair_of_sockets(over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    helper = Path(over_ssh["PATH"].split(":")[0]) / "ssh"
    (found,) = socktrace.exchanges(sys.executable, "-c", SOCKETS, str(helper), env=over_ssh)
    assert (found["path"], found["response"]["status"]) == ("/_ping", 200)


EARLY = """
import os, sys, time
asks, says = os.pipe()
hears, answers = os.pipe()
helper = os.fork()
if helper == 0:
    os.dup2(asks, 0)
    os.dup2(answers, 1)
    if sys.argv[2] == "after a while":
        time.sleep(0.3)
    else:
        os.read(0, 3)
    os.closerange(3, 100)
    os.execv(sys.argv[1], [sys.argv[1], "testhost", "docker", "system", "dial-stdio"])
os.close(asks), os.close(answers)
time.sleep(0.1)
if sys.argv[2] == "when told":
    os.write(says, b"go\\n")
    time.sleep(0.1)
os.write(says, b"GET /_ping HTTP/1.0\\r\\n\\r\\n")
while b"\\r\\n\\r\\n" not in os.read(hears, 4096):
    pass
os.kill(helper, 9)
"""


@pytest.mark.parametrize("when", ["after a while", "when told"])
def test_what_is_said_before_the_helper_runs(when: str, over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    """The client waits for its helper, but not for one that waits for the client."""
    helper = Path(over_ssh["PATH"].split(":")[0]) / "ssh"
    (found,) = socktrace.exchanges(sys.executable, "-c", EARLY, str(helper), when, env=over_ssh)
    assert (found["path"], found["response"]["status"]) == ("/_ping", 200)


@pytest.mark.parametrize(
    ("line", "address"),
    [
        ("ssh -o ConnectTimeout=30 -T -l root -p 2222 -- host docker system dial-stdio", "ssh://root@host:2222"),
        ("/usr/bin/ssh host -- docker --host unix:///x system dial-stdio", "ssh://host"),
        ("ssh -lroot -p2222 host docker system dial-stdio", "ssh://root@host:2222"),
        ("ssh me@host docker system dial-stdio", "ssh://me@host"),
        ("/bin/sh /opt/ssh -v -- host docker system dial-stdio", "ssh://host"),
        ("ssh host docker ps", None),
        ("ssh", None),
        ("ssh -p", None),
        ("scp host:x docker system dial-stdio", None),
        ("", None),
    ],
)
def test_what_is_a_helper(line: str, address: str | None) -> None:
    assert helpers.remote(line.split()) == address


def test_the_lesson_and_a_failure(over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    taught = socktrace.plain("--explain", "docker", "ps", env=over_ssh).stderr
    assert "The client started ssh and speaks HTTP to it through two pipes" in " ".join(taught.split())
    for _ in range(10):
        failed = socktrace.plain("docker", "ps", env={**over_ssh, "DOCKER_HOST": "ssh://nobody@testhost"}).stderr
        if "The client hung up" not in failed:
            break
    assert "ssh ended without an answer" in " ".join(failed.split())


def test_a_client_that_a_script_starts(over_ssh: Mapping[str, str], socktrace: Socktrace) -> None:
    """Nothing says so when the script starts: the client is watched closely from its exec on."""
    bare = {name: value for name, value in over_ssh.items() if name != "DOCKER_HOST"}
    for _ in range(3):
        found = in_time(socktrace, "sh", "-c", f"true; docker -H {over_ssh['DOCKER_HOST']} ps -q; true", env=bare)
        assert [(one["operation"], one["response"]["status"]) for one in found] == [
            ("SystemPingHead", 200), ("ContainerList", 200),
        ]  # fmt: skip
