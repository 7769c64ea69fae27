"""Failures made for real, each with its sentence in both languages."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fixtures import registry
from fixtures.private_daemon import IMAGE, Daemon
from tests.needs import need, program
from tests.runs import Socktrace
from tracer.words import LANGUAGES


@contextmanager
def answering(answer: bytes, context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A TCP server that says the same to everybody; its port."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, answer, context), daemon=True)
        thread.start()
        yield server.getsockname()[1]


def _serve(server: socket.socket, answer: bytes, context: ssl.SSLContext | None) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection:
            connection.settimeout(5)
            try:
                if connection.recv(1, socket.MSG_PEEK) != b"\x16" and context is not None:
                    answer = b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"
                connection.recv(4000)
                connection.sendall(answer)
            except OSError:
                continue


BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
)
"""What Go's server answers to bytes that are no HTTP, such as TLS."""

Failure = Callable[[Daemon, Path], tuple[list[str], dict[str, str]]]


def plain(*arguments: str) -> Failure:
    """A docker command against the daemon."""
    return lambda daemon, folder: (["docker", *arguments], {})


def elsewhere(url: str, **variables: str) -> Failure:
    """docker ps at another endpoint."""
    return lambda daemon, folder: (["docker", "ps"], {"DOCKER_HOST": url.format(folder=folder), **variables})


def dead_socket(daemon: Daemon, folder: Path) -> tuple[list[str], dict[str, str]]:
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(folder / "dead.sock"))
    return ["docker", "ps"], {"DOCKER_HOST": f"unix://{folder}/dead.sock"}


def unauthorised(daemon: Daemon, folder: Path) -> tuple[list[str], dict[str, str]]:
    return ["docker", "--config", str(folder), "pull", f"{registry.ADDRESS}/secret"], {}


def failing_build(daemon: Daemon, folder: Path) -> tuple[list[str], dict[str, str]]:
    (folder / "Dockerfile").write_text(f"FROM {IMAGE}\nRUN exit 3\n")
    return ["/usr/bin/docker", "build", "--network", "none", str(folder)], {"DOCKER_BUILDKIT": "0"}


def used_image(daemon: Daemon, folder: Path) -> tuple[list[str], dict[str, str]]:
    return ["docker", "rmi", daemon.docker("images", "-q", IMAGE)], {}


FAILURES: dict[str, tuple[Failure, str, str]] = {
    "no socket": (
        elsewhere("unix://{folder}/none.sock"),
        "There is no socket at",
        "Không có socket nào ở",
    ),
    "nobody listens on the socket": (dead_socket, "nobody listens on it", "không ai lắng nghe"),
    "a path through a file": (elsewhere("unix:///etc/passwd/x.sock"), "is not a directory", "không phải thư mục"),
    "nobody listens on the port": (
        elsewhere("tcp://127.0.0.1:1"),
        "Nobody listens on 127.0.0.1:1",
        "Không ai lắng nghe ở 127.0.0.1:1",
    ),
    "a host that has no name": (
        elsewhere("tcp://no-such-host.invalid:2375"),
        "it could not be looked up",
        "không tra được tên",
    ),
    "no such image": (
        plain("inspect", "--type", "image", "nothere"),
        "has no image nothere",
        "không có image nothere",
    ),
    "no such container": (plain("start", "nothere"), "has no container nothere", "không có container nothere"),
    "the name is taken": (
        plain("create", "--name", "standing", "--network", "none", IMAGE, "true"),
        "A container of that name exists already",
        "Đã có container mang tên ấy",
    ),
    "it does not run": (plain("exec", "standing", "true"), "The container does not run", "Container không chạy"),
    "the program is not there": (
        plain("run", "--rm", "--network", "none", IMAGE, "no-such-program"),
        "The program is not in the image",
        "Chương trình không có trong image",
    ),
    "it still runs": (plain("rm", "running"), "The container still runs", "Container vẫn đang chạy"),
    "the image is in use": (used_image, "Something still uses it", "Vẫn còn thứ đang dùng nó"),
    "no swarm": (plain("node", "ls"), "is in no swarm", "không thuộc swarm nào"),
    "a build that fails": (failing_build, "began with 200 OK", "bắt đầu bằng 200 OK"),
    "no such tag": (
        plain("pull", f"{registry.ADDRESS}/nothing:here"),
        "The registry has no such image or tag",
        "Registry không có image hoặc thẻ như vậy",
    ),
    "not logged in": (unauthorised, "The registry refused", "Registry từ chối"),
    "no registry": (plain("pull", "127.0.0.1:1/x"), "could not reach the registry", "không tới được registry"),
    "a client that is too new": (
        lambda daemon, folder: (["docker", "ps"], {"DOCKER_API_VERSION": "1.48"}),
        "this daemon knows 1.41 at most",
        "daemon này chỉ biết tới 1.41",
    ),
    "a client that is too old": (
        lambda daemon, folder: (["curl", "-s", "--unix-socket", str(daemon.socket), "http://x/v1.11/info"], {}),
        "wants 1.12 at least",
        "đòi ít nhất 1.12",
    ),
}


