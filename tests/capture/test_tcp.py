"""TCP: followed with --all-sockets and by DOCKER_HOST=tcp://."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.runs import Socktrace
from tracer.events import Connect, Data, Failed
from tracer.exchanges import Exchange, assemble

ECHO = "s.sendall(b'hello'); s.recv(5, socket.MSG_WAITALL)"


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(connection.recv(100))

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]


def test_all_sockets_follows_tcp(socktrace: Socktrace, port: int) -> None:
    code = f"import socket; s=socket.create_connection(('127.0.0.1', {port})); {ECHO}"
    run = socktrace(sys.executable, "-c", code, options=("-q", "--all-sockets"))
    assert run.streams == [(b"hello", b"hello")]
    assert (run.of(Connect)[0].family, run.of(Connect)[0].address) == ("inet", f"127.0.0.1:{port}")


def test_docker_host_is_followed(socktrace: Socktrace, port: int) -> None:
    code = f"import socket; s=socket.create_connection(('127.0.0.1', {port})); {ECHO}"
    environment = {**os.environ, "DOCKER_HOST": f"tcp://127.0.0.1:{port}"}
    assert socktrace(sys.executable, "-c", code, env=environment).streams == [(b"hello", b"hello")]
    assert socktrace(sys.executable, "-c", code).streams == []


def test_bytes_that_the_program_throws_away_are_counted(socktrace: Socktrace, port: int) -> None:
    """MSG_TRUNC on TCP discards: tcp(7). There is nothing to be read in the program's memory."""
    code = (
        f"import socket; s=socket.create_connection(('127.0.0.1', {port})); s.sendall(b'hello'); "
        "s.recv(1, socket.MSG_PEEK); import time; time.sleep(0.2); s.recv(5, socket.MSG_TRUNC)"
    )
    run = socktrace(sys.executable, "-c", code, options=("-q", "--all-sockets"))
    received = [event for event in run.of(Data) if event.dir == "in"]
    assert [(event.size, event.payload) for event in received] == [(5, None)]


def test_a_non_blocking_connect_that_goes_through(socktrace: Socktrace, port: int) -> None:
    code = (
        "import select, socket; s=socket.socket(); s.setblocking(False); "
        f"s.connect_ex(('127.0.0.1', {port})); select.select([], [s], [], 5); s.setblocking(True); {ECHO}"
    )
    run = socktrace(sys.executable, "-c", code, options=("-q", "--all-sockets"))
    assert run.streams == [(b"hello", b"hello")]
    assert [event.error for event in run.of(Connect)] == [None]


def test_a_non_blocking_connect_that_is_refused(socktrace: Socktrace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    code = (
        "import select, socket; s=socket.socket(); s.setblocking(False); "
        f"print(s.connect_ex(('127.0.0.1', {port}))); select.select([], [s], [], 2); "
        "print(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))"
    )
    run = socktrace(sys.executable, "-c", code, options=("-q", "--all-sockets"))
    outcomes = [event.error for event in run.of(Connect)] + [event.error for event in run.of(Failed)]
    assert "ECONNREFUSED" in outcomes
    (told,) = [item for item in assemble(run.events) if isinstance(item, Exchange)]
    assert told.failure == f"could not connect to 127.0.0.1:{port}: ECONNREFUSED"


def test_a_socket_that_nobody_named_gets_no_advice_about_docker(socktrace: Socktrace, tmp_path: Path) -> None:
    code = "import socket,sys; socket.socket(socket.AF_UNIX).connect_ex(sys.argv[1])"
    for name, options, advised in (("nscd.sock", ("--all-sockets",), False), ("docker.sock", ("--all-sockets",), True)):
        run = socktrace(sys.executable, "-c", code, str(tmp_path / name), options=options)
        assert "ENOENT" in run.stderr
        assert ("Is Docker installed" in " ".join(run.stderr.split())) is advised, run.stderr
