"""What a command printed, compared with the answers that it got: which of its words stand in them."""

from __future__ import annotations

import re

from msgspec import Struct

from tracer.engine.progress import trace_message
from tracer.events import Output
from tracer.exchanges import Exchange

CORPUS = 16 << 20
"""Bytes of the answers that are searched."""

_WORD = re.compile(rb"[A-Za-z0-9][\w./:@+-]+")
_HEADING = re.compile(rb"[A-Z]+")
_IDENTIFIER = re.compile(rb"(?:sha256:)?[0-9a-f]{12,64}")


class Compared(Struct, frozen=True):
    """The words of an output, each once: those in the answers, those that are not, and identifiers among the latter."""

    found: list[bytes]
    missing: list[bytes]
    strangers: list[bytes]


class Printed:
    """Gathers both sides of the comparison."""

    def __init__(self) -> None:
        self.size = 0
        """Bytes that were printed, kept or not."""
        self._output = bytearray()
        self._answers = bytearray()

    def wrote(self, event: Output) -> None:
        """The command printed something."""
        self.size += event.size
        self._output += event.payload or b""

    def answered(self, payload: bytes) -> None:
        """The daemon said something."""
        if len(self._answers) < CORPUS:
            self._answers += payload

    def take(self, exchange: Exchange) -> None:
        """What an answer holds in a wrapping: BuildKit's trace lines are messages in base64."""
        body = exchange.response.body if exchange.response else None
        if body is None or body.kind != "jsonlines":
            return
        lines = [line for line in body.preview if isinstance(line, dict) and line.get("id") == "moby.buildkit.trace"]
        for line in lines:
            self._answers += trace_message(line.get("aux"))

    def compared(self) -> Compared | None:
        """None if there is nothing to compare: headings alone are the client's own."""
        words = list(dict.fromkeys(_WORD.findall(bytes(self._output))))
        if all(_HEADING.fullmatch(word) for word in words):
            return None
        answers = bytes(self._answers)
        identifiers = [word for word in words if _IDENTIFIER.fullmatch(word)]
        return Compared(
            [word for word in words if word in answers],
            [word for word in words if word not in answers],
            [word for word in identifiers if word.removeprefix(b"sha256:") not in answers],
        )
