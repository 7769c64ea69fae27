"""`socktrace`: finds the verb, and turns what went wrong into one sentence and the right exit status."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence

VERBS = ("show", "replay", "diff", "export", "view", "demo", "doctor", "completion")
"""Each is a module of this package with a `main`."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb, or the command that is given instead of one; the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    verb = words[0] if words else ""
    try:
        if verb in VERBS:
            from importlib import import_module

            return int(import_module(f"tracer.cli.{verb}").main(words[1:]))
        from tracer.cli import run

        return run.main(words)
    except KeyboardInterrupt:
        return _die(signal.SIGINT)
    except BrokenPipeError:
        return _die(signal.SIGPIPE)


def _die(number: signal.Signals) -> int:
    """End as a program without a handler would: by the signal."""
    from tracer.pipeline.live import die_of

    die_of(number)
    return 128 + number
