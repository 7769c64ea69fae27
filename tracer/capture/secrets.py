"""The secrets of the clients' own TLS sessions: from a breakpoint in Go programs, from key log files of others.

Programs with OpenSSL, GnuTLS or NSS write a key log when their environment names a file (SSLKEYLOGFILE). It is read
whenever bytes were moved on a connection that may be TLS; what it held before is passed over.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from tracer.capture.tracees import Connection, Process, Thread
from tracer.events import Event, Note, TlsSecret

VARIABLE = "SSLKEYLOGFILE"
RANDOM = slice(11, 43)
"""Of a ClientHello: behind the heads of record and message, and the version: RFC 8446 section 4.1.2."""
MOST_SESSIONS = 10_000
MOST_LOG = 1 << 20


class Secrets:
    """Appends `tls_secret` events to `events`, each with the connection whose hello has the random that it is about."""

    def __init__(self, events: list[Event], now: Callable[[], float]) -> None:
        self._events = events
        self._now = now
        self._connections: dict[bytes, int] = {}
        """By the random of its ClientHello."""
        self._logs: dict[str, _Log] = {}

    def started(self, environment: Mapping[str, str]) -> None:
        """A program was started; it may write a key log."""
        path = environment.get(VARIABLE)
        if path and path not in self._logs:
            self._logs[path] = _Log(path)

    def connected(self, process: Process) -> None:
        """A process made a connection over TCP: what it says may be TLS."""
        if process.trap_tried:
            return
        process.trap_tried = True
        from tracer.capture import traps  # most clients never need it

        trap = traps.plant(process.pid)
        if isinstance(trap, str):
            message = f"the TLS secrets of process {process.pid} can't be read: {trap}"
            self._events.append(Note(t=self._now(), message=message))
        elif trap is not None:
            process.trap = trap

    def moved(self, connection: Connection, payload: bytes | None, *, out: bool) -> None:
        """Bytes were moved on a connection over TCP."""
        if out and not connection.hello:
            connection.hello = True
            if payload and payload[0] == 22 and payload[5:6] == b"\1":
                self._connections[payload[RANDOM]] = connection.number
                while len(self._connections) > MOST_SESSIONS:
                    del self._connections[next(iter(self._connections))]
        self.poll()

    def poll(self) -> None:
        """Look whether the key logs have grown."""
        for log in self._logs.values():
            for line in log.new_lines():
                self._told(line)

    def trapped(self, thread: Thread) -> bool:
        """A thread stopped by SIGTRAP: whether it was at our breakpoint, and goes on. Raises Gone."""
        trap = thread.process.trap
        line = trap.hit(thread.tid) if trap is not None else None
        if line:
            self._told(line)
        return line is not None

    def _told(self, line: str) -> None:
        words = line.split()
        if len(words) != 3 or words[0].startswith("#"):
            return
        try:
            conn = self._connections.get(bytes.fromhex(words[1]), 0)
        except ValueError:
            return
        self._events.append(TlsSecret(t=self._now(), conn=conn, line=line))


class _Log:
    """A key log file, read from where it ended when it was first seen."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._at = self._size()

    def _size(self) -> int:
        try:
            return os.stat(self._path).st_size
        except OSError:
            return 0

    def new_lines(self) -> list[str]:
        """Whole lines that came since."""
        size = self._size()
        if size <= self._at:
            return []
        try:
            with open(self._path, "rb") as file:
                file.seek(self._at)
                text = file.read(MOST_LOG)
        except OSError:
            return []
        whole = text[: text.rfind(b"\n") + 1]
        self._at += len(whole)
        return whole.decode("ascii", "replace").splitlines()
