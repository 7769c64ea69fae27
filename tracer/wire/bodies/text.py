"""Text: UTF-8 as far as it goes, the first LIMIT bytes kept."""

from __future__ import annotations

import codecs
from typing import Any

from tracer.wire.bodies.beginning import Beginning
from tracer.wire.bodies.pieces import OnEntry

LIMIT = 64 << 10


class TextView(Beginning):
    """Keeps the beginning."""

    def __init__(self, on_entry: OnEntry | None = None) -> None:
        super().__init__(LIMIT)

    def result(self) -> tuple[str, Any, int, bool]:
        """The text, with undecodable bytes replaced."""
        return "text", self.kept.decode("utf-8", "replace"), 0, self.is_cut


def matches(media_type: str, start: bytes) -> bool:
    """By name, or by looks: UTF-8 without control characters other than white space and escape."""
    if media_type.startswith("text/") or media_type == "application/x-www-form-urlencoded":
        return True
    try:
        shown = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return not any(ord(char) < 32 and char not in "\t\r\n\x1b" for char in shown)
