"""Faults on demand: `POST /containers/*/start=500`, `GET /images/json=delay:2`, `/events=cut`, and `refuse`."""

from __future__ import annotations

import fnmatch

from msgspec import Struct

from tracer.replay.parts import Asked


class FaultError(ValueError):
    """A fault that can't be understood; the message says why and gives an example."""


class Fault(Struct, frozen=True):
    """What is to happen to matching requests: a `status`, a `delay` in seconds, or a `cut` connection.

    `refuse` is about all of them: the socket is there, and nobody listens on it.
    """

    method: str
    path: str
    status: int | None = None
    delay: float = 0.0
    cut: int | None = None
    """After so many bytes of the answer."""
    refuse: bool = False

    def concerns(self, asked: Asked) -> bool:
        """Whether it is about this request; `*` in a path also stands for what is between slashes."""
        return fnmatch.fnmatchcase(asked.method, self.method) and fnmatch.fnmatchcase(asked.path, self.path)


def parse(text: str) -> Fault:
    """`[METHOD] PATH=STATUS | delay:SECONDS | cut[:BYTES]`, or `refuse`. Raises FaultError."""
    if text == "refuse":
        return Fault("", "", refuse=True)
    where, equals, what = text.rpartition("=")
    words = where.split()
    if not equals or not 1 <= len(words) <= 2:
        raise FaultError(f"{text!r} is not a fault: write it as 'POST /containers/*/start=500'")
    method, path = words if len(words) == 2 else ("*", words[0])
    kind, _, value = what.partition(":")
    try:
        if kind == "delay":
            return Fault(method, path, delay=float(value))
        if kind == "cut":
            return Fault(method, path, cut=int(value or 0))
        status = int(kind)
    except ValueError:
        status = 0
    if not 100 <= status <= 599:
        raise FaultError(f"{what!r} is no fault: it is a status, delay:SECONDS, or cut:BYTES")
    return Fault(method, path, status=status)
