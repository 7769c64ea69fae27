"""A stand-in daemon on a Unix socket: reads requests, sends recorded responses."""

from __future__ import annotations

import os
import shutil
import signal
import socketserver
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tracer.events import Event
from tracer.replay.answers import Answers
from tracer.wire.heads import Head, request_framing
from tracer.wire.http1 import Complete, Reader

PR_SET_PDEATHSIG = 1


class _Handler(socketserver.BaseRequestHandler):
    """One connection: keep-alive until the client goes."""

    def handle(self) -> None:
        server = self.server
        assert isinstance(server, _Server)
        reader = Reader("request")
        head: Head | None = None
        while data := self.request.recv(1 << 16):
            reader.feed(data)
            while (event := reader.next_event()) is not None:
                if isinstance(event, Head):
                    head = event
                    reader.expect(request_framing(event))
                elif isinstance(event, Complete) and head is not None:
                    self.request.sendall(server.answers.to(head))


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, answers: Answers) -> None:
        super().__init__(path, _Handler)
        self.answers = answers

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def served(events: Sequence[Event]) -> Iterator[str]:
    """Serve a recording from a process of its own while the block runs; gives the socket's path.

    The process ends with the block, and with ours however that ends.
    """
    folder = tempfile.mkdtemp(prefix="socktrace-")
    path = os.path.join(folder, "docker.sock")
    server = _Server(path, Answers(events))
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        _serve(server, parent)
    server.socket.close()
    try:
        yield path
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        shutil.rmtree(folder, ignore_errors=True)


def _serve(server: _Server, parent: int) -> None:
    import ctypes

    ulong = ctypes.c_ulong
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ulong(signal.SIGKILL), ulong(0), ulong(0), ulong(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        if os.getppid() == parent:
            server.serve_forever()
    finally:
        os._exit(0)
