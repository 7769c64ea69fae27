"""`socktrace diff`: two recordings, exchange by exchange."""

from __future__ import annotations

import sys
from collections.abc import Callable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange
    from tracer.views.screen import Color

UNREADABLE = 2
"""As diff(1) ends where it could not compare."""


def diff(
    before: str, after: str, complain: Callable[[str], None], *, exit_code: bool, as_json: bool, color: Color
) -> int:
    """Show what changed; 0, or with `exit_code` 1 if anything did, or UNREADABLE."""
    from tracer.engine.compare import compare
    from tracer.recording.files import RecordingError
    from tracer.views import changes as view
    from tracer.views.screen import Screen

    try:
        changes = compare(_exchanges(before, complain), _exchanges(after, complain))
    except RecordingError as error:
        complain(str(error))
        return UNREADABLE
    screen = Screen(sys.stdout, color, at_once=True)
    if as_json:
        for line in view.as_lines(changes):
            screen.write_line(line)
    else:
        for piece in view.render(changes, (before, after), screen.symbols):
            screen.show(piece)
    screen.close()
    return 1 if changes and exit_code else 0


def _exchanges(path: str, complain: Callable[[str], None]) -> list[Exchange]:
    from tracer.engine.stories import told
    from tracer.exchanges import Exchange, assemble, in_order
    from tracer.recording.reader import read

    return [item for item in in_order(told(assemble(read(path, complain)))) if isinstance(item, Exchange)]
