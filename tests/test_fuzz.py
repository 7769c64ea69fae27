"""A short run of the fuzzer for every decoder, and work that grows with the input and no faster.

The fuzzer needs atheris, which has wheels for x86_64 only. SOCKTRACE_FUZZ is the time for each decoder in seconds.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from types import FrameType

import pytest

from tests.fuzz import TARGETS
from tests.needs import need
from tests.runs import ROOT

SECONDS = os.environ.get("SOCKTRACE_FUZZ", "10" if os.environ.get("CI") else "2")


@pytest.mark.parametrize("target", TARGETS)
def test_no_input_makes_a_decoder_raise_or_hang(target: str) -> None:
    need(importlib.util.find_spec("atheris") is not None, "atheris is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", target, SECONDS], cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr[-3000:]


HEAD = b"POST /build HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
GROWING: dict[str, tuple[str, Callable[[int], bytes]]] = {
    "a head that has no end": ("http", lambda n: b"GET / HTTP/1.1\r\nA: " + b"b" * n),
    "header lines without end": ("http", lambda n: b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (n // 6)),
    "chunks of one byte": ("http", lambda n: HEAD + b"1\r\n{\r\n" * (n // 6)),
    "a chunk extension without end": ("http", lambda n: HEAD + b"1;" + b"x" * min(n, 16000)),
    "empty lines": ("http", lambda n: b"\r\n" * (n // 2)),
    "requests": ("http", lambda n: b"GET / HTTP/1.1\r\n\r\n" * (n // 18)),
    "JSON in JSON": ("bodies", lambda n: b"\x01" + b"[" * n),
    "a JSON string without end": ("bodies", lambda n: b'\x01{"a":"' + b"\\\\" * (n // 2)),
    "JSON lines": ("bodies", lambda n: b"\x01" + b"{}\n" * (n // 3)),
    "empty frames": ("bodies", lambda n: b"\x03" + b"\1\0\0\0\0\0\0\0" * (n // 8)),
    "an archive of empty members": ("bodies", lambda n: b"\x02" + (b"a" + b"\0" * 511) * (n // 512)),
    "messages in messages": ("protobuf", lambda n: b"\x0a\x7f" * (n // 2)),
    "fields": ("protobuf", lambda n: b"\x08\x01" * (n // 2)),
    "handshake records of one byte": ("tls", lambda n: b"\x16\3\3\0\1\1" * (n // 6)),
    "empty records": ("tls", lambda n: b"\x16\3\3\0\0" * (n // 5)),
    "settings frames": ("http2", lambda n: b"\0\0\0\4\0\0\0\0\0" * (n // 9)),
    "empty data frames": ("http2", lambda n: b"\0\0\0\0\0\0\0\0\1" * (n // 9)),
}


@pytest.mark.parametrize("name", GROWING)
def test_work_grows_no_faster_than_the_input(name: str) -> None:
    """Counted in calls and returns of functions, C ones included: the same on every machine."""
    target, make = GROWING[name]
    small, large = (work(TARGETS[target], in_pieces(make(size), target)) for size in (8000, 16000))
    assert large <= 2.3 * small + 500


def in_pieces(data: bytes, target: str) -> bytes:
    """As writes of seven bytes of the client."""
    if target == "protobuf":
        return data
    first, rest = (data[:1], data[1:]) if target == "bodies" else (b"", data)
    runs = [rest[at : at + 7] for at in range(0, len(rest), 7)]
    return first + b"".join(bytes([len(run) - 1]) + run for run in runs)


def work(target: Callable[[bytes], None], data: bytes) -> int:
    target(data[:100])  # what is imported on first use does not count
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(profile)
    try:
        target(data)
    finally:
        sys.setprofile(None)
    return count
