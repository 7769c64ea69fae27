"""The objects of `--json` in one array, for programs that read a file at once."""

from __future__ import annotations

import json
from collections.abc import Iterator

from tracer.views.exports import Recorded
from tracer.views.json_lines import to_object


def export(recorded: Recorded) -> Iterator[bytes]:
    """The array, an object a line."""
    lines = [json.dumps(to_object(exchange), ensure_ascii=False) for exchange in recorded.exchanges]
    yield ("[\n" + ",\n".join(lines) + "\n]\n").encode()
