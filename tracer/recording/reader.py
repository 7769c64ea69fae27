"""Reads a recording: unknown types and keys are skipped, a damaged line ends it with a Note that gives its number."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO

from tracer.events import End, Event, Header, Note
from tracer.recording.files import RecordingError, damage, open_to_read
from tracer.recording.lines import FORMAT, VERSION, decode
from tracer.wire.json_values import parsed


def read(path: str, on_damage: Callable[[str], None] = lambda message: None) -> Iterator[Event]:
    """The events of a recording; the first is its Header.

    Raises RecordingError if the file can't be opened, is not a recording, or is of a newer version. Damage further
    on ends the events with a Note and calls `on_damage` with the same sentence.
    """
    file = open_to_read(path)
    with file:
        yield _header(path, file)
        t = 0.0
        for number, problem, event in _lines(file.readline):
            if event is not None:
                t = getattr(event, "t", t)
                yield event
            elif problem:
                message = _ends_at(path, number, problem)
                on_damage(message)
                yield Note(t=t, message=message)
                return


def follow(path: str, go_on: Callable[[], bool], on_damage: Callable[[str], None]) -> Iterator[Event]:
    """The events of a recording that is being written, up to its end.

    Where there is no more yet, `go_on` is asked; it takes a rest, and says False to give up. Damage and errors are as
    `read` has them. Compressed recordings come in large pieces.
    """
    with open_to_read(path) as file:
        yield _header(path, file)
        for number, problem, event in _lines(partial(_growing, file, go_on)):
            if problem:
                on_damage(_ends_at(path, number, problem))
                return
            if event is not None:
                yield event
            if isinstance(event, End):
                return


def _growing(file: BinaryIO, go_on: Callable[[], bool]) -> bytes:
    """The next line, as soon as it is whole; empty if there is none to come."""
    line = file.readline()
    while not line.endswith(b"\n"):
        if not go_on():
            return b""
        line += file.readline()
    return line


def _ends_at(path: str, number: int, problem: str) -> str:
    return f"{path}, line {number}: {problem}; everything before it is shown"


def _lines(next_line: Callable[[], bytes]) -> Iterator[tuple[int, str, Event | None]]:
    number = 1
    while True:
        number += 1
        try:
            raw = next_line()
        except damage() as error:
            yield number, f"the compressed file is damaged ({error})", None
            return
        if not raw:
            return
        try:
            event = decode(raw)
        except ValueError as error:
            cut = "the line was cut off" if not raw.endswith(b"\n") else f"the line is damaged ({error})"
            yield number, cut, None
            return
        yield number, "", event


def _header(path: str, file: BinaryIO) -> Header:
    try:
        first = file.readline(1 << 20)
    except damage() as error:
        raise RecordingError(f"can't read {path}: {error}") from None
    if not first:
        raise RecordingError(f"{path} is empty: record a command with socktrace -w {path} COMMAND")
    try:
        fields = parsed(first)
    except ValueError:
        fields = None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise RecordingError(f"{path} is not a socktrace recording: its first line is not a header")
    version = fields.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise RecordingError(
            f"{path} has format version {version}, and this socktrace reads up to {VERSION}: install a newer socktrace"
        )
    try:
        header = decode(first)
    except ValueError as error:
        raise RecordingError(f"{path}: the header is damaged ({error})") from None
    if not isinstance(header, Header):
        raise RecordingError(f"{path} is not a socktrace recording: its first line is not a header")
    return header
