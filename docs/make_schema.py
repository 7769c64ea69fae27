"""Writes the JSON Schema of a recording's lines: `python -m docs.make_schema`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from tracer.recording.lines import Line

PATH = Path(__file__).parent / "recording.schema.json"


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12 of one line, whatever its type."""
    made = msgspec.json.schema(Line)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a socktrace recording, version 1",
        **made,
    }


def main() -> None:
    """Write it."""
    PATH.write_text(json.dumps(schema(), indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
