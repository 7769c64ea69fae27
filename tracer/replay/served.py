"""A socket served from a thread of this process while a block runs: a recording, or a pass-through."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType

from tracer.replay.faults import Fault
from tracer.replay.matching import MATCHERS, Cast, Mismatch
from tracer.replay.parts import Part
from tracer.replay.stage import PassOn, Stage

BACKLOG = 1024

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class ListenError(ValueError):
    """An address that can't be listened on; the message says why."""


class Host:
    """A context manager: inside, each connection to `docker_host` is given to the handler that `make` makes."""

    def __init__(self, make: Callable[[], Converse], listen: str | None = None, *, refuse: bool = False) -> None:
        self.docker_host = ""
        """`unix://PATH` or `tcp://HOST:PORT`, once it listens."""
        self._make = make
        self._refuse = refuse
        """Bind and do not listen: connect(2) answers ECONNREFUSED."""
        self._listen = listen
        self._folder: str | None = None
        self._path: str | None = None
        self._thread = threading.Thread(target=self._run, name="socktrace-replay", daemon=True)
        self._ready = threading.Event()
        self._problem: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def start(self) -> None:
        """Listen. Raises ListenError."""
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            self._thread.join()
            raise ListenError(f"can't listen on {self._listen}: {self._problem.strerror or self._problem}")

    def stop(self) -> None:
        """Cut what is still connected, and leave no socket file behind."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        finally:
            if self._path is not None and os.path.exists(self._path):
                os.unlink(self._path)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        try:
            sock = self._bound()
            server = None if self._refuse else await self._listening(sock)
        except OSError as error:
            self._problem = error
            self._ready.set()
            return
        self._ready.set()
        await self._stop.wait()
        if server is not None:
            server.close()
        sock.close()
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _bound(self) -> socket.socket:
        """A socket at the wanted address, or at one of its own."""
        if self._listen is not None and self._listen.startswith("tcp://"):
            host, _, port = self._listen.removeprefix("tcp://").rpartition(":")
            if not port.isdigit():
                raise OSError("it has no port")
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((host.strip("[]") or "127.0.0.1", int(port)))
            name, number = sock.getsockname()[:2]
            self.docker_host = f"tcp://{f'[{name}]' if ':' in name else name}:{number}"
            return sock
        if self._listen is None:
            self._folder = tempfile.mkdtemp(prefix="socktrace-")
            path = os.path.join(self._folder, "docker.sock")
        else:
            path = self._listen.removeprefix("unix://")
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        self._path = path
        self.docker_host = f"unix://{path}"
        return sock

    async def _listening(self, sock: socket.socket) -> asyncio.AbstractServer:
        start = asyncio.start_unix_server if sock.family == socket.AF_UNIX else asyncio.start_server
        return await start(self._make(), sock=sock, backlog=BACKLOG)


class Served:
    """A context manager: inside, clients that go to `docker_host` are answered from the recording."""

    def __init__(
        self,
        parts: Sequence[Part],
        *,
        match: Sequence[str] = tuple(MATCHERS),
        listen: str | None = None,
        speed: float = 0.0,
        repeat: bool = False,
        faults: Sequence[Fault] = (),
        pass_on: PassOn | None = None,
    ) -> None:
        self._cast = Cast(parts, match, repeat=repeat)
        refuse = any(fault.refuse for fault in faults)
        self._host = Host(
            lambda: Stage(self._cast, speed=speed, faults=faults, pass_on=pass_on).converse, listen, refuse=refuse
        )

    @property
    def docker_host(self) -> str:
        """`unix://PATH` or `tcp://HOST:PORT`, once it listens."""
        return self._host.docker_host

    @property
    def mismatches(self) -> list[Mismatch]:
        """The requests that were not recorded."""
        return list(self._cast.mismatches)

    @property
    def never_asked(self) -> list[Part]:
        """The recorded exchanges that nobody asked for."""
        return self._cast.never_asked

    def __enter__(self) -> Served:
        self._host.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._host.stop()
