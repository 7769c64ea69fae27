"""The beginning of a body, for views that need no more."""

from __future__ import annotations


class Beginning:
    """Keeps the first `limit` bytes of what it is fed, and counts all."""

    def __init__(self, limit: int) -> None:
        self.kept = bytearray()
        self._limit = limit
        self._size = 0

    def feed(self, data: bytes, t: float | None = None) -> None:
        """More of the body."""
        self._size += len(data)
        if len(self.kept) < self._limit:
            self.kept += data[: self._limit - len(self.kept)]

    @property
    def is_cut(self) -> bool:
        """Whether there was more than is kept."""
        return self._size > len(self.kept)
