"""Hijacked streams: told apart by name, by what is known of the container, or by their look, which is a guess."""

from __future__ import annotations

from typing import Any

import pytest

from tracer.wire.bodies.multiplexed import MEDIA_TYPE
from tracer.wire.streams import Stream, reader_for, settled

FRAMES = b"\x01\0\0\0\0\0\0\x04out\n" + b"\x02\0\0\0\0\0\0\x04err\n"
RAW = "application/vnd.docker.raw-stream"
TERMINAL = b"/ # \x1b[6nls\r\nbin  dev\r\n"


def read(received: bytes, media_type: str = RAW, protocol: str = "tcp", step: int = 1 << 20) -> Stream:
    reader = reader_for(protocol, media_type)
    reader.sent(b"ls\n", 1.0)
    for at in range(0, len(received), step):
        reader.received(received[at : at + step], 2.0)
    reader.half_closed(3.0)
    return reader.finish()


def told(stream: Stream) -> list[tuple[Any, ...]]:
    return [(piece["stream"], piece["text"], piece["t"]) for piece in stream.preview or []]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 9, 100])
def test_frames_are_split_however_they_come(step: int) -> None:
    stream = read(FRAMES, MEDIA_TYPE, step=step)
    assert (stream.kind, stream.bytes_out, stream.stdout, stream.stderr) == ("multiplexed", 3, 4, 4)
    assert told(stream) == [("stdin", "ls\n", 1.0), ("stdout", "out\n", 2.0), ("stderr", "err\n", 2.0)]
    assert not stream.guessed
    assert stream.stdin_closed == 3.0


def test_without_a_media_type_the_look_tells_and_that_is_said() -> None:
    stream = read(FRAMES)
    assert (stream.kind, stream.guessed) == ("multiplexed", True)


@pytest.mark.parametrize(
    "output",
    [TERMINAL, b"\x01\0\0\0 looks like a header and is not", FRAMES + b"\x01\0\0\0\0\0\0\x09cut", b"\x01\0\0"],
)
def test_a_terminals_output_stays_as_it_is(output: bytes) -> None:
    stream = read(output)
    assert (stream.kind, stream.stdout, stream.guessed) == ("raw", len(output), True)
    assert told(stream) == [("stdin", "ls\n", 1.0), ("terminal", output.decode(), 2.0)]


def test_a_terminal_that_prints_what_looks_like_frames_is_not_corrupted_once_that_is_known() -> None:
    stream = settled(read(FRAMES), terminal=True)
    assert (stream.kind, stream.guessed) == ("raw", False)
    assert told(stream)[1] == ("terminal", FRAMES.decode(), 2.0)


def test_frames_that_are_cut_off_are_frames_where_the_container_has_no_terminal() -> None:
    stream = settled(read(FRAMES + b"\x01\0\0\0\0\0\0\x09cut"), terminal=False)
    assert (stream.kind, stream.stdout, stream.guessed) == ("multiplexed", 7, False)


def test_a_character_that_is_cut_by_a_frame_is_one_character() -> None:
    cut = b"\x01\0\0\0\0\0\0\x01\xc3" + b"\x01\0\0\0\0\0\0\x01\xa9"
    assert [piece["text"] for piece in read(cut, MEDIA_TYPE).preview or []] == ["ls\n", "", "é"]


def test_entries_are_told_as_they_come() -> None:
    entries: list[Any] = []
    reader = reader_for("tcp", MEDIA_TYPE, entries.append)
    reader.received(FRAMES[:12], 1.0)
    assert [entry["text"] for entry in entries] == ["out\n"]
    reader.received(FRAMES[12:], 2.0)
    assert [(entry["stream"], entry["t"]) for entry in entries] == [("stdout", 1.0), ("stderr", 2.0)]


def test_other_protocols_are_counted() -> None:
    assert read(FRAMES, protocol="websocket") == Stream("opaque", 3, len(FRAMES))
