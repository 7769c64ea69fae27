"""Progress lines of pull, push and load, gathered by layer (moby's jsonmessage: `id`, `status`, `progressDetail`).

There are thousands of them and only some are kept as entries; how far each layer came, and how large it is, is kept
here from all of them.
"""

from __future__ import annotations

from typing import Any

MOST_LAYERS = 1000


class Progress:
    """What is known of each layer."""

    def __init__(self) -> None:
        self.layers: dict[str, dict[str, Any]] = {}
        """By id: the last `status`, and the largest `total` bytes that were named."""

    def take(self, line: Any) -> None:
        """One line of JSON; those that are not about a layer are ignored."""
        if not isinstance(line, dict) or "status" not in line or not isinstance(line.get("id"), str):
            return
        layer = self.layers.get(line["id"])
        if layer is None:
            if len(self.layers) >= MOST_LAYERS or "progressDetail" not in line:
                return
            layer = self.layers[line["id"]] = {"status": "", "total": 0}
        layer["status"] = str(line["status"])
        detail = line.get("progressDetail")
        if isinstance(detail, dict):
            sizes = [detail.get(key) for key in ("total", "current")]
            layer["total"] = max([layer["total"], *(size for size in sizes if isinstance(size, int))])
