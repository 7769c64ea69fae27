"""The bundled recordings: shown as they were recorded, or playing the daemon for a client that runs now."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable

from tracer.pipeline.live import run
from tracer.pipeline.presenting import replayed
from tracer.pipeline.replaying import DOCKER_VARIABLES, environment
from tracer.pipeline.settings import Show, Trace


def lessons() -> list[str]:
    """The names of the bundled recordings."""
    from importlib import resources

    folder = resources.files("tracer").joinpath("lessons")
    return sorted(file.name.removesuffix(".jsonl") for file in folder.iterdir() if file.name.endswith(".jsonl"))


PR_SET_PDEATHSIG = 1

LIVE_LESSON = "ps"
"""The lesson whose recording plays the daemon for a real client; the others are shown as they were recorded."""


def recorded_lesson(lesson: str, show: Show, complain: Callable[[str], None]) -> int:
    """Show a bundled recording."""
    from importlib import resources

    with resources.as_file(resources.files("tracer").joinpath("lessons", f"{lesson}.jsonl")) as path:
        return replayed(str(path), show, complain)


def demonstrate(lesson: str, trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Trace a client while a bundled recording plays the daemon, in a process of its own."""
    from importlib import resources

    with resources.as_file(resources.files("tracer").joinpath("lessons", f"{lesson}.jsonl")) as path:
        command = [sys.executable, "-m", "tracer", "replay", "--repeat", "--match", "method,path", str(path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, preexec_fn=_end_with_us) as daemon:
            try:
                assert daemon.stdout is not None
                os.environ.update(environment(daemon.stdout.readline().strip().removeprefix("export DOCKER_HOST=")))
                for name in DOCKER_VARIABLES:
                    os.environ.pop(name, None)
                return run(trace, show, complain)
            finally:
                daemon.terminate()


def _end_with_us() -> None:
    """In the daemon's process, before it is one: its own process group, for Ctrl-C, and our death is its end."""
    import ctypes

    os.setpgid(0, 0)
    ulong = ctypes.c_ulong
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, ulong(signal.SIGTERM), ulong(0), ulong(0), ulong(0))
