"""Where two JSON values differ, as paths; what was masked in one of them equals anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

LONGEST = 80


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """`HostConfig.Memory was 0 and is 67108864 now`, one for each place; a value of nothing but `*` was a secret."""
    if is_masked(before) and isinstance(after, str):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        for key in [*before, *(key for key in after if key not in before)]:
            inner = f"{place}.{key}" if place else str(key)
            if key not in before:
                yield f"{inner} was not there and is {shown(after[key])} now"
            elif key not in after:
                yield f"{inner} was {shown(before[key])} and is not there now"
            else:
                yield from differences(before[key], after[key], inner)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif not _same(before, after):
        yield f"{place or 'it'} was {shown(before)} and is {shown(after)} now"


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, str) and isinstance(after, str) and "*" in before:
        name, equals, value = before.partition("=")  # a masked value in an environment: NAME=***
        return before == after or (bool(equals) and not value.strip("*") and after.startswith(f"{name}="))
    return bool(before == after and type(before) is type(after))


def is_masked(value: Any) -> bool:
    """Whether a recorded value was replaced by stars."""
    return isinstance(value, str) and value != "" and not value.strip("*")


def shown(value: Any, longest: int = LONGEST) -> str:
    """A value in one line, shortened."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= longest else text[: longest - 1] + "…"
