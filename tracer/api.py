"""The public Python API: open a recording, iterate over its exchanges, serve it, trace a command.

>>> recording = open_recording("fixtures/ps.jsonl")
>>> [exchange.request.head.method for exchange in recording.exchanges]
['HEAD', 'GET']
>>> with serve("fixtures/ps.jsonl") as daemon:
...     daemon.docker_host.startswith("unix://")
True
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from msgspec import Struct

from tracer.engine.stories import told
from tracer.events import Event, Header
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.files import RecordingError
from tracer.recording.reader import read
from tracer.replay import faults as fault_texts
from tracer.replay.matching import MATCHERS
from tracer.replay.parts import parts
from tracer.replay.served import Served

__all__ = ["Recording", "RecordingError", "Served", "open_recording", "serve", "trace"]


class Recording(Struct):
    """What was recorded: the header of the run, and its exchanges in the order of their requests."""

    path: str
    header: Header
    exchanges: list[Exchange]
    damages: list[str]
    """What is wrong with the file, a sentence each; everything before it is there."""


def open_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording (.jsonl, .gz or .zst). Raises RecordingError if it is none."""
    damages: list[str] = []
    events = list(read(os.fspath(path), damages.append))
    header = next(event for event in events if isinstance(event, Header))
    return Recording(os.fspath(path), header, _exchanges(events), damages)


def _exchanges(events: Sequence[Event]) -> list[Exchange]:
    return [item for item in in_order(told(assemble(events))) if isinstance(item, Exchange)]


@contextmanager
def serve(
    path: str | os.PathLike[str],
    *,
    match: Sequence[str] = tuple(MATCHERS),
    listen: str | None = None,
    speed: float = 0.0,
    repeat: bool = False,
    faults: Sequence[str] = (),
) -> Iterator[Served]:
    """Be the daemon of a recording while the block runs; clients go to `.docker_host`.

    `match` names what must be as recorded (method, path, query, body). `faults` are as --fault takes them. Raises
    RecordingError and FaultError.
    """
    chosen = [fault_texts.parse(text) for text in faults]
    with Served(
        parts(read(os.fspath(path))), match=match, listen=listen, speed=speed, repeat=repeat, faults=chosen
    ) as served:
        yield served


def trace(
    argv: Sequence[str], *, env: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> tuple[int, list[Exchange]]:
    """Run a command under the tracer: its exit status, and what it said to the daemon. It keeps its own streams.

    `options` are those of the command line, such as `--socket PATH`.
    """
    with tempfile.TemporaryDirectory(prefix="socktrace-") as folder:
        path = os.path.join(folder, "run.jsonl")
        command = [sys.executable, "-m", "tracer", "-q", *options, "-w", path, "--", *argv]
        status = subprocess.run(command, env=env, check=False).returncode
        return status, open_recording(path).exchanges
