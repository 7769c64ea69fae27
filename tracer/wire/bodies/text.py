"""Text: UTF-8 as far as it goes, the first LIMIT bytes kept."""

from __future__ import annotations

import codecs
from typing import Any

LIMIT = 64 << 10


class TextView:
    """Keeps the beginning."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._size = 0

    def feed(self, data: bytes) -> None:
        """More of the body."""
        self._size += len(data)
        if len(self._kept) < LIMIT:
            self._kept += data[: LIMIT - len(self._kept)]

    def result(self) -> tuple[str, Any, int, bool]:
        """The text, with undecodable bytes replaced."""
        return "text", self._kept.decode("utf-8", "replace"), 0, self._size > len(self._kept)


def matches(media_type: str, start: bytes) -> bool:
    """By name, or by looks: UTF-8 without control characters other than white space and escape."""
    if media_type.startswith("text/") or media_type == "application/x-www-form-urlencoded":
        return True
    try:
        shown = codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return False
    return not any(ord(char) < 32 and char not in "\t\r\n\x1b" for char in shown)
