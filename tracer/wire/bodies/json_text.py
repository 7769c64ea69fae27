"""JSON, and JSON lines: Docker sends both as application/json.

One value is `json`. Several values, each on its line, are `jsonlines`: they are read as they come and only the
first and the last ones are kept, since `docker events` never ends. RFC 7464's record separator (0x1E), which newer
daemons put before each value, is taken as white space.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from tracer.wire.bodies.pieces import OnEntry
from tracer.wire.bodies.progress import Progress
from tracer.wire.json_values import parsed

LIMIT = 4 << 20
"""A single JSON value larger than this is counted and not parsed."""

FIRST, LAST = 200, 200
"""How many lines are kept from each end of a stream."""

MEDIA_TYPES = {"application/json", "application/x-ndjson", "application/jsonl", "application/json-seq"}


class JsonView:
    """Collects one value, or lines of values."""

    def __init__(self, on_entry: OnEntry | None = None) -> None:
        self.progress = Progress()
        self._on_entry = on_entry
        self._pending = bytearray()
        self._scanned = 0
        self._first: list[Any] = []
        self._last: deque[Any] = deque(maxlen=LAST)
        self._count = 0
        self._whole = False
        """The first line is not a value of its own: this is one value over many lines."""
        self._too_long = False

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the body."""
        if self._too_long:
            return
        self._pending += data
        if not self._whole:
            self._take_lines()
        if len(self._pending) > LIMIT:
            self._too_long = True
            del self._pending[LIMIT:]

    def _take_lines(self) -> None:
        start = 0
        while (end := self._pending.find(b"\n", max(start, self._scanned))) >= 0:
            line = bytes(self._pending[start:end]).strip(b" \t\r\x1e")
            if line and not self._add(line):
                if self._count == 0:
                    self._whole = True
                    break
                self._keep(line.decode("utf-8", "replace"))
            start = end + 1
        del self._pending[:start]
        self._scanned = len(self._pending)

    def _add(self, line: bytes) -> bool:
        try:
            self._keep(parsed(line))
        except ValueError:
            return False
        return True

    def _keep(self, value: Any) -> None:
        self._count += 1
        self.progress.take(value)
        if self._on_entry is not None:
            self._on_entry(value)
        if len(self._first) < FIRST:
            self._first.append(value)
        else:
            self._last.append(value)

    def result(self) -> tuple[str, Any, int, bool]:
        """One value as `json`, several as `jsonlines`, and `text` for what does not parse."""
        rest = bytes(self._pending).strip(b" \t\r\n\x1e")
        if rest and not self._too_long and self._add(rest):
            rest = b""
        if self._count == 1 and not rest:
            return "json", self._first[0], 0, False
        if self._count:
            if rest:
                self._keep(rest.decode("utf-8", "replace"))
            kept = [*self._first, *self._last]
            return "jsonlines", kept, self._count, len(kept) < self._count
        return "text", rest[: 64 << 10].decode("utf-8", "replace"), 0, len(rest) > 64 << 10


def matches(media_type: str, start: bytes) -> bool:
    """By name, or for a body without a known media type by its first character."""
    if media_type in MEDIA_TYPES or media_type.endswith("+json"):
        return True
    return media_type in ("", "application/octet-stream") and start.lstrip()[:2] in (b'{"', b"[{", b"[]", b"{}", b'["')
