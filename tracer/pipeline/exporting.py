"""`socktrace export`: a recording in another tool's format, to a file, to stdout, or to a collector."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from tracer.pipeline.progress import line_on_stderr, metered
from tracer.pipeline.settings import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.capture.status_line import StatusLine
    from tracer.exchanges import Item
    from tracer.views.exports import Recorded

TIMEOUT = 30


def export(
    path: str,
    name: str,
    output: str | None,
    complain: Callable[[str], None],
    *,
    collector: str | None = None,
    language: str = "en",
) -> int:
    """Write it; 0, 1 for a damaged recording (what came before the damage is written), FAILED if it can't be done."""
    from tracer.recording.files import RecordingError
    from tracer.views.exports import export as pieces_of

    damages: list[str] = []
    line = line_on_stderr(apart=collector is not None or output not in (None, "-"))
    try:
        pieces = pieces_of(name, _recorded(path, name, language, line, damages.append))
        if collector is not None:
            _send(b"".join(pieces), collector)
        else:
            _write(pieces, output)
    except RecordingError as error:
        complain(str(error))
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        where = f"to {output or collector or 'stdout'}"
        complain(f"the export can't be written {where}: {error.strerror or error}")
        return FAILED
    for message in damages:
        complain(message)
    return 1 if damages else 0


def _recorded(
    path: str, name: str, language: str, line: StatusLine | None, on_damage: Callable[[str], None]
) -> Recorded:
    from tracer.engine.stories import told
    from tracer.events import Event, Header
    from tracer.exchanges import Exchange, assemble, in_order
    from tracer.recording.reader import read
    from tracer.views.exports import FORMATS, Recorded

    stdin = list(read(path, on_damage)) if path == "-" else None

    def events() -> Iterator[Event]:
        return iter(stdin) if stdin is not None else read(path)

    first = read(path, on_damage) if stdin is None else iter(stdin)
    header = next(first)
    assert isinstance(header, Header)
    bodies = FORMATS[name].bodies

    def assembled(events: Iterable[Event], live: bool) -> Iterable[Item]:
        return told(assemble(events, keep_bodies=bodies, live=live))

    items = metered(chain([header], first), assembled, line, live=False)
    return Recorded(header, [item for item in in_order(items) if isinstance(item, Exchange)], events, language)


def _write(pieces: Iterator[bytes], output: str | None) -> None:
    if output is None or output == "-":
        sys.stdout.buffer.writelines(pieces)
        sys.stdout.buffer.flush()
        return
    output = os.path.realpath(output)
    if os.path.exists(output) and not os.path.isfile(output):  # a device, a pipe: to be written to, never replaced
        with open(output, "wb") as file:
            file.writelines(pieces)
        return
    unfinished = f"{output}.part"
    try:
        with open(unfinished, "wb") as file:
            file.writelines(pieces)
        os.replace(unfinished, output)
    except BaseException:
        if os.path.exists(unfinished):
            os.unlink(unfinished)
        raise


def _send(body: bytes, collector: str) -> None:
    """POST to an OTLP/HTTP collector. Raises OSError."""
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    url = collector if "/v1/" in collector else f"{collector.rstrip('/')}/v1/traces"
    request = Request(url, body, {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=TIMEOUT):
            return
    except HTTPError as error:
        raise OSError(f"the collector answered {error.code} {error.reason}") from None
    except ValueError as error:
        raise OSError(str(error)) from None
