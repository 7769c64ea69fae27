"""The only wiring: a source of events, through redaction and the recording, to exchanges, to a view.

Live and from a file it is the same function (`present`): the timeline of a recording is the timeline of its run.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

from tracer import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:  # what is imported here stands between the user's return key and the command's start
    from typing import TextIO

    from tracer.capture.addresses import Follow
    from tracer.capture.launch import Launched
    from tracer.capture.trace import EndpointsOf
    from tracer.events import Event, Header
    from tracer.exchanges import Exchange, Item
    from tracer.recording.writer import Writer
    from tracer.views.screen import Color

RECORDED_VARIABLES = (
    "DOCKER_API_VERSION",
    "DOCKER_BUILDKIT",
    "DOCKER_CERT_PATH",
    "DOCKER_CONFIG",
    "DOCKER_CONTEXT",
    "DOCKER_HOST",
    "DOCKER_TLS_VERIFY",
)
"""What decides how a client reaches its daemon; not DOCKER_AUTH_CONFIG, which holds passwords."""

FAILED = 120
"""socktrace itself failed."""


class Show:
    """What the user wants to see."""

    def __init__(
        self,
        verbosity: int = 0,
        live: bool = False,
        json: bool = False,
        quiet: bool = False,
        output: str | None = None,
        color: Color = "auto",
        filter: Callable[[Exchange], bool] | None = None,
    ) -> None:
        self.verbosity = verbosity
        self.live = live
        self.json = json
        self.quiet = quiet
        self.output = output
        self.color = color
        self.filter = filter


class Trace:
    """What to trace and what to keep of it."""

    def __init__(
        self,
        argv: Sequence[str],
        sockets: Sequence[str] = (),
        all_sockets: bool = False,
        redact: bool = True,
        write: str | None = None,
    ) -> None:
        self.argv = argv
        self.sockets = sockets
        self.all_sockets = all_sockets
        self.redact = redact
        self.write = write


def run(trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Run a command under the tracer; its exit status, or socktrace's own where that failed.

    `complain` takes one sentence a failure. Dies by the command's signal if the command did.
    """
    from tracer.capture import launch

    try:
        program = launch.find_program(trace.argv[0])
        output, recording = _open_outputs(trace, show)
    except (launch.CannotRun, _Failed) as error:
        complain(str(error))
        return error.status
    front = launch.start(program, trace.argv, lambda launched, feed: _trace(trace, launched, feed))
    own = _consume(front.feed, trace, show, output, recording, complain)
    status = front.wait()
    if own is not None:
        return own
    if os.WIFSIGNALED(status):
        launch.die_of(os.WTERMSIG(status))
    return os.WEXITSTATUS(status)