@pytest.fixture(scope="module")
def prepared(daemon: Daemon) -> Iterator[None]:
    why = registry.missing()
    need(why is None, why or "")
    with registry.registry() as address:
        daemon.docker("login", "-u", registry.USER, "-p", registry.PASSWORD, address)
        daemon.docker("create", "--name", "standing", "--network", "none", IMAGE, "true")
        daemon.docker("run", "-d", "--name", "running", "--network", "none", IMAGE, "sleep", "1000")
        yield
        daemon.docker("rm", "-f", "standing", "running")


def test_there_are_enough_failures() -> None:
    assert len(FAILURES) >= 15


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_explained_in_both_languages(
    daemon: Daemon, prepared: None, socktrace: Socktrace, tmp_path: Path, name: str
) -> None:
    make, *sentences = FAILURES[name]
    argv, variables = make(daemon, tmp_path)
    program(argv[0])
    run = socktrace(*argv, env={**daemon.environment, **variables}, options=("--explain", "--lang", "en"))
    for language, sentence in zip(LANGUAGES, sentences, strict=True):
        shown = socktrace.plain("show", "--explain", "--lang", language, str(run.recording)).stdout
        assert sentence in " ".join(shown.split()), shown
        if language == "en":
            assert run.stderr in (shown, shown.lstrip("\n")) or " ".join(shown.split()) in " ".join(run.stderr.split())


def test_tls_to_a_port_that_has_plain_http(socktrace: Socktrace) -> None:
    with answering(BAD_REQUEST) as port:
        endpoint = f"127.0.0.1:{port}"
        found = socktrace.plain("--explain", "--socket", endpoint, "curl", "-sk", f"https://{endpoint}/info")
    assert "server gave HTTP response to HTTPS client" in " ".join(found.stderr.split())


def test_plain_http_to_a_port_that_wants_tls(socktrace: Socktrace) -> None:
    with answering(b"", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) as port:
        environment = {**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{port}"}
        found = socktrace.plain("--explain", "curl", "-s", f"http://127.0.0.1:{port}/info", env=environment)
    assert "The client spoke plain HTTP to a port that wants TLS" in " ".join(found.stderr.split())


def test_a_daemon_that_says_nothing(socktrace: Socktrace) -> None:
    with answering(b"") as port:
        environment = {**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{port}"}
        found = socktrace.plain("curl", "-s", f"http://127.0.0.1:{port}/info", env=environment)
    assert "it may have crashed or been restarted" in " ".join(found.stderr.split())


def test_a_daemon_that_is_stuck(socktrace: Socktrace, tmp_path: Path) -> None:
    """It accepts and never answers: not the daemon but the client ends the connection."""
    path = str(tmp_path / "stuck.sock")
    with socket.socket(socket.AF_UNIX) as stuck:
        stuck.bind(path)
        stuck.listen()
        found = socktrace.plain("--socket", path, "curl", "-s", "-m", "1", "--unix-socket", path, "http://x/_ping")
    told = " ".join(found.stderr.split())
    assert "there was no response: the client closed the connection" in told
    assert "The client hung up before an answer came" in told
