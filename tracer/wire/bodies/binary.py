"""Anything else: the hexadecimal digits of the first bytes."""

from __future__ import annotations

from typing import Any

LIMIT = 64


class BinaryView:
    """Keeps the first LIMIT bytes."""

    def __init__(self) -> None:
        self._kept = b""
        self._size = 0

    def feed(self, data: bytes) -> None:
        """More of the body."""
        self._size += len(data)
        if len(self._kept) < LIMIT:
            self._kept += data[: LIMIT - len(self._kept)]

    def result(self) -> tuple[str, Any, int, bool]:
        """The first bytes in hexadecimal."""
        return "binary", self._kept.hex(), 0, self._size > len(self._kept)
