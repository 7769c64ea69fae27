"""What the user wants: what to trace, what to keep of it, and what to see; and socktrace's own exit statuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.exchanges import Exchange
    from tracer.views.screen import Color

FAILED = 120
"""socktrace itself failed."""

UNPROVEN = 121
"""A claim of --prove does not hold, though the command succeeded."""


class Show:
    """What the user wants to see."""

    def __init__(
        self,
        verbosity: int = 0,
        live: bool = False,
        json: bool = False,
        quiet: bool = False,
        stories: bool = False,
        waterfall: bool = False,
        prove: bool = False,
        explain: bool = False,
        language: str = "en",
        pace: float | None = None,
        go_on: Callable[[], bool] | None = None,
        output: str | None = None,
        color: Color = "auto",
        filter: Callable[[Exchange], bool] | None = None,
    ) -> None:
        self.verbosity = verbosity
        self.live = live
        self.json = json
        self.quiet = quiet
        self.stories = stories
        self.waterfall = waterfall
        self.prove = prove
        self.explain = explain
        self.language = language
        self.pace = pace
        self.go_on = go_on
        self.output = output
        self.color = color
        self.filter = filter


class Trace:
    """What to trace and what to keep of it: recordings (`writes`) and a report (`html`) in `language`."""

    def __init__(
        self,
        argv: Sequence[str],
        sockets: Sequence[str] = (),
        all_sockets: bool = False,
        redact: bool = True,
        writes: Sequence[str] = (),
        html: str | None = None,
        evidence: bool = False,
        language: str = "en",
    ) -> None:
        self.argv = argv
        self.sockets = sockets
        self.all_sockets = all_sockets
        self.redact = redact
        self.writes = writes
        self.html = html
        self.evidence = evidence
        self.language = language
