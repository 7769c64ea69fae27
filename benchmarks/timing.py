"""Paired timings: each round runs every variant once, so that a drift of the machine's speed meets them all."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

INNER = """
import os, sys, time
begun = time.monotonic_ns()
child = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
status = os.waitpid(child, 0)[1]
with open(sys.argv[1], "w") as file:
    file.write(str((time.monotonic_ns() - begun) / 1e9))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Runs a command and writes how long it took, exec to exit."""


class Taken(NamedTuple):
    """One run: seconds of everything, seconds of the command alone, peak of the largest process in MiB."""

    wall: float
    inner: float
    memory: float


def installed(folder: Path) -> Path:
    """An environment with socktrace and what it needs, as a user has it; the folder of its programs."""
    environment = folder / "installed"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    subprocess.run([environment / "bin" / "pip", "install", "-q", ".[zstd]"], check=True, stderr=subprocess.DEVNULL)
    return environment / "bin"


def run(prefix: list[str], argv: list[str], environment: Mapping[str, str], folder: Path) -> Taken:
    """Run a command behind a prefix, its output thrown away."""
    note = folder / "inner"
    wrapped = [*prefix, sys.executable, "-I", "-S", "-c", INNER, str(note), *argv]
    begun = time.monotonic()
    process = subprocess.Popen(wrapped, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return Taken(time.monotonic() - begun, float(note.read_text()), usage.ru_maxrss / 1024)


def rounds(number: int, variants: Mapping[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """`number` rounds of all variants, after one to warm up."""
    taken: dict[str, list[Taken]] = {name: [] for name in variants}
    for count in range(number + 1):
        for name, work in variants.items():
            one = work()
            if count:
                taken[name].append(one)
    return taken


def ratio(of: list[float], to: list[float]) -> float:
    """The median of the ratios, round by round."""
    return statistics.median(one / other for one, other in zip(of, to, strict=True))


def median(values: list[float]) -> float:
    """The median."""
    return statistics.median(values)
