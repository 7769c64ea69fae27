"""`socktrace`: finds the verb, and turns what went wrong into one sentence and the right exit status."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from tracer.cli.messages import complain, discard, ready_streams
from tracer.pipeline.settings import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

VERBS = ("show", "replay", "diff", "export", "view", "demo", "doctor", "completion")
"""Each is a module of this package with a `main`."""

VARIABLE = "SOCKTRACE_OPTIONS"
"""Options that a user always wants for a traced run, as in a shell."""


def command() -> NoReturn:
    """The program: `main`, and an end at once. The interpreter's own takes 5 ms to free what the kernel frees."""
    status = main()
    try:
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads it any more
    os._exit(status)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb, or the command that is given instead of one; the exit status."""
    ready_streams()
    try:
        status = _run(list(sys.argv[1:] if argv is None else argv))
        if status != FAILED:  # else why is said already
            sys.stdout.flush()
    except KeyboardInterrupt:
        return _die(signal.SIGINT)
    except BrokenPipeError:
        return _die(signal.SIGPIPE)
    except OSError as error:
        complain(f"the output can't be written: {error.strerror or error}")
        status = FAILED
    if status == FAILED:
        discard(sys.stdout)
    return status


def _run(words: list[str]) -> int:
    verb = words[0] if words else ""
    try:
        if verb in VERBS:
            from importlib import import_module

            return int(import_module(f"tracer.cli.{verb}").main(words[1:]))
        if verb[:1] not in ("", "-") and not os.environ.get(VARIABLE):
            return _run_plainly(words)
        from tracer.cli import run

        return run.main(words)
    except SystemExit as end:  # argparse's, after a help text or a mistake
        return int(end.code or 0)


def _run_plainly(command: Sequence[str]) -> int:
    """A command without options, which is what mostly comes: it need not wait for argparse."""
    from tracer.pipeline.live import run
    from tracer.pipeline.settings import Show, Trace

    return run(Trace(command), Show(), complain)


def _die(number: signal.Signals) -> int:
    """End as a program without a handler would: by the signal."""
    from tracer.pipeline.live import die_of

    die_of(number)
    return 128 + number
