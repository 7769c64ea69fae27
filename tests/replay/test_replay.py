"""`socktrace replay`: what fits, what does not and what is said then; faults; many clients; nothing left behind."""

from __future__ import annotations

import gc
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.replay.test_commands import replay
from tests.runs import COMMAND, ROOT
from tracer.api import open_recording, serve, trace
from tracer.engine.json_diff import differences
from tracer.recording.reader import read
from tracer.replay.faults import FaultError, parse
from tracer.replay.matching import Cast, Mismatch
from tracer.replay.parts import Asked, parts
from tracer.wire.bodies import Body, BodyReader

FIXTURES = ROOT / "fixtures"


class Client(http.client.HTTPConnection):
    """HTTP over the socket that a DOCKER_HOST names."""

    def __init__(self, docker_host: str) -> None:
        super().__init__("docker", timeout=20)
        self._host = docker_host

    def connect(self) -> None:
        if self._host.startswith("tcp://"):
            host, _, port = self._host.removeprefix("tcp://").rpartition(":")
            self.sock = socket.create_connection((host, int(port)))
            return
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._host.removeprefix("unix://"))

    def ask(self, method: str, target: str, body: object = None) -> tuple[int, bytes]:
        raw = None if body is None else json.dumps(body).encode()
        self.request(method, target, raw, {"Content-Type": "application/json"} if raw else {})
        answer = self.getresponse()
        return answer.status, answer.read()


def curl(*arguments: str) -> list[str]:
    """curl on the replay's socket."""
    line = " ".join(arguments)
    return ["sh", "-c", f'curl -s --unix-socket "${{DOCKER_HOST#unix://}}" {line}']


def test_a_request_that_was_not_recorded_is_answered_501_and_told_at_the_end() -> None:
    done = replay(FIXTURES / "ps.jsonl", curl("http://x/v1.41/containers/jsonn"))
    message = json.loads(done.stdout)["message"]
    assert message.startswith("socktrace: GET /containers/jsonn is not in the recording; closest is exchange 2")
    assert done.stderr == f"socktrace: {message.removeprefix('socktrace: ')}\n"
    assert done.returncode == 1


def test_the_api_version_is_negotiable() -> None:
    done = replay(FIXTURES / "ps.jsonl", curl("http://x/v1.30/containers/json?all=1"))
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)[0]["Names"] == ["/hello"]


def test_strict_tells_what_was_never_asked_for() -> None:
    done = replay(FIXTURES / "ps.jsonl", curl("http://x/_ping -I"), "--strict")
    assert done.returncode == 1
    assert done.stderr == "socktrace: exchange 2, GET /containers/json, was never asked for\n"


def test_the_commands_own_status_goes_first() -> None:
    assert replay(FIXTURES / "ps.jsonl", ["sh", "-c", "exit 7"]).returncode == 7
    assert replay(FIXTURES / "ps.jsonl", ["sh", "-c", "kill -9 $$"]).returncode == 137
    missing = replay(FIXTURES / "ps.jsonl", ["/nonexistent/command"])
    assert (missing.returncode, missing.stderr) == (127, "socktrace: /nonexistent/command: command not found\n")


STARTING = """
import os, signal, subprocess, threading, time, types
from tracer.pipeline import replaying

class Slow(subprocess.Popen):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        os.kill(os.getpid(), signal.SIGHUP)
        time.sleep(0.2)

subprocess.Popen = Slow
threading.Thread(target=time.sleep, args=(1,)).start()  # such as the server's: it blocks no signal
print(replaying._run(["sleep", "60"], types.SimpleNamespace(docker_host="unix:///x"), print))
"""


