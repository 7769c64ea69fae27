"""JSON values from their text and back: msgspec's decoder, which is three to four times as fast as Python's own, and
Python's for what only that takes. Python's module costs milliseconds at the start, so it is imported where it is used.
"""

from __future__ import annotations

from typing import Any

from msgspec.json import decode


def parsed(text: bytes) -> Any:
    """A value. Raises ValueError, also for what is nested too deeply.

    What msgspec refuses and Python takes: NaN and Infinity, numbers too large for IEEE 754, surrogates that stand
    alone, UTF-16, and byte order marks.
    """
    try:
        try:
            return decode(text)
        except ValueError:
            import json

            return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def written(value: Any, indent: int | None = None) -> str:
    """A value on one line, or with its parts indented, characters beyond ASCII as they are."""
    import json

    return json.dumps(value, indent=indent, ensure_ascii=False)
