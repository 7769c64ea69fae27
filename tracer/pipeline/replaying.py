"""`socktrace replay`: a recording as a daemon, for a command or for whoever comes; then what did not fit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence

from tracer.pipeline.settings import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.replay.faults import Fault
    from tracer.replay.served import Served

DOCKER_VARIABLES = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION")
"""They would lead a client elsewhere, or make it speak otherwise."""

FATAL = (signal.SIGTERM, signal.SIGHUP)

NOT_AS_RECORDED = 1
"""A request was not in the recording, or (with strict) an exchange was never asked for."""


class Play:
    """How a recording is to be played."""

    def __init__(
        self,
        match: Sequence[str],
        listen: str | None,
        speed: float,
        faults: Sequence[Fault],
        *,
        repeat: bool,
        strict: bool,
    ) -> None:
        self.match = match
        self.listen = listen
        self.speed = speed
        self.faults = faults
        self.repeat = repeat
        self.strict = strict


def replay(path: str, argv: Sequence[str], play: Play, complain: Callable[[str], None]) -> int:
    """Serve a recording to a command, or until Ctrl-C; its status, or ours where the recording did not fit."""
    from tracer.recording.files import RecordingError
    from tracer.recording.reader import read
    from tracer.replay.parts import parts
    from tracer.replay.served import ListenError, Served

    damages: list[str] = []
    try:
        found = parts(read(path, damages.append))
    except RecordingError as error:
        complain(str(error))
        return 1
    for message in damages:
        complain(message)
    served = Served(
        found, match=play.match, listen=play.listen, speed=play.speed, repeat=play.repeat, faults=play.faults
    )
    try:
        with served:
            status = _run(argv, served, complain) if argv else _until_interrupted(served)
    except ListenError as error:
        complain(str(error))
        return FAILED
    misfit = _report(served, play, complain)
    return status or (NOT_AS_RECORDED if misfit else 0)


def environment(docker_host: str) -> dict[str, str]:
    """The environment in which a docker client goes to this address."""
    kept = {name: value for name, value in os.environ.items() if name not in DOCKER_VARIABLES}
    return {**kept, "DOCKER_HOST": docker_host}


def _run(argv: Sequence[str], served: Served, complain: Callable[[str], None]) -> int:
    """The command's exit status as a shell tells it; Ctrl-C is for the command, and what would end us is passed on."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, *FATAL)}
    started: list[subprocess.Popen[bytes]] = []
    early: list[int] = []

    def pass_on(number: int, _: object) -> None:
        if started:
            started[0].send_signal(number)
        else:
            early.append(number)

    def as_before() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)

    # blocked for the new process, until it has its own ways back; the server's threads have no such mask
    signal.pthread_sigmask(signal.SIG_BLOCK, before)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in FATAL:
        signal.signal(number, pass_on)
    try:
        started.append(subprocess.Popen(argv, env=environment(served.docker_host), preexec_fn=as_before))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, before)
        for missed in early:
            started[0].send_signal(missed)
        status = started[0].wait()
    except FileNotFoundError:
        complain(f"{argv[0]}: command not found")
        return 127
    except OSError as error:
        complain(f"{argv[0]}: can't be executed: {error.strerror}")
        return 126
    finally:
        as_before()
    return 128 - status if status < 0 else status


def _until_interrupted(served: Served) -> int:
    """Print where to go, and wait for SIGINT or SIGTERM."""
    over = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: over.set())
    print(f"export DOCKER_HOST={served.docker_host}", flush=True)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)  # so that eval "$(socktrace replay FILE &)" has its line and need not wait for our end
    os.close(nowhere)
    over.wait()
    return 0


def _report(served: Served, play: Play, complain: Callable[[str], None]) -> bool:
    """Say what did not fit; whether anything did not."""
    for mismatch in served.mismatches:
        complain(mismatch.sentence)
    unasked = served.never_asked if play.strict else []
    for part in unasked:
        complain(f"exchange {part.number}, {part.asked.line}, was never asked for")
    sys.stderr.flush()
    return bool(served.mismatches or unasked)
