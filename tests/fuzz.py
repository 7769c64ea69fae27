"""Coverage-guided fuzzing of a decoder: `python -m tests.fuzz TARGET SECONDS` (needs atheris).

Ends with status 0 if no exception escaped, no input took longer than LIMIT and the memory stayed bounded; an input
that did worse is left among the temporary files. The seeds are the bytes of the recordings.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

FIXTURES = Path(__file__).parent.parent / "fixtures"
MAX_INPUT = 16 << 10
LIMIT = 5
"""Seconds for one input of at most MAX_INPUT bytes: a linear decoder, even instrumented, needs a fraction of one."""

LONGEST = 128
"""Bytes of one write."""

INSTRUMENTED = (
    "tracer.engine.stories",
    "tracer.exchanges",
    "tracer.recording.lines",
    "tracer.recording.redact",
    "tracer.views.json_lines",
    "tracer.wire.http2",
    "tracer.wire.streams",
    "tracer.wire.tls.session",
)
"""Imported under the fuzzer's eyes, with all that they import."""

MEDIA_TYPES = (
    "",
    "application/json",
    "application/x-tar",
    "application/vnd.docker.multiplexed-stream",
    "application/vnd.docker.raw-stream",
    "text/plain",
)
CODINGS = ("", "gzip", "deflate", "xz", "bzip2", "zstd")


def pieces(data: bytes) -> Iterator[tuple[bool, bytes]]:
    """The input as writes of two sides: a byte says whose and how long."""
    at = 0
    while at < len(data):
        size = 1 + (data[at] & 0x7F)
        yield data[at] >= 0x80, data[at + 1 : at + 1 + size]
        at += 1 + size


def http(data: bytes) -> None:
    """Both directions of a connection, down to exchanges, through the redaction and to JSON."""
    from tracer.engine.stories import told
    from tracer.events import Close, Connect, Data, Direction, Event
    from tracer.exchanges import Exchange, assemble
    from tracer.recording.redact import redact
    from tracer.views.json_lines import to_object

    events: list[Event] = [Connect(t=0, conn=1, pid=1, tid=1, fd=3, family="unix", address="/x")]
    for inward, piece in pieces(data):
        way: Direction = "in" if inward else "out"
        moved = Data(t=1, conn=1, pid=1, tid=1, fd=3, syscall="read", dir=way, size=len(piece), payload=piece)
        events += [moved] if piece else []
    events.append(Close(t=2, conn=1, pid=1, tid=1))
    masked = list(redact(events))
    sizes = [event.size for event in masked if isinstance(event, Data)]
    assert sizes == [event.size for event in events if isinstance(event, Data)]
    for item in told(assemble(masked)):
        if isinstance(item, Exchange):
            to_object(item)


def http2(data: bytes) -> None:
    """HTTP/2 of both sides."""
    from tracer.wire.http2 import PREFACE, Http2Connection

    connection = Http2Connection()
    connection.feed("out", PREFACE)
    for inward, piece in pieces(data):
        connection.feed("in" if inward else "out", piece)
    for call in connection.calls:
        call.as_object()


def bodies(data: bytes) -> None:
    """A body of any media type and coding."""
    from tracer.wire.bodies import BodyReader

    if not data:
        return
    reader = BodyReader(MEDIA_TYPES[data[0] % len(MEDIA_TYPES)], CODINGS[data[0] // 16 % len(CODINGS)])
    for _, piece in pieces(data[1:]):
        reader.feed(piece)
    reader.finish()


def streams(data: bytes) -> None:
    """A hijacked stream."""
    from tracer.wire.streams import reader_for

    reader = reader_for("tcp", MEDIA_TYPES[3] if data[:1] > b"\x80" else MEDIA_TYPES[4])
    for inward, piece in pieces(data[1:]):
        (reader.received if inward else reader.sent)(piece, 0.0)
    reader.finish()


def tls(data: bytes) -> None:
    """Records of both sides, with a secret for every session."""
    from tracer.wire.tls.keylog import KeyLog
    from tracer.wire.tls.session import Session

    class Knowing(KeyLog):
        def secret(self, random: bytes, label: str) -> bytes | None:
            return bytes(48)

    session = Session(Knowing())
    for inward, piece in pieces(data):
        for _ in session.feed("in" if inward else "out", piece):
            continue
    session.why_not()


def protobuf(data: bytes) -> None:
    """A message without a schema."""
    from tracer.wire.protobuf import decode

    decode(data)


def lines(data: bytes) -> None:
    """A line of a recording."""
    from tracer.recording.lines import decode

    try:
        decode(data)
    except ValueError:
        pass  # a damaged line: the reader says so by its number


TARGETS: dict[str, Callable[[bytes], None]] = {
    "http": http,
    "http2": http2,
    "bodies": bodies,
    "streams": streams,
    "tls": tls,
    "protobuf": protobuf,
    "lines": lines,
}


def seeds(folder: Path, target: str) -> None:
    """The recordings' bytes in the form of the target's input."""
    from tracer.events import Data
    from tracer.recording.reader import read

    for path in FIXTURES.glob("*.jsonl"):
        if target == "lines":
            for number, line in zip(range(20), path.read_bytes().splitlines(), strict=False):
                (folder / f"{path.stem}-{number}").write_bytes(line)
            continue
        moved = [event for event in read(str(path)) if isinstance(event, Data) and event.payload]
        for conn in {event.conn for event in moved}:
            seed = b""
            for event in moved:
                if event.conn == conn and len(seed) < MAX_INPUT:
                    seed += _as_pieces(event.payload or b"", inward=event.dir == "in")
            (folder / f"{path.stem}-{conn}").write_bytes(seed[:MAX_INPUT])


def _as_pieces(payload: bytes, *, inward: bool) -> bytes:
    """The reverse of `pieces`."""
    side = 0x80 if inward else 0
    runs = [payload[at : at + LONGEST] for at in range(0, len(payload), LONGEST)]
    return b"".join(bytes([side | len(run) - 1]) + run for run in runs)


def main() -> None:
    """Fuzz one target for some seconds."""
    import atheris

    target, seconds = sys.argv[1], int(sys.argv[2])
    with atheris.instrument_imports(include=["tracer"]):
        for module in INSTRUMENTED:
            importlib.import_module(module)
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder), target)
        options = [f"-max_total_time={seconds}", f"-timeout={LIMIT}", f"-max_len={MAX_INPUT}", "-rss_limit_mb=1024"]
        found = f"-artifact_prefix={tempfile.gettempdir()}/socktrace-{target}-"
        atheris.Setup([sys.argv[0], *options, "-verbosity=0", found, folder], TARGETS[target])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
