"""Hijacked streams: told apart by name where there is one, by their look where there is none."""

from __future__ import annotations

import pytest

from tracer.wire.streams import MULTIPLEXED, Stream, reader_for

FRAMES = b"\x01\0\0\0\0\0\0\x04out\n" + b"\x02\0\0\0\0\0\0\x04err\n"
RAW = "application/vnd.docker.raw-stream"
TERMINAL = b"/ # \x1b[6nls\r\nbin  dev\r\n"


def read(received: bytes, media_type: str = RAW, protocol: str = "tcp", step: int = 1 << 20) -> Stream:
    reader = reader_for(protocol, media_type)
    reader.sent(b"ls\n")
    for at in range(0, len(received), step):
        reader.received(received[at : at + step])
    return reader.finish()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 8, 9, 100])
def test_frames_are_split_however_they_come(step: int) -> None:
    stream = read(FRAMES, MULTIPLEXED, step=step)
    assert (stream.kind, stream.bytes_out, stream.stdout, stream.stderr) == ("multiplexed", 3, 4, 4)
    assert [(frame["stream"], frame["text"]) for frame in stream.preview] == [("stdout", "out\n"), ("stderr", "err\n")]
    assert not stream.guessed


def test_without_a_media_type_the_look_tells_and_that_is_said() -> None:
    stream = read(FRAMES)
    assert (stream.kind, stream.guessed) == ("multiplexed", True)


@pytest.mark.parametrize(
    "output",
    [TERMINAL, b"", b"\x01\0\0\0 looks like a header and is not", FRAMES + b"\x01\0\0\0\0\0\0\x09cut", b"\x01\0\0"],
)
def test_a_terminals_output_stays_as_it_is(output: bytes) -> None:
    stream = read(output)
    assert (stream.kind, stream.stdout) == ("raw", len(output))
    assert stream.preview == output.decode()


def test_other_protocols_are_counted() -> None:
    assert read(FRAMES, protocol="websocket") == Stream("opaque", 3, len(FRAMES))
