"""Running socktrace as a command, and reading what it recorded."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tracer.events import Connect, Data, Event, Header, Note
from tracer.recording.reader import read

COMMAND = [sys.executable, "-m", "tracer"]
ROOT = Path(__file__).parent.parent


def rest_of(terminal: int) -> bytes:
    """All that is still to come from a pseudo terminal, which is closed then: read(2) gives it in pieces, and EIO when
    nobody holds the other side any more."""
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(terminal, 1 << 16)
        except OSError:
            piece = b""
        if not piece:
            os.close(terminal)
            return b"".join(pieces)
        pieces.append(piece)


class Run:
    """A finished run: what the command printed, what the timeline said, and the recorded events."""

    def __init__(self, done: subprocess.CompletedProcess[str], recording: Path) -> None:
        self.stdout = done.stdout
        self.stderr = done.stderr
        self.status = done.returncode
        self.recording = recording

    @property
    def events(self) -> list[Event]:
        return list(read(str(self.recording)))

    @property
    def header(self) -> Header:
        first = self.events[0]
        assert isinstance(first, Header)
        return first

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    @property
    def notes(self) -> list[str]:
        return [note.message for note in self.of(Note)]

    @property
    def streams(self) -> list[tuple[bytes, bytes]]:
        """(out, in) of each connection that was made, in order."""
        made = [event.conn for event in self.of(Connect) if event.error is None]
        return [(self.bytes_of(conn, "out"), self.bytes_of(conn, "in")) for conn in made]

    def bytes_of(self, conn: int, direction: str) -> bytes:
        chosen = [event for event in self.of(Data) if event.conn == conn and event.dir == direction]
        return b"".join(event.payload or b"" for event in chosen)


class Socktrace:
    """Runs `socktrace ...` with a recording."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = 0

    def __call__(
        self,
        *command: str,
        options: Sequence[str] = ("-q", "--no-redact"),
        env: Mapping[str, str] | None = None,
        stdin: str | None = None,
        cwd: Path | None = None,
    ) -> Run:
        self._runs += 1
        recording = self.folder / f"run-{self._runs}.jsonl"
        done = subprocess.run(
            [*COMMAND, *options, "-w", str(recording), "--", *command],
            env={**(env if env is not None else os.environ), "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=100,
            cwd=cwd,
            check=False,
        )
        return Run(done, recording)

    def plain(self, *arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        """socktrace with these arguments and nothing else."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**(env if env is not None else os.environ), "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def exchanges(self, *arguments: str, env: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """The objects of `socktrace --json` with these arguments."""
        output = self.folder / "exchanges.json"
        self.plain("--json", "-o", str(output), *arguments, env=env)
        return [json.loads(line) for line in output.read_text().splitlines()]
