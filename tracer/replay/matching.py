"""Which recorded request a live one is: one small function for each thing to compare, which says what differs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from tracer.engine.json_diff import differences, shown
from tracer.replay.parts import Asked, Part, tar_listing

SAFE = {"GET", "HEAD"}
"""Methods that change nothing: their last answer is given again."""

Matcher = Callable[[Asked, Asked], str | None]
"""From what was recorded and what is asked now to what differs, in words; None where nothing does."""


def method(recorded: Asked, now: Asked) -> str | None:
    """The method."""
    return None if recorded.method == now.method else f"the method is {recorded.method}"


def path(recorded: Asked, now: Asked) -> str | None:
    """The path without its version prefix."""
    return None if recorded.path == now.path else f"the path is {recorded.path}"


def query(recorded: Asked, now: Asked) -> str | None:
    """The query, by name."""
    for name in sorted({*recorded.query, *now.query}):
        before, after = recorded.query.get(name), now.query.get(name)
        if before != after:
            return f"the query's {name} was {_values(before)} and is {_values(after)} now"
    return None


def _values(values: list[str] | None) -> str:
    return "not there" if values is None else ", ".join(shown(value) for value in values)


def body(recorded: Asked, now: Asked) -> str | None:
    """The body: JSON by its fields, archives by their listing, everything else by its bytes."""
    before, after = recorded.body, now.body
    if before.sha256 == after.sha256:
        return None
    if before.kind != after.kind:
        return f"the body was {before.kind} ({before.size:,} bytes) and is {after.kind} ({after.size:,} bytes) now"
    if before.kind in ("json", "jsonlines"):
        return next(differences(before.preview, after.preview), None)
    if before.kind == "tar":
        return None if tar_listing(before) == tar_listing(after) else "the archive holds other files"
    if before.kind == "text":
        return next(differences(before.preview, after.preview), None)
    return f"the body's {before.size:,} bytes are others"


MATCHERS: dict[str, Matcher] = {"method": method, "path": path, "query": query, "body": body}
"""By the names that --match takes."""


class Mismatch(Struct, frozen=True):
    """A request that was not recorded: what was asked, the exchange that comes closest, and what differs there."""

    asked: Asked
    closest: Part | None
    difference: str

    @property
    def sentence(self) -> str:
        """What was asked and what came closest."""
        told = f"{self.asked.line} is not in the recording"
        if self.closest is None:
            return told
        return f"{told}; closest is exchange {self.closest.number}, {self.closest.asked.line}: {self.difference}"

    @property
    def report(self) -> str:
        """The same over several lines, with all that differs."""
        if self.closest is None:
            return self.sentence
        told = list(all_differences(self.closest.asked, self.asked))[:MOST_DIFFERENCES] or [self.difference]
        where = f"closest is exchange {self.closest.number}, {self.closest.asked.line}:"
        return "\n".join([f"{self.asked.line} is not in the recording", where, *(f"  {line}" for line in told)])


def all_differences(recorded: Asked, now: Asked) -> Iterator[str]:
    """Everything that differs between two requests, not only the first thing."""
    for matcher in (method, path, query):
        said = matcher(recorded, now)
        if said is not None:
            yield said
    if recorded.body.kind == now.body.kind and recorded.body.kind in ("json", "jsonlines", "text"):
        yield from differences(recorded.body.preview, now.body.preview)
    else:
        said = body(recorded, now)
        if said is not None:
            yield said


MOST_DIFFERENCES = 20


class Cast:
    """The parts of a recording, each played once unless `repeat`; safe methods give their last answer again.

    Several threads may ask.
    """

    def __init__(self, parts: Sequence[Part], match: Sequence[str] = tuple(MATCHERS), *, repeat: bool = False) -> None:
        self._parts = list(parts)
        self._matchers = [MATCHERS[name] for name in match]
        self._repeat = repeat
        self._played: dict[int, int] = {}
        self._lock = threading.Lock()
        self.mismatches: list[Mismatch] = []

    def find(self, now: Asked) -> Part | Mismatch:
        """The part that answers a request; it counts as played."""
        with self._lock:
            fitting = [part for part in self._parts if self._difference(part.asked, now) is None]
            part = self._next(fitting, now)
            if part is None:
                mismatch = self._mismatch(now, fitting)
                self.mismatches.append(mismatch)
                return mismatch
            self._played[part.number] = self._played.get(part.number, 0) + 1
            return part

    def _next(self, fitting: list[Part], now: Asked) -> Part | None:
        """The first that was not played yet; all being played, the one played least, or the last of a safe method."""
        fresh = next((part for part in fitting if part.number not in self._played), None)
        if fresh is not None or not fitting:
            return fresh
        if self._repeat:
            return min(fitting, key=lambda part: self._played[part.number])
        return fitting[-1] if _is_repeatable(now) else None

    def _difference(self, recorded: Asked, now: Asked) -> str | None:
        return next((said for matcher in self._matchers if (said := matcher(recorded, now))), None)

    def _mismatch(self, now: Asked, played: list[Part]) -> Mismatch:
        if played:
            return Mismatch(now, played[-1], "it was asked more often than recorded (--repeat allows it)")
        ranked = sorted(self._parts, key=lambda part: -_likeness(part.asked, now))
        closest = ranked[0] if ranked and _likeness(ranked[0].asked, now) > 0 else None
        return Mismatch(now, closest, (closest and self._difference(closest.asked, now)) or "")

    def times(self, number: int) -> int:
        """How often a part has been played."""
        return self._played.get(number, 0)

    @property
    def never_asked(self) -> list[Part]:
        """The parts that nobody asked for."""
        return [part for part in self._parts if part.number not in self._played]


def _is_repeatable(now: Asked) -> bool:
    """Safe methods, and resizes: a client with a terminal tries them again until the container runs."""
    return now.method in SAFE or now.path.endswith("/resize")


def _likeness(recorded: Asked, now: Asked) -> float:
    """How close a recorded request is, for the report: the path counts most."""
    ours, theirs = recorded.path.split("/"), now.path.split("/")
    shared = sum(one == other for one, other in zip(ours, theirs, strict=False)) / max(len(ours), len(theirs))
    same_query = sum(recorded.query.get(name) == values for name, values in now.query.items())
    return 4 * (recorded.path == now.path) + 2 * (recorded.method == now.method) + shared + 0.1 * same_query - 1.5
