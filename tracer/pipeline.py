"""The only wiring: a source of events, through redaction and the recording, to exchanges, to a view.

Live and from a file it is the same function (`present`): the timeline of a recording is the timeline of its run.
"""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

from tracer import __version__
from tracer.events import Event, Header
from tracer.exchanges import Exchange, Item, assemble, in_order

if TYPE_CHECKING:
    from tracer.recording import Writer
    from tracer.views.screen import Color

FAILED = 120
"""socktrace itself failed."""


@dataclass(frozen=True)
class Show:
    """What the user wants to see."""

    verbosity: int = 0
    live: bool = False
    json: bool = False
    quiet: bool = False
    output: str | None = None
    color: Color = "auto"
    filter: Callable[[Exchange], bool] | None = None


@dataclass(frozen=True)
class Trace:
    """What to trace and what to keep of it."""

    argv: Sequence[str]
    sockets: Sequence[str] = ()
    all_sockets: bool = False
    redact: bool = True
    write: str | None = None


def run(trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Run a command under the tracer; its exit status, or socktrace's own where that failed.

    `complain` takes one sentence a failure. Dies by the command's signal if the command did.
    """
    from tracer.capture.launch import CannotRun, find_program
    from tracer.capture.launch import run as launch
    from tracer.capture.trace import CannotTrace, filter_installer

    try:
        program = find_program(trace.argv[0])
        install = filter_installer()
    except CannotRun as error:
        complain(str(error))
        return error.status
    except CannotTrace as error:
        complain(str(error))
        return FAILED
    job = _Job(trace, show, complain)
    return launch(program, trace.argv, install, job.trace, job.linger)


class _Job:
    """What the tracer process does: it is made before the fork and does its work after."""

    def __init__(self, trace: Trace, show: Show, complain: Callable[[str], None]) -> None:
        self._trace = trace
        self._show = show
        self._complain = complain
        self._run: _Run | None = None

    def trace(self, launched: _Launched) -> int | None:
        """Follow the command to its end and show it; an exit status for a failure of ours, else None."""
        from tracer.capture.launch import CannotRun
        from tracer.capture.trace import CannotTrace
        from tracer.recording import RecordingError
        from tracer.views.screen import OutputError

        try:
            return self._follow(launched)
        except CannotRun as error:
            self._complain(str(error))
            return error.status
        except (CannotTrace, RecordingError, OutputError) as error:
            self._complain(str(error))
            return FAILED

    def _follow(self, launched: _Launched) -> int | None:
        from tracer.capture.addresses import Follow
        from tracer.capture.trace import Run
        from tracer.engine import endpoint

        found = endpoint.find(self._trace.argv, os.environ)
        addresses = [*self._trace.sockets, *endpoint.addresses(found), *endpoint.WELL_KNOWN]
        follow = Follow(addresses, everything=self._trace.all_sockets)
        self._run = Run(_header(self._trace.argv, found.url), follow, endpoint.of_program)
        writer = _open_writer(self._trace.write)
        events = self._run.events(launched)
        events = _redacted(events) if self._trace.redact else events
        present(_recorded(events, writer) if writer else events, self._show, sys.stderr)
        if writer is not None:
            writer.close()
            if writer.problem:
                self._complain(writer.problem)
                return FAILED
        return None

    def linger(self) -> None:
        """Stay for the processes that outlived the command."""
        if self._run is not None:
            self._run.linger()


def die_of(number: int) -> None:
    """End this process by a signal, as one without a handler would."""
    from tracer.capture.launch import die_of

    die_of(number)


def _header(argv: Sequence[str], url: str) -> Header:
    kept = {name: os.environ[name] for name in sorted(os.environ) if name.startswith("DOCKER_")}
    return Header(
        tool=f"socktrace {__version__}",
        argv=list(argv),
        cwd=_cwd(),
        arch=platform.machine(),
        kernel=platform.release(),
        endpoint=url,
        env=kept,
    )


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "?"


def _open_writer(path: str | None) -> Writer | None:
    if path is None:
        return None
    from tracer.recording import Writer

    return Writer(path)


def _redacted(events: Iterable[Event]) -> Iterator[Event]:
    from tracer.recording.redact import redact

    return redact(events)


def _recorded(events: Iterable[Event], writer: Writer) -> Iterator[Event]:
    """The events, each written before it goes on."""
    for event in events:
        writer.write(event)
        yield event


def present(events: Iterable[Event], show: Show, stream: TextIO) -> None:
    """Events to a view on `stream` or the output file. Raises OutputError."""
    items: Iterable[Item] = assemble(events, keep_pieces=show.verbosity >= 3)
    if not show.live:
        items = in_order(items)
    if show.filter is not None:
        items = _filtered(items, show.filter)
    if show.quiet:
        for _ in items:
            continue
        return
    from tracer.views.screen import Screen

    screen = Screen(show.output or stream, show.color, live=show.live)
    if show.json:
        from tracer.views import json_lines

        for line in json_lines.render(items):
            screen.write_line(line)
    else:
        from tracer.views.timeline import Timeline

        for piece in Timeline(show.verbosity, screen.symbols).render(items):
            screen.show(piece)
    screen.close()


def _filtered(items: Iterable[Item], keep: Callable[[Exchange], bool]) -> Iterator[Item]:
    return (item for item in items if not isinstance(item, Exchange) or keep(item))


def replayed(path: str, show: Show, complain: Callable[[str], None]) -> int:
    """Show a recording on stdout; 0, or 1 if it can't be read or is damaged."""
    from tracer.recording import RecordingError, read

    damages: list[str] = []
    try:
        present(read(path, damages.append), show, sys.stdout)
    except RecordingError as error:
        complain(str(error))
        return 1
    for message in damages:
        complain(message)
    return 1 if damages else 0


if TYPE_CHECKING:
    from tracer.capture.launch import Launched as _Launched
    from tracer.capture.trace import Run as _Run
