"""Runs a command under the tracer, or follows one that runs: events to the recording and to the views."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator

from tracer import __version__
from tracer.pipeline.presenting import present, unwritable
from tracer.pipeline.progress import line_beside, line_on_stderr
from tracer.pipeline.settings import FAILED, UNPROVEN, Show, Trace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from tracer.capture.addresses import Follow
    from tracer.capture.feed import Trouble
    from tracer.capture.launch import Launched
    from tracer.capture.status_line import StatusLine
    from tracer.capture.trace import EndpointsOf
    from tracer.events import Event, Header
    from tracer.pipeline.reporting import Report
    from tracer.recording.writer import Writer

    Keeper = Writer | Report

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

KEY_LOG = "SSLKEYLOGFILE"


def run(trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Run a command under the tracer; its exit status, or socktrace's own where that failed.

    `complain` takes one sentence a failure. Dies by the command's signal if the command did.
    """
    from tracer.capture import launch

    launch.put_off_collecting()
    try:
        program = launch.find_program(trace.argv[0])
        output, keepers = _open_outputs(trace, show)
    except (launch.CannotRun, _Failed) as error:
        complain(str(error))
        return error.status
    _offer_key_log(trace)
    line = None if show.quiet else line_on_stderr()
    front = launch.start(program, trace.argv, lambda launched, feed: _trace(trace, launched, feed, line))
    own, proven = _consume(front.events, trace, show, output, keepers, line, complain)
    status = front.wait()
    if own is not None:
        return own
    if os.WIFSIGNALED(status):
        launch.die_of(os.WTERMSIG(status))
    return os.WEXITSTATUS(status) or (0 if proven else UNPROVEN)


def _offer_key_log(trace: Trace) -> None:
    """Where TLS is to be expected, name a key log for programs that write one: a file in memory that ends with us."""
    from tracer.engine import endpoint

    if KEY_LOG not in os.environ and (trace.all_sockets or endpoint.may_be_tls(trace.argv, os.environ)):
        os.environ[KEY_LOG] = f"/proc/{os.getpid()}/fd/{os.memfd_create('keylog')}"


def watch(pid: int, trace: Trace, show: Show, complain: Callable[[str], None]) -> int:
    """Follow a process that is already running until it ends or the user does; 0, or socktrace's own status."""
    from tracer.capture import launch

    launch.put_off_collecting()
    try:
        output, keepers = _open_outputs(trace, show)
    except _Failed as error:
        complain(str(error))
        return error.status
    line = None if show.quiet else line_beside(pid)
    watching = launch.attach(lambda feed: _attach(pid, trace, feed))
    own, proven = _consume(watching.events, trace, show, output, keepers, line, complain)
    return own or (0 if proven else UNPROVEN)


def _attach(pid: int, trace: Trace, feed: int) -> None:
    """What the tracer process does for a program that is already running."""
    from tracer.capture import trace as tracing

    follow, url = _follow(trace)
    tracing.attach(pid, feed, _header(trace, url), follow, _endpoints_of())


def _open_outputs(trace: Trace, show: Show) -> tuple[TextIO, list[Keeper]]:
    """Where the timeline goes, the recording and the report, all made before anything runs. Raises _Failed."""
    if not show.output and not trace.writes and trace.html is None:
        return sys.stderr, []
    from tracer.recording.files import RecordingError

    try:
        output = open(show.output, "w", encoding="utf-8") if show.output else sys.stderr
        keepers: list[Keeper] = []
        if trace.writes:
            from tracer.recording.writer import Writer

            keepers += map(Writer, trace.writes)
        if trace.html is not None:
            from tracer.pipeline.reporting import Report

            keepers.append(Report(trace.html, trace.language))
        return output, keepers
    except RecordingError as error:
        raise _Failed(str(error), FAILED) from None
    except OSError as error:
        raise _Failed(unwritable(error), FAILED) from None


def _trace(trace: Trace, launched: Launched, feed: int, line: StatusLine | None) -> None:
    """What the tracer process does: capture, and nothing else."""
    from tracer.capture import trace as tracing

    follow, url = _follow(trace)
    tracing.run(launched, feed, _header(trace, url), follow, _endpoints_of(), line)


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


def _received(told: Iterable[Event | Trouble]) -> Iterator[Event]:
    """The events of the tracer process. Raises _Failed if it could not trace, or died."""
    from tracer.capture import launch
    from tracer.capture.feed import Trouble
    from tracer.events import End

    launch.collect_from_now_on()
    ended = False
    for event in told:
        if isinstance(event, Trouble):
            raise _Failed(event.message, event.status)
        ended = isinstance(event, End)
        yield event
    if not ended:
        raise _Failed("the tracer process died, and the command with it: please report this", FAILED)


def _consume(
    told: Iterable[Event | Trouble],
    trace: Trace,
    show: Show,
    output: TextIO,
    keepers: list[Keeper],
    line: StatusLine | None,
    complain: Callable[[str], None],
) -> tuple[int | None, bool]:
    """What the front does with the events; an exit status for a failure of ours, or None, and whether all is proven.

    A failure to show does not end the recording, and neither ends the command.
    """
    events = _received(told)
    if trace.redact:
        from tracer.recording.redact import redact
        from tracer.wire.tls import opened

        events = redact(opened(events))
    for keeper in keepers:
        events = _kept(events, keeper)
    own: int | None = None
    proven = True
    try:
        try:
            proven = present(events, show, output, at_once=show.live, line=line)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):  # else who read the timeline has gone
                complain(unwritable(error))
                own = FAILED
        for _ in events:
            continue
    except _Failed as error:
        complain(str(error))
        own = error.status
    for keeper in keepers:
        keeper.close()
        if keeper.problem:
            complain(keeper.problem)
            own = own or FAILED
    return own, proven


def die_of(number: int) -> None:
    """End this process by a signal, as one without a handler would."""
    from tracer.capture import launch

    launch.die_of(number)


def _header(trace: Trace, url: str) -> Header:
    from tracer.events import Header

    kept = {name: os.environ[name] for name in RECORDED_VARIABLES if name in os.environ}
    return Header(
        tool=f"socktrace {__version__}",
        argv=list(trace.argv),
        evidence=trace.evidence,
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


def _kept(events: Iterable[Event], keeper: Keeper) -> Iterator[Event]:
    """The events, each written before it goes on."""
    for event in events:
        keeper.write(event)
        yield event