def test_a_signal_while_the_command_starts_is_passed_on() -> None:
    done = subprocess.run([sys.executable, "-c", STARTING], cwd=ROOT, capture_output=True, text=True, timeout=30)
    assert (done.stdout, done.returncode) == (f"{128 + signal.SIGHUP}\n", 0), done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_passed_on_and_leaves_no_socket_behind(number: int, tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*COMMAND, "replay", str(FIXTURES / "ps.jsonl"), "--", "sh", "-c", "echo ready; exec sleep 60"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    assert list(tmp_path.glob("socktrace-*/docker.sock"))
    process.send_signal(number)
    assert process.wait(10) == 128 + number
    process.stdout.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--listen", "/x"], "'/x' is no address"),
        (["--match", "method,colour"], "'colour' can't be matched"),
        (["--speed", "fast"], "'fast' is not a speed"),
        (["--fault", "nonsense"], "'nonsense' is not a fault"),
        (["--fault", "/x=900"], "'900' is no fault"),
    ],
)
def test_wrong_options_are_said(options: list[str], sentence: str) -> None:
    done = replay(FIXTURES / "ps.jsonl", ["true"], *options)
    assert done.returncode == 2
    assert sentence in done.stderr


def test_a_file_that_is_no_recording_and_an_address_that_is_taken(tmp_path: Path) -> None:
    assert replay(tmp_path / "nothing.jsonl", ["true"]).returncode == 1
    done = replay(FIXTURES / "ps.jsonl", ["true"], "--listen", f"unix://{tmp_path}/no/such/folder/x.sock")
    assert done.returncode == 120
    assert "can't listen on" in done.stderr


