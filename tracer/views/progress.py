"""What is told while work goes on, in one row."""

from __future__ import annotations

from msgspec import Struct

from tracer.engine.names import count, shorten_ids, size
from tracer.exchanges import Exchange
from tracer.views.style import visible


class Progress(Struct):
    """What has been done so far: bytes of both directions, exchanges, and the answer that grows with its entries."""

    sent: int = 0
    received: int = 0
    exchanges: int = 0
    current: Exchange | None = None
    entries: int = 0

    def row(self, seconds: float, columns: int) -> str:
        """The row after so many seconds, no longer than the terminal is wide."""
        moved = self.sent + self.received
        parts = [
            count(self.exchanges, "exchange"),
            f"{size(self.sent)} sent, {size(self.received)} received",
            f"{size(moved / seconds)}/s" if seconds > 0 else "",
            self._now(),
        ]
        text = f"socktrace: {' · '.join(part for part in parts if part)}"
        return text if len(text) < columns else f"{text[: max(0, columns - 2)]}…"

    def _now(self) -> str:
        if self.current is None or self.current.request is None:
            return ""
        head = self.current.request.head
        entries = f"{count(self.entries, 'entry', 'entries')} of " if self.entries else ""
        return f"{entries}{head.method} {shorten_ids(visible(head.target.split('?')[0]))}"
