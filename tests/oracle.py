"""The oracle: a proxy between client and daemon that keeps every byte it passes on, written without the tracer."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Passed:
    """One connection: the bytes that went each way. `unread` says that the client closed before it read the last of
    them: the kernel tells the other end so with ECONNRESET, or EPIPE for what is sent later (unix(7))."""

    def __init__(self) -> None:
        self.unread = False
        self.out = bytearray()
        self.into = bytearray()

    @property
    def both(self) -> tuple[bytes, bytes]:
        return bytes(self.out), bytes(self.into)


class Proxy:
    """A listening socket that passes connections on; `connections` in the order of accept."""

    def __init__(self, daemon: Path, path: Path) -> None:
        self.path = path
        self.connections: list[Passed] = []
        self._daemon = daemon
        self._threads: list[threading.Thread] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(512)
        self._start(self._accept)

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            passed = Passed()
            self.connections.append(passed)
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._daemon))
            self._start(self._from_client, client, server, passed)
            self._start(self._from_daemon, client, server, passed)

    @staticmethod
    def _from_client(client: socket.socket, server: socket.socket, passed: Passed) -> None:
        if _pump(client, server, passed.out) is not None:
            passed.unread = True

    @staticmethod
    def _from_daemon(client: socket.socket, server: socket.socket, passed: Passed) -> None:
        if _pump(server, client, passed.into) is not None:
            passed.unread = True

    def close(self) -> None:
        """Stop listening and wait until all bytes have passed."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for thread in list(self._threads):
            thread.join(10)


def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> ConnectionError | None:
    try:
        while data := source.recv(1 << 16):
            kept += data
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError as error:
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        return error if isinstance(error, ConnectionError) else None
    return None


@contextmanager
def proxied(daemon: Path, path: Path) -> Iterator[Proxy]:
    proxy = Proxy(daemon, path)
    try:
        yield proxy
    finally:
        proxy.close()


class TlsProxy:
    """The same for clients that speak TLS: a port that ends it, and passes what was inside to the daemon's socket."""

    def __init__(self, daemon: Path, context: ssl.SSLContext) -> None:
        self.connections: list[Passed] = []
        self._daemon = daemon
        self._context = context
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, daemon=True)
        self._acceptor.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            passed = Passed()
            self.connections.append(passed)
            thread = threading.Thread(target=self._serve, args=(client, passed), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket, passed: Passed) -> None:
        """One thread a connection: an SSL object may not be used by two at once."""
        try:
            with self._context.wrap_socket(plain, server_side=True) as client, socket.socket(socket.AF_UNIX) as server:
                server.connect(str(self._daemon))
                open_ends = {client, server}
                while open_ends:
                    ready = [client] if client.pending() else select.select(list(open_ends), [], [])[0]
                    for source in ready:
                        target, kept = (server, passed.out) if source is client else (client, passed.into)
                        data = source.recv(1 << 16)
                        kept += data
                        if data:
                            target.sendall(data)
                            continue
                        open_ends.discard(source)
                        if source is server:
                            return
                        server.shutdown(socket.SHUT_WR)
        except OSError:
            passed.unread = True

    def close(self) -> None:
        """Stop listening and wait until all bytes have passed."""
        if self._listener.fileno() >= 0:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        for thread in [self._acceptor, *self._threads]:
            thread.join(10)