@pytest.mark.parametrize("listen", ["unix", "tcp"])
def test_without_a_command_it_serves_until_it_is_told_to_stop(listen: str, tmp_path: Path) -> None:
    address = f"unix://{tmp_path}/docker.sock" if listen == "unix" else "tcp://127.0.0.1:0"
    process = subprocess.Popen(
        [*COMMAND, "replay", "--listen", address, str(FIXTURES / "ps.jsonl")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline().strip()
    host = line.removeprefix("export DOCKER_HOST=")
    assert host == address if listen == "unix" else host.startswith("tcp://127.0.0.1:")
    assert Client(host).ask("HEAD", "/_ping")[0] == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    process.stdout.close()
    assert not (tmp_path / "docker.sock").exists()


def test_its_line_can_be_evaluated() -> None:
    """As with ssh-agent: the shell goes on while the daemon serves."""
    replay_it = " ".join([*COMMAND, "replay", str(FIXTURES / "ps.jsonl")])
    script = f'eval "$({replay_it} & echo pid=$!)"; ' + curl("-o /dev/null -w %{http_code} http://x/_ping -I")[2]
    done = subprocess.run(
        ["sh", "-c", f"{script}; kill $pid"],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.stdout == "200"


def test_answers_that_change_something_are_given_once_unless_repeated() -> None:
    recording = FIXTURES / "curl-create.jsonl"
    body = {"Image": "demo", "Cmd": ["echo", "hi"], "Env": ["DB_PASSWORD=anything", "LANG=C"]}
    with serve(recording) as daemon:
        assert Client(daemon.docker_host).ask("POST", "/containers/create", body)[0] == 201, "a masked value fits any"
        status, answer = Client(daemon.docker_host).ask("POST", "/containers/create", body)
        assert (status, b"asked more often than recorded" in answer) == (501, True)
    with serve(recording, repeat=True) as daemon:
        assert {Client(daemon.docker_host).ask("POST", "/containers/create", body)[0] for _ in range(5)} == {201}


def test_a_changed_field_is_named() -> None:
    body = {"Image": "demo", "Cmd": ["echo", "ho"], "Env": ["DB_PASSWORD=x", "LANG=C"]}
    with serve(FIXTURES / "curl-create.jsonl") as daemon:
        status, answer = Client(daemon.docker_host).ask("POST", "/containers/create", body)
    assert status == 501
    assert 'Cmd[1] was \\"hi\\" and is \\"ho\\" now' in answer.decode()
    with serve(FIXTURES / "curl-create.jsonl", match=["method", "path"]) as daemon:
        assert Client(daemon.docker_host).ask("POST", "/containers/create", body)[0] == 201


def test_faults_on_demand() -> None:
    faults = ["GET /containers/json=500", "/_ping=delay:0.3", "/version=cut:5"]
    with serve(FIXTURES / "ps.jsonl", faults=faults) as daemon:
        status, answer = Client(daemon.docker_host).ask("GET", "/v1.41/containers/json?all=1")
        assert (status, b"a fault on demand" in answer) == (500, True)
        began = time.monotonic()
        assert Client(daemon.docker_host).ask("HEAD", "/_ping")[0] == 200
        assert time.monotonic() - began >= 0.3
    with serve(FIXTURES / "version.jsonl", faults=faults) as daemon, pytest.raises(http.client.HTTPException):
        Client(daemon.docker_host).ask("GET", "/v1.41/version")


@pytest.mark.parametrize(
    ("text", "method", "path", "effect"),
    [
        ("POST /containers/*/start=500", "POST", "/containers/*/start", (500, 0.0, None)),
        ("/images/json=delay:1.5", "*", "/images/json", (None, 1.5, None)),
        ("* *=cut", "*", "*", (None, 0.0, 0)),
    ],
)
def test_faults_are_read(text: str, method: str, path: str, effect: tuple[object, ...]) -> None:
    fault = parse(text)
    assert (fault.method, fault.path, (fault.status, fault.delay, fault.cut)) == (method, path, effect)


@pytest.mark.parametrize("listen", [None, "tcp://127.0.0.1:0"])
def test_a_daemon_that_refuses(listen: str | None) -> None:
    with (
        serve(FIXTURES / "ps.jsonl", listen=listen, faults=["refuse"]) as daemon,
        pytest.raises(ConnectionRefusedError),
    ):
        Client(daemon.docker_host).ask("HEAD", "/_ping")


@pytest.mark.parametrize("text", ["", "=", "/x=", "a b c=500", "/x=delay:soon", "/x=99"])
def test_what_is_no_fault_is_said(text: str) -> None:
    with pytest.raises(FaultError):
        parse(text)


def test_pieces_come_at_the_recorded_speed() -> None:
    with serve(FIXTURES / "logs-follow.jsonl", speed=1, match=["method"]) as daemon:
        target = next(
            item.request.head.target
            for item in open_recording(FIXTURES / "logs-follow.jsonl").exchanges
            if item.request and "/logs" in item.request.head.target
        )
        client = Client(daemon.docker_host)
    with serve(FIXTURES / "logs-follow.jsonl", speed=1) as daemon:
        client = Client(daemon.docker_host)
        client.request("GET", target)
        answer = client.getresponse()
        times = []
        while answer.read1(1000):
            times.append(time.monotonic())
    assert times[-1] - times[0] > 0.15, "three lines, a tenth of a second between them"


def test_the_answer_to_wait_comes_after_the_start() -> None:
    """docker run asks for the end before it starts; the head comes at once, the body when the rest has happened."""
    recording = open_recording(FIXTURES / "run.jsonl")
    targets = {item.number: item.request.head.target for item in recording.exchanges if item.request}
    body = next(item.request.body.preview for item in recording.exchanges if item.number == 2 and item.request)
    with serve(FIXTURES / "run.jsonl") as daemon:
        Client(daemon.docker_host).ask("POST", targets[2], body)
        waiting = Client(daemon.docker_host)
        waiting.request("POST", targets[4])
        answer = waiting.getresponse()
        assert answer.status == 200
        ended = threading.Event()

        def read_to_the_end() -> None:
            answer.read()
            ended.set()

        threading.Thread(target=read_to_the_end).start()
        assert not ended.wait(0.3)
        assert Client(daemon.docker_host).ask("POST", targets[5])[0] == 204
        assert ended.wait(5)


def test_a_build_ends_after_the_session_that_feeds_it() -> None:
    """A client whose build is answered before its session is open waits for that session for ever (docker 20.10)."""
    found = parts(read(str(FIXTURES / "buildkit.jsonl")))
    session = next(part for part in found if part.operation == "Session")
    build = next(part for part in found if part.operation == "ImageBuild")
    last = max(cue.played for cue in build.cues if cue.part == session.number)
    assert 1 < last <= len(session.pieces)
    assert all(cue.played <= last for cue in build.cues if cue.part == session.number)


def test_two_hundred_clients_at_once_get_right_answers() -> None:
    expected = None
    with serve(FIXTURES / "ps.jsonl") as daemon:

        def ask(number: int) -> tuple[int, bytes]:
            client = Client(daemon.docker_host)
            try:
                assert client.ask("HEAD", "/_ping")[0] == 200
                return client.ask("GET", "/v1.41/containers/json?all=1")
            finally:
                client.close()

        expected = ask(0)
        assert expected[0] == 200
        with ThreadPoolExecutor(200) as pool:
            assert set(pool.map(ask, range(200))) == {expected}


def test_a_thousand_clients_leave_nothing_behind() -> None:
    gc.collect()
    before = (len(os.listdir("/proc/self/fd")), threading.active_count())
    with serve(FIXTURES / "ps.jsonl") as daemon:
        path = Path(daemon.docker_host.removeprefix("unix://"))
        for _ in range(1000):
            client = Client(daemon.docker_host)
            assert client.ask("HEAD", "/_ping")[0] == 200
            client.close()
        assert path.exists()
    assert not path.exists()
    assert not path.parent.exists()
    gc.collect()
    assert (len(os.listdir("/proc/self/fd")), threading.active_count()) == before


def test_every_recording_has_its_parts() -> None:
    for path in FIXTURES.glob("*.jsonl"):
        exchanges = [item for item in open_recording(path).exchanges if item.request and item.response]
        assert len(parts(read(str(path)))) == len(exchanges)


def test_ids_that_were_learned_are_followed() -> None:
    """The answers are the recorded ones, ids included, so a client that uses them finds its next answer."""
    with serve(FIXTURES / "run.jsonl") as daemon:
        recording = open_recording(FIXTURES / "run.jsonl")
        create = recording.exchanges[1]
        assert create.request is not None
        body = create.request.body.preview
        status, answer = Client(daemon.docker_host).ask("POST", create.request.head.target, body)
        made = json.loads(answer)["Id"]
        assert status == 201
        assert Client(daemon.docker_host).ask("POST", f"/containers/{made}/start")[0] == 204
        assert Client(daemon.docker_host).ask("POST", "/containers/0123456789ab/start")[0] == 501


def body(value: object) -> Body:
    reader = BodyReader("application/json")
    reader.feed(json.dumps(value).encode())
    return reader.finish()


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ({"a": 1}, {"a": 1}, []),
        ({"a": 1}, {"a": 2}, ["a was 1 and is 2 now"]),
        ({"a": 1}, {}, ["a was 1 and is not there now"]),
        ({}, {"a": {"b": 1}}, ['a was not there and is {"b": 1} now']),
        ({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, ['a[1].b was "x" and is "y" now']),
        ({"a": "******"}, {"a": "secret"}, []),
        ({"Env": ["P=***", "A=1"]}, {"Env": ["P=xyz", "A=1"]}, []),
        ({"a": True}, {"a": 1}, ["a was true and is 1 now"]),
        ([1], [1, 2], ["it was [1] and is [1, 2] now"]),
    ],
)
def test_differences_are_paths(before: object, after: object, told: list[str]) -> None:
    assert list(differences(before, after)) == told


def test_closest_is_the_one_with_the_same_path() -> None:
    cast = Cast(parts(read(str(FIXTURES / "life.jsonl"))))
    found = cast.find(Asked("POST", "/containers/life/start", {"x": ["1"]}, Body()))
    assert isinstance(found, Mismatch)
    assert "POST /containers/life/start" in found.sentence.partition("closest is")[2]
    assert "the query's x was not there and is" in found.sentence


def test_tracing_by_the_api() -> None:
    status, exchanges = trace(["sh", "-c", "curl -s --unix-socket /nonexistent/docker.sock http://x/; exit 3"])
    assert status == 3
    assert exchanges[0].failure == "could not connect to /nonexistent/docker.sock: ENOENT"