def watch(pid: int, trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Follow a process that is already running until it ends or the user does; 0, or socktrace's own status."""
    from tracer.capture import launch

    try:
        output, recording = _open_outputs(trace, show)
    except _Failed as error:
        complain(str(error))
        return error.status
    watching = launch.attach(lambda feed: _attach(pid, trace, feed))
    return _consume(watching.feed, trace, show, output, recording, complain) or 0


def _attach(pid: int, trace: Trace, feed: int) -> None:
    """What the tracer process does for a program that is already running."""
    from tracer.capture import trace as tracing

    follow, url = _follow(trace)
    tracing.attach(pid, feed, _header(trace.argv, url), follow, _endpoints_of())


def _open_outputs(trace: Trace, show: Show) -> tuple[TextIO, Writer | None]:
    """Where the timeline goes and the recording, both made before anything runs. Raises _Failed."""
    from tracer.recording.files import RecordingError

    try:
        output = open(show.output, "w", encoding="utf-8") if show.output else sys.stderr
        if trace.write is None:
            return output, None
        from tracer.recording.writer import Writer

        return output, Writer(trace.write)
    except RecordingError as error:
        raise _Failed(str(error), FAILED) from None
    except OSError as error:
        raise _Failed(unwritable(error), FAILED) from None


def _trace(trace: Trace, launched: Launched, feed: int) -> None:
    """What the tracer process does: capture, and nothing else."""
    from tracer.capture import trace as tracing

    follow, url = _follow(trace)
    tracing.run(launched, feed, _header(trace.argv, url), follow, _endpoints_of())


def _follow(trace: Trace) -> tuple[Follow, str]:
    """Whose connections are captured, and the endpoint that the docker CLI would use."""
    from tracer.capture.addresses import Follow
    from tracer.engine import endpoint

    found = endpoint.find(trace.argv, os.environ)
    addresses = [*trace.sockets, *endpoint.addresses(found), *endpoint.WELL_KNOWN]
    return Follow(addresses, everything=trace.all_sockets), found.url


def _endpoints_of() -> EndpointsOf:
    from tracer.engine import endpoint

    return endpoint.of_program


class _Failed(Exception):
    """A run that can't be done as it was asked for; `status` is ours."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


def _received(feed: int) -> Iterator[Event]:
    """The events of the tracer process. Raises _Failed if it could not trace, or died."""
    from tracer.capture.feed import Trouble, receive
    from tracer.events import End

    ended = False
    for event in receive(feed):
        if isinstance(event, Trouble):
            raise _Failed(event.message, event.status)
        ended = isinstance(event, End)
        yield event
    if not ended:
        raise _Failed("the tracer process died, and the command with it: please report this", FAILED)


def _consume(
    feed: int,
    trace: Trace,
    show: Show,
    output: TextIO,
    recording: Writer | None,
    complain: Callable[[str], None],
) -> int | None:
    """What the front does with the events; an exit status for a failure of ours, else None.

    A failure to show does not end the recording, and neither ends the command.
    """
    events = _received(feed)
    if trace.redact:
        from tracer.recording.redact import redact

        events = redact(events)
    if recording is not None:
        events = _recorded(events, recording)
    own: int | None = None
    try:
        try:
            present(events, show, output, at_once=show.live)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # else who read the timeline has gone
                complain(unwritable(error))
                own = FAILED
        for _ in events:
            continue
    except _Failed as error:
        complain(str(error))
        own = error.status
    if recording is not None:
        recording.close()
        if recording.problem:
            complain(recording.problem)
            own = own or FAILED
    return own


def die_of(number: int) -> None:
    """End this process by a signal, as one without a handler would."""
    from tracer.capture import launch

    launch.die_of(number)


def _header(argv: Sequence[str], url: str) -> Header:
    from tracer.events import Header

    kept = {name: os.environ[name] for name in RECORDED_VARIABLES if name in os.environ}
    return Header(
        tool=f"socktrace {__version__}",
        argv=list(argv),
        cwd=_cwd(),
        arch=os.uname().machine,
        kernel=os.uname().release,
        endpoint=url,
        env=kept,
    )


def _cwd() -> str:
    try:
        return os.getcwd()
    except OSError:
        return "?"


def _recorded(events: Iterable[Event], writer: Writer) -> Iterator[Event]:
    """The events, each written before it goes on."""
    for event in events:
        writer.write(event)
        yield event


def present(events: Iterable[Event], show: Show, stream: TextIO, *, at_once: bool) -> None:
    """Events to a view on `stream`: piece by piece, or in one when the events have ended.

    Raises OSError if that can't be written.
    """
    from tracer.exchanges import assemble, in_order

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

    screen = Screen(stream, show.color, at_once=at_once)
    if show.json:
        from tracer.views import json_lines

        for line in json_lines.render(items):
            screen.write_line(line)
    else:
        from tracer.views.timeline import Timeline

        for piece in Timeline(show.verbosity, screen.symbols, show.live and not show.verbosity).render(items):
            screen.show(piece)
    screen.close()


def _filtered(items: Iterable[Item], keep: Callable[[Exchange], bool]) -> Iterator[Item]:
    from tracer.exchanges import Exchange

    return (item for item in items if not isinstance(item, Exchange) or keep(item))


def unwritable(error: OSError) -> str:
    """Why the timeline can't be written, in one sentence."""
    where = f" to {error.filename}" if error.filename else ""
    return f"the timeline can't be written{where}: {os.strerror(error.errno or 0)}"


def replayed(path: str, show: Show, complain: Callable[[str], None]) -> int:
    """Show a recording on stdout; 0, or 1 if it can't be read or is damaged."""
    from tracer.recording.files import RecordingError
    from tracer.recording.reader import read

    damages: list[str] = []
    try:
        output = open(show.output, "w", encoding="utf-8") if show.output else sys.stdout
        present(read(path, damages.append), show, output, at_once=True)
    except RecordingError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(unwritable(error))
        return FAILED
    for message in damages:
        complain(message)
    return 1 if damages else 0


def lessons() -> list[str]:
    """The names of the bundled recordings."""
    from importlib import resources

    folder = resources.files("tracer").joinpath("lessons")
    return sorted(file.name.removesuffix(".jsonl") for file in folder.iterdir() if file.name.endswith(".jsonl"))


def demonstrate(lesson: str, trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Trace a client while a bundled recording plays the daemon."""
    from importlib import resources

    from tracer.recording.reader import read
    from tracer.replay.server import served

    with resources.as_file(resources.files("tracer").joinpath("lessons", f"{lesson}.jsonl")) as path:
        events = list(read(str(path)))
    with served(events) as socket:
        for name in ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_API_VERSION"):
            os.environ.pop(name, None)
        os.environ["DOCKER_HOST"] = f"unix://{socket}"
        return run(trace, show, complain)
