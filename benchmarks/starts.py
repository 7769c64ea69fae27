"""How long it takes to say hello, against Python's own start."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from benchmarks.timing import Taken, median, rounds

ROUNDS = 31


def _timed(argv: list[str]) -> Taken:
    begun = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, check=True)
    return Taken(time.monotonic() - begun, 0, 0)


def table(programs: Path) -> Iterator[str]:
    """A row for each command."""
    yield "| command | milliseconds | more than `python -c pass` |"
    yield "| --- | ---: | ---: |"
    commands = {
        "python -c pass": [str(programs / "python"), "-c", "pass"],
        "socktrace --version": [str(programs / "socktrace"), "--version"],
        "socktrace --help": [str(programs / "socktrace"), "--help"],
    }
    taken = rounds(ROUNDS, {name: partial(_timed, argv) for name, argv in commands.items()})
    bare = 1000 * median([one.wall for one in taken["python -c pass"]])
    for name, runs in taken.items():
        milliseconds = 1000 * median([one.wall for one in runs])
        yield f"| `{name}` | {milliseconds:.0f} | {milliseconds - bare:+.0f} |"
