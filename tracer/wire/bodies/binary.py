"""Anything else: the hexadecimal digits of the first bytes."""

from __future__ import annotations

from typing import Any

from tracer.wire.bodies.beginning import Beginning

LIMIT = 64


class BinaryView(Beginning):
    """Keeps the first LIMIT bytes."""

    def __init__(self) -> None:
        super().__init__(LIMIT)

    def result(self) -> tuple[str, Any, int, bool]:
        """The first bytes in hexadecimal."""
        return "binary", self.kept.hex(), 0, self.is_cut
