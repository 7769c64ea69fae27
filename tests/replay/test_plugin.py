"""The pytest plugin as its users have it: tests of docker-py and of the CLI, recorded once, then without a daemon."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fixtures.private_daemon import IMAGE, Daemon

pytest_plugins = ["pytester"]

SDK_TESTS = f"""
import io, os, subprocess, tarfile
import docker, pytest

pytestmark = pytest.mark.docker_recording()
IMAGE = {IMAGE!r}


@pytest.fixture
def client():
    made = docker.from_env()
    yield made
    made.close()


def test_run(client):
    out = client.containers.run(IMAGE, ["echo", "hello"], network_mode="none", remove=True)
    assert out == b"hello\\n"


def test_run_that_fails(client):
    with pytest.raises(docker.errors.ContainerError, match="exit status 3"):
        client.containers.run(IMAGE, ["sh", "-c", "echo err >&2; exit 3"], network_mode="none", stderr=True)


def test_exec_with_demux(client):
    container = client.containers.run(IMAGE, ["sleep", "100"], network_mode="none", detach=True)
    try:
        status, (out, err) = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 5"], demux=True)
        assert (status, out, err) == (5, b"out\\n", b"err\\n")
    finally:
        container.remove(force=True)


def test_logs_as_a_stream(client):
    loop = ["sh", "-c", "for i in 1 2 3; do echo $i; done"]
    container = client.containers.run(IMAGE, loop, network_mode="none", detach=True)
    container.wait()
    assert [line for line in container.logs(stream=True, follow=True)] == [b"1\\n", b"2\\n", b"3\\n"]
    container.remove()


def test_build(client):
    dockerfile = io.BytesIO(f"FROM {{IMAGE}}\\nRUN echo built > /built\\n".encode())
    image, lines = client.images.build(fileobj=dockerfile, network_mode="none", rm=True)
    assert image.id.startswith("sha256:")
    assert any("Successfully built" in line.get("stream", "") for line in lines)


def test_put_archive(client):
    container = client.containers.create(IMAGE, ["true"], network_mode="none")
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        info = tarfile.TarInfo("greeting")
        info.size = 6
        tar.addfile(info, io.BytesIO(b"hello\\n"))
    assert container.put_archive("/", file.getvalue())
    data, stat = container.get_archive("/greeting")
    assert (stat["name"], stat["size"]) == ("greeting", 6)
    assert b"hello" in b"".join(data)
    container.remove()


def test_a_missing_image(client):
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get("nothing-here")


def test_the_cli_in_a_subprocess():
    command = ["docker", "run", "--rm", "--network", "none", IMAGE, "echo", "cli"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("cli\\n", 0)


def test_the_host_is_told(docker_recording):
    assert os.environ["DOCKER_HOST"] == docker_recording.docker_host
    docker.from_env().ping()
"""


@pytest.fixture
def project(pytester: pytest.Pytester, daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    pytester.makepyfile(test_sdk=SDK_TESTS)
    for name, value in daemon.environment.items():
        monkeypatch.setenv(name, value)
    for name in list(os.environ):
        if name.startswith("PYTEST_"):
            monkeypatch.delenv(name)
    return pytester


def run(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=110)


def without_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def test_recorded_once_then_without_a_daemon(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    run(project, "--docker-record=once").assert_outcomes(passed=9)
    recordings = sorted(path.name for path in (project.path / "recordings").iterdir())
    assert "test_sdk.test_run.jsonl" in recordings
    assert len(recordings) == 9
    without_daemon(monkeypatch)
    run(project).assert_outcomes(passed=9)
    run(project, "-n", "2").assert_outcomes(passed=9)
    changed = SDK_TESTS.replace('["echo", "hello"], network_mode', '["echo", "changed"], network_mode')
    project.makepyfile(test_sdk=changed)
    result = run(project, "-k", "test_run and not fails")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(['*Cmd[[]1[]] was "hello" and is "changed" now*'])


def test_without_a_recording_the_test_says_how_to_make_one(project: pytest.Pytester) -> None:
    result = run(project, "-k", "missing_image")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*make it with --docker-record=once*"])


SWALLOWS = """
import os, pytest, socket

@pytest.mark.docker_recording("swallow")
def test_swallows():
    client = socket.socket(socket.AF_UNIX)
    client.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
    client.sendall(b"GET /%s HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" % os.environ.get("ASK", "_ping").encode())
    assert client.recv(1000)
"""


def test_a_request_that_does_not_fit_fails_even_if_the_client_does_not_mind(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makepyfile(test_sdk=SWALLOWS)
    run(project, "--docker-record=once").assert_outcomes(passed=1)
    monkeypatch.setenv("ASK", "info")
    result = run(project)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*GET /info is not in the recording*"])


def test_new_requests_are_added(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.makepyfile(test_sdk=SWALLOWS)
    run(project, "--docker-record=once").assert_outcomes(passed=1)
    before = (project.path / "recordings" / "swallow.jsonl").read_text()
    monkeypatch.setenv("ASK", "version")
    run(project, "--docker-record=new").assert_outcomes(passed=1)
    after = (project.path / "recordings" / "swallow.jsonl").read_text()
    assert after.startswith(before.rsplit("\n", 2)[0])
    assert "GET /version" in after
    without_daemon(monkeypatch)
    run(project).assert_outcomes(passed=1)
    monkeypatch.setenv("ASK", "_ping")
    run(project).assert_outcomes(passed=1)


def test_all_records_again(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.makepyfile(test_sdk=SWALLOWS)
    run(project, "--docker-record=once").assert_outcomes(passed=1)
    monkeypatch.setenv("ASK", "version")
    run(project, "--docker-record=all").assert_outcomes(passed=1)
    text = (project.path / "recordings" / "swallow.jsonl").read_text()
    assert "GET /version" in text
    assert "_ping" not in text


def test_secrets_do_not_get_into_a_recording(project: pytest.Pytester) -> None:
    project.makepyfile(
        test_sdk=f"""
import docker, pytest

@pytest.mark.docker_recording("secret")
def test_secret():
    client = docker.from_env()
    container = client.containers.create({IMAGE!r}, ["true"], environment=["DB_PASSWORD=hunter2"], network_mode="none")
    assert "DB_PASSWORD=" in str(container.attrs)
    container.remove()
"""
    )
    run(project, "--docker-record=once").assert_outcomes(passed=1)
    assert "hunter2" not in (project.path / "recordings" / "secret.jsonl").read_text()
    run(project).assert_outcomes(passed=1)


def test_strict_wants_every_exchange(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    text = SWALLOWS.replace('"swallow"', '"swallow", strict=True')
    project.makepyfile(test_sdk=text)
    run(project, "--docker-record=once").assert_outcomes(passed=1)
    project.makepyfile(
        test_sdk=text.replace("client.sendall", "0 and client.sendall").replace("assert client", "0 and client")
    )
    result = run(project)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*never asked for: exchange 1, GET /_ping*"])


def test_where_no_daemon_can_be_reached_recording_says_so(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "ssh://host")
    result = run(project, "--docker-record=once", "-k", "missing_image")
    result.stdout.fnmatch_lines(["*recording goes through unix:// and plain tcp:// only*"])


def test_the_marker_is_registered(pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_subprocess("--markers")
    result.stdout.fnmatch_lines(["*docker_recording(name=None, match=None*"])
    assert Path(__file__).exists()
