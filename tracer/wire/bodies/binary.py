"""Anything else: the hexadecimal digits of the first bytes."""

from __future__ import annotations

from typing import Any

from tracer.wire.bodies.beginning import Beginning
from tracer.wire.bodies.pieces import OnEntry

LIMIT = 64


class BinaryView(Beginning):
    """Keeps the first LIMIT bytes."""

    def __init__(self, on_entry: OnEntry | None = None) -> None:
        super().__init__(LIMIT)

    def result(self) -> tuple[str, Any, int, bool]:
        """The first bytes in hexadecimal."""
        return "binary", self.kept.hex(), 0, self.is_cut
