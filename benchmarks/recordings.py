"""`show` of large recordings: exchanges a second, bytes a second, the first screen, the memory."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec.structs

from tracer.events import Close, Connect, Data, End, Event, PeerFound
from tracer.recording.reader import read
from tracer.recording.writer import Writer

FIXTURES = Path(__file__).parents[1] / "fixtures"
EXCHANGES = 50_000
GIGABYTE = 1_000_000_000
SCREEN = 50
"""Rows."""


def many(path: Path, exchanges: int) -> None:
    """A recording of one `docker ps` after the other: two exchanges on a connection each."""
    events = list(read(str(FIXTURES / "ps.jsonl")))
    again = [event for event in events if isinstance(event, Moved)]
    others = [event for event in events if event not in again]
    with_end = [event for event in others if isinstance(event, End)]
    writer = Writer(str(path))
    for event in others:
        if not isinstance(event, End):
            writer.write(event)
    for number in range(exchanges // 2):
        for event in again:
            writer.write(_moved(event, number))
    for event in with_end:
        writer.write(_moved(event, exchanges // 2))
    writer.close()


Moved = Connect | Data | PeerFound | Close


def _moved(event: Event, number: int) -> Event:
    """The same, on a connection of its own, a tenth of a second later each time."""
    later: dict[str, float] = {"t": getattr(event, "t", 0.0) + 0.1 * number}
    if isinstance(event, Moved):
        later["conn"] = event.conn + number
    return msgspec.structs.replace(event, **later)


def large(path: Path, size: int) -> None:
    """A recording of one long download with so many bytes."""
    events = list(read(str(FIXTURES / "ps.jsonl")))
    connect = next(event for event in events if isinstance(event, Connect))
    asked = next(event for event in events if isinstance(event, Data) and event.dir == "out")
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nContent-Length: {size}\r\n\r\n".encode()
    get = b"GET /v1.41/images/big/get HTTP/1.1\r\nHost: docker\r\n\r\n"
    piece = os.urandom(1 << 16)
    writer = Writer(str(path))
    for event in (events[0], connect, msgspec.structs.replace(asked, size=len(get), payload=get)):
        writer.write(event)
    left = size
    answer = msgspec.structs.replace(asked, dir="in", syscall="read", size=len(head), payload=head)
    writer.write(answer)
    while left:
        taken = min(left, len(piece))
        left -= taken
        writer.write(msgspec.structs.replace(answer, size=taken, payload=piece[:taken]))
    writer.write(events[-1])
    writer.close()


def shown(socktrace: Path, recording: Path, *options: str) -> tuple[float, float, float]:
    """(seconds, seconds to the first screen, MiB) of one `show`."""
    begun = time.monotonic()
    process = subprocess.Popen([socktrace, "show", *options, recording], stdout=subprocess.PIPE)
    assert process.stdout is not None
    for _ in range(SCREEN):
        process.stdout.readline()
    first = time.monotonic() - begun
    while process.stdout.read(1 << 16):
        continue
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    return time.monotonic() - begun, first, usage.ru_maxrss / 1024


def table(programs: Path) -> Iterator[str]:
    """A row for each recording."""
    socktrace = programs / "socktrace"
    yield "| recording | seconds | rate | first screen | memory |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    with tempfile.TemporaryDirectory() as name:
        for exchanges in (EXCHANGES, 2 * EXCHANGES):
            recording = Path(name) / "many.jsonl"
            many(recording, exchanges)
            for options in ((), ("--json",)):
                taken, first, memory = shown(socktrace, recording, *options)
                what = " ".join(["show", *options])
                rate = f"{exchanges / taken:,.0f} exchanges/s"
                yield f"| {what}, {exchanges:,} exchanges | {taken:.1f} | {rate} | {first:.2f} s | {memory:.0f} MiB |"
        for suffix in ("", ".zst"):
            recording = Path(name) / f"large.jsonl{suffix}"
            large(recording, GIGABYTE)
            size = recording.stat().st_size
            taken, first, memory = shown(socktrace, recording)
            rate = f"{GIGABYTE / taken / 1e6:,.0f} MB/s"
            file = f"1 GB in one answer, file of {size / 1e9:.2f} GB{suffix}"
            yield f"| show, {file} | {taken:.1f} | {rate} | - | {memory:.0f} MiB |"
