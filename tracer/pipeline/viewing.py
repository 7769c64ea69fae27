"""`socktrace view`: a recording in the interactive viewer, while it is written, too."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterator

from tracer.pipeline.settings import FAILED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange

REST = 0.1
"""Seconds between two looks at a file that grows."""


def view(path: str, complain: Callable[[str], None]) -> int:
    """Open the viewer; 0, 1 if the recording can't be read, FAILED if there is no terminal or no textual."""
    from tracer.recording.files import RecordingError
    from tracer.recording.reader import read

    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        complain(f"view needs a terminal: socktrace show {shlex.quote(path)} prints the same")
        return FAILED
    try:
        from tracer.views.viewer import Viewer
    except ImportError:
        complain("view needs the textual package: pip install 'socktrace[view]'")
        return FAILED
    try:
        header = next(read(path))
    except RecordingError as error:
        complain(str(error))
        return 1
    viewer = Viewer(shlex.join(getattr(header, "argv", [])), lambda: growing(path, lambda: viewer.is_running))
    viewer.run()
    return viewer.return_code or 0


def growing(path: str, is_open: Callable[[], bool]) -> Iterator[Exchange]:
    """The exchanges of a recording, those to come too, as long as somebody looks."""
    from tracer.engine.stories import told
    from tracer.exchanges import Exchange, assemble
    from tracer.recording.reader import follow

    def go_on() -> bool:
        time.sleep(REST)
        return is_open()

    for item in told(assemble(follow(path, go_on))):
        if isinstance(item, Exchange):
            yield item
