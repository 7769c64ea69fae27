"""A pass-through to a real daemon that records what goes by: no ptrace, for tests that record in any sandbox.

It can also take over single connections, for requests that a recording does not have yet.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import threading
import time
from collections.abc import Iterable

from tracer.events import Close, Connect, Data, Direction, End, Event, Family, Header, Shutdown

READ_SIZE = 1 << 16
_UCRED = struct.Struct("=iII")


class Pass:
    """Moves bytes between clients and the daemon at `target`, and keeps them as events."""

    def __init__(self, target: str, *, first_connection: int = 1, began: float = 0.0) -> None:
        self._target = target
        self._next = first_connection
        self._zero = time.monotonic() - began
        self._lock = threading.Lock()
        self.events: list[Event] = []

    def _now(self) -> float:
        return round(time.monotonic() - self._zero, 6)

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client, from its beginning."""
        await self.take_over(b"", reader, writer)

    async def take_over(self, said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of a client that has `said` something already."""
        conn = self._connected(writer)
        try:
            theirs, ours = await _open(self._target)
        except OSError as error:
            self._tell(Close(t=self._now(), conn=conn, pid=0, tid=0))
            message = b'{"message":"socktrace: the daemon can\'t be reached: %b"}\n' % str(error).encode()
            writer.write(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: %d\r\n\r\n" % len(message) + message)
            writer.close()
            return
        try:
            if said:
                self._moved(conn, "out", said)
                ours.write(said)
            await asyncio.gather(self._pump(conn, "out", reader, ours), self._pump(conn, "in", theirs, writer))
        except asyncio.CancelledError:
            pass  # the test is over
        finally:
            ours.close()
            writer.close()
            self._tell(Close(t=self._now(), conn=conn, pid=0, tid=0))

    async def _pump(
        self, conn: int, direction: Direction, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            while data := await source.read(READ_SIZE):
                self._moved(conn, direction, data)
                target.write(data)
                await target.drain()
            if direction == "out":
                self._tell(Shutdown(t=self._now(), conn=conn, pid=0, tid=0, how="wr"))
            else:
                self._moved(conn, "in", b"")
            if target.can_write_eof():
                target.write_eof()
            if direction == "in":
                target.close()  # the daemon is through: so is the client's connection
        except (ConnectionError, OSError):
            target.close()

    def _connected(self, writer: asyncio.StreamWriter) -> int:
        with self._lock:
            conn = self._next
            self._next += 1
        pid = _client(writer)
        family: Family = "unix" if self._target.startswith("unix://") else "inet"
        address = self._target.partition("://")[2]
        self._tell(Connect(t=self._now(), conn=conn, pid=pid, tid=pid, fd=-1, family=family, address=address))
        return conn

    def _moved(self, conn: int, direction: Direction, data: bytes) -> None:
        moved = Data(
            t=self._now(), conn=conn, pid=0, tid=0, fd=-1, syscall="", dir=direction, size=len(data), payload=data
        )
        self._tell(moved)

    def _tell(self, event: Event) -> None:
        with self._lock:
            self.events.append(event)

    def recording(self, argv: list[str], started: str, before: Iterable[Event] = ()) -> list[Event]:
        """All that went by as the events of a recording; `before` are those of the recording that it adds to."""
        kept = [event for event in before if not isinstance(event, End)]
        head: list[Event] = (
            [] if kept else [Header(tool="socktrace", started=started, argv=argv, endpoint=self._target)]
        )
        with self._lock:
            return [*kept, *head, *self.events, End(t=self._now())]


async def _open(target: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    scheme, _, rest = target.partition("://")
    if scheme == "unix":
        return await asyncio.open_unix_connection(rest)
    host, _, port = rest.rpartition(":")
    return await asyncio.open_connection(host.strip("[]"), int(port))


def _client(writer: asyncio.StreamWriter) -> int:
    """The client's process, by SO_PEERCRED (unix(7)); ours where the kernel does not say."""
    sock = writer.get_extra_info("socket")
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
        return int(_UCRED.unpack(raw)[0]) or os.getpid()
    except (OSError, AttributeError):
        return os.getpid()
