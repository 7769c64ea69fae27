"""Which operation of the Docker Engine API a request is: the table in operations.tsv and how paths match it.

Paths come with or without a version prefix (`/v1.41`). podman serves its own API under `/libpod`, with a version of
its own before it. Names of images, plugins and distributions may contain slashes; other ids may not.
"""

from __future__ import annotations

import os
import re
from functools import cache, lru_cache

from msgspec import Struct


class Operation(Struct, frozen=True):
    """One row of the table; `since` and `until` are empty for routes that the specification does not list."""

    tag: str
    method: str
    path: str
    id: str
    since: str
    until: str
    summary: str
    sentence: str

    def link(self, api_version: str | None = None) -> str | None:
        """The operation's page in Docker's reference, in the version asked for as far as that has one."""
        if not self.since:
            return None
        first, last = _version(self.since), _version(self.until)
        wanted = min(max(_version(api_version or self.until), first), last)
        page = f"https://docs.docker.com/reference/api/engine/version/v{wanted[0]}.{wanted[1]}/"
        return f"{page}#tag/{self.tag}/operation/{self.id}"


class Route(Struct, frozen=True):
    """What a request target says: whose API (`docker`, `libpod`), which version, and the path without the prefix."""

    api: str
    version: str | None
    path: str
    operation: Operation | None


def _version(text: str) -> tuple[int, int]:
    major, _, minor = text.partition(".")
    return int(major), int(minor or 0)


_PREFIX = re.compile(r"/v(\d+(?:\.\d+){0,2})(?=/)")
_ABSOLUTE = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_SLASHED = {"images", "distribution", "plugins"}
"""First path segments whose names may contain slashes."""


@cache
def table() -> tuple[Operation, ...]:
    """All known operations, in the order of the file."""
    with open(os.path.join(os.path.dirname(__file__), "operations.tsv"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return tuple(Operation(*row) for row in rows)


@cache
def _routes() -> dict[tuple[str, str], list[tuple[re.Pattern[str], Operation]]]:
    """Patterns by method and first segment; those with fewer placeholders first."""
    found: dict[tuple[str, str], list[tuple[re.Pattern[str], Operation]]] = {}
    for operation in sorted(table(), key=lambda row: row.path.count("{")):
        first = operation.path.split("/")[1]
        key = (operation.method, "" if first.startswith("{") else first)
        found.setdefault(key, []).append((_pattern(operation.path, first), operation))
    return found


def _pattern(path: str, first: str) -> re.Pattern[str]:
    name = ".+" if first in _SLASHED or first.startswith("{") else "[^/]+"
    parts = re.split(r"\{[^}]*\}", path)
    return re.compile(name.join(re.escape(part) for part in parts))


def split_target(target: str) -> tuple[str, str]:
    """(path, query) of a request target in origin or absolute form (RFC 9112 section 3.2)."""
    absolute = _ABSOLUTE.match(target)
    if absolute:
        target = target[absolute.end() :] or "/"
    path, _, query = target.partition("?")
    return path, query.partition("#")[0]


@lru_cache(maxsize=4096)
def route(method: str, path: str) -> Route:
    """The operation that `method` on `path` (without query) is, if it is one."""
    prefix = _PREFIX.match(path)
    version = prefix[1] if prefix else None
    rest = path[prefix.end() :] if prefix else path
    if rest.startswith("/libpod/"):
        return Route("libpod", version, rest.removeprefix("/libpod"), None)
    return Route("docker", version, rest, _operation(method, rest))


def _operation(method: str, path: str) -> Operation | None:
    first = path.split("/")[1] if path.startswith("/") else ""
    for key in ((method, first), (method, "")):
        for pattern, operation in _routes().get(key, ()):
            if pattern.fullmatch(path):
                return operation
    return None
