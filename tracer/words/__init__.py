"""The sentences of explanations, verdicts and diagnoses, in English and Vietnamese: one catalogue a language.

A catalogue is a TOML file; `say("en", "proof.root.holds", pid=7)` takes the text at `[proof.root] holds` and fills in
`{pid}`. Code never holds such a sentence itself, and every key is in every catalogue: a test looks.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import Any

from msgspec import Struct

LANGUAGES = ("en", "vi")


class Said(Struct, frozen=True):
    """A key of the catalogues and the values for its placeholders."""

    key: str
    values: dict[str, Any] = {}


def language(wanted: str | None, environment: Mapping[str, str]) -> str:
    """`wanted`, or what LC_ALL, LC_MESSAGES or LANG ask for (locale(7)), if there is a catalogue; else English."""
    names = [wanted] if wanted else [environment.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG")]
    chosen = next((name for name in names if name), "")
    code = chosen.split("_")[0].split(".")[0]
    return code if code in LANGUAGES else "en"


@cache
def catalogue(language: str) -> dict[str, str]:
    """All texts of a language by their dotted keys."""
    import tomllib

    found: dict[str, str] = {}
    folder = os.path.join(os.path.dirname(__file__), language)
    for name in sorted(os.listdir(folder)):
        if name.endswith(".toml"):
            with open(os.path.join(folder, name), "rb") as file:
                _flatten(tomllib.load(file), "", found)
    return found


def _flatten(table: dict[str, Any], prefix: str, found: dict[str, str]) -> None:
    for key, value in table.items():
        if isinstance(value, dict):
            _flatten(value, f"{prefix}{key}.", found)
        else:
            found[prefix + key] = " ".join(str(value).split())


class _Number(int):
    """A number that brings its noun: `{n:connection|connections}` is `1 connection` or `3 connections`."""

    def __format__(self, spec: str) -> str:
        one, bar, many = spec.partition("|")
        if not bar:
            return int(self).__format__(spec)
        return f"{int(self):,} {one if self == 1 else many}"


def say(language: str, key: str, **values: object) -> str:
    """The text at `key` in a language, with its placeholders filled in; a bare number is an id, written as it is."""
    told = {name: _Number(value) if type(value) is int else value for name, value in values.items()}
    return catalogue(language)[key].format(**told)
