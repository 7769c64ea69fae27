"""A small daemon for programs that only move bytes: it answers every connection with what it was sent."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.runs import Run, Socktrace

PRELUDE = """
import array, ctypes, os, signal, socket, struct, sys, threading, time
PATH = sys.argv[1]
def connect():
    s = socket.socket(socket.AF_UNIX); s.connect(PATH); return s
def exactly(s, size):
    data = b""
    while len(data) < size: data += s.recv(size - len(data))
    return data
"""


@contextmanager
def echo_server(path: Path | str) -> Iterator[None]:
    """Sends back all it receives; ends a connection when the client has shut down its side."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path) if isinstance(path, Path) else path)
    listener.listen(512)

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            while data := connection.recv(1 << 16):
                connection.sendall(data)

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)


def run_program(socktrace: Socktrace, path: Path, source: str, *options: str) -> Run:
    """A Python program under socktrace, with PATH the echo server's socket."""
    with echo_server(path):
        flags = ("-q", "--no-redact", "--socket", str(path), *options)
        return socktrace(sys.executable, "-c", PRELUDE + source, str(path), options=flags)
