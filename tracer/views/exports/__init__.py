"""A recording in the formats of other tools: one module a format, and a table that names them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec import Struct

from tracer.events import Event, Header
from tracer.exchanges import Exchange


class Recorded(Struct):
    """What is exported: the run, its exchanges in the order of their requests, and its events, as often as needed.

    `language` is that of what is written for people to read, where the format has it.
    """

    header: Header
    exchanges: list[Exchange]
    events: Callable[[], Iterator[Event]]
    language: str = "en"


class Format(NamedTuple):
    """A format: which module of this package makes it, what it is, and how much of each body it wants to have."""

    module: str
    what: str
    bodies: int = 0


FORMATS: dict[str, Format] = {
    "html": Format("html", "a report in one page, for a browser"),
    "har": Format("har", "HTTP Archive 1.2, for the developer tools of browsers", 4 << 20),
    "pcapng": Format("pcapng", "packets, for Wireshark and tshark"),
    "curl": Format("curl", "a shell script that makes the requests again with curl", 16 << 20),
    "python": Format("python", "a Python program that makes them with the docker SDK or requests", 16 << 20),
    "mermaid": Format("mermaid", "a sequence diagram, for Markdown"),
    "svg": Format("svg", "the same as a picture"),
    "asciicast": Format("asciicast", "a film for asciinema: the command's output with its calls between"),
    "markdown": Format("markdown", "a report for an issue"),
    "json": Format("json_array", "the objects of --json in one array"),
    "allowlist": Format("allowlist", "what a socket proxy has to allow"),
    "otlp": Format("otlp", "spans of OpenTelemetry, in the JSON of its protocol"),
}
"""By the name that `export -f` takes."""


def export(name: str, recorded: Recorded) -> Iterator[bytes]:
    """The file's content, piece by piece."""
    from importlib import import_module

    made: Iterator[bytes] = import_module(f"{__name__}.{FORMATS[name].module}").export(recorded)
    return made
