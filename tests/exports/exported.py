"""Exports as tests want them."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.runs import COMMAND
from tracer.engine.stories import told
from tracer.exchanges import Exchange, assemble, in_order
from tracer.recording.reader import read

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = sorted(path.stem for path in FIXTURES.glob("*.jsonl"))


def fixture(name: str) -> Path:
    """A bundled recording."""
    return FIXTURES / f"{name}.jsonl"


def export(recording: Path, form: str, *options: str) -> bytes:
    """What `socktrace export` writes to stdout."""
    argv = [*COMMAND, "export", str(recording), "-f", form, *options]
    done = subprocess.run(argv, capture_output=True, check=True)
    assert done.stderr == b""
    return done.stdout


def exchanges(recording: Path) -> list[Exchange]:
    """Those of a recording, in order."""
    items = in_order(told(assemble(read(str(recording)))))
    return [item for item in items if isinstance(item, Exchange)]


def asked(recording: Path) -> list[tuple[str, str]]:
    """(method, target) of each request."""
    return [(one.request.head.method, one.request.head.target) for one in exchanges(recording) if one.request]
