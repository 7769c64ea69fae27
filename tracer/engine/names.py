"""Names, ids and sizes in the form in which docker prints them."""

from __future__ import annotations

import re

_HEX_ID = re.compile(r"(?:sha256:)?([0-9a-f]{64})")
_LONG_HEX = re.compile(r"\b(sha256:)?([0-9a-f]{64})\b")
SHORT = 12


def short_id(value: object) -> str:
    """The first twelve digits of an id, without `sha256:`; anything else as it is."""
    text = str(value)
    found = _HEX_ID.fullmatch(text)
    return found[1][:SHORT] if found else text


def shorten_ids(text: str) -> str:
    """A text with every full id in it shortened to twelve digits and an ellipsis."""
    return _LONG_HEX.sub(lambda found: f"{found[1] or ''}{found[2][:SHORT]}…", text)


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 container`, `3 containers`, `no containers`."""
    plural = many or f"{one}s"
    return f"no {plural}" if number == 0 else f"{number:,} {one if number == 1 else plural}"


def size(number: float) -> str:
    """Bytes as docker prints them: decimal units, three digits."""
    if number < 1000:
        return f"{number:.0f} B"
    for unit in ("kB", "MB", "GB", "TB", "PB"):
        number /= 1000
        if number < 999.5 or unit == "PB":
            break
    digits = 2 if number < 9.995 else 1 if number < 99.95 else 0
    return f"{number:.{digits}f} {unit}"


def listed(names: list[str], most: int = 3) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


def duration(seconds: float) -> str:
    """Milliseconds below one second, else seconds."""
    if seconds < 0.01:
        return f"{seconds * 1000:.1f} ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"
