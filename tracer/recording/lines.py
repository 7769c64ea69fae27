"""One event, one line of JSON. Every event class is its own line type, except `data`, whose bytes need a spelling."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from tracer import events
from tracer.events import Data, Direction, Event, Output

FORMAT = "socktrace"
VERSION = 1


class DataLine(Struct, kw_only=True, tag_field="type", tag="data", gc=False):
    """Exactly one of `text` (the bytes are valid UTF-8), `b64` and `omitted` (counted, not kept)."""

    t: float
    conn: int
    pid: int
    tid: int
    fd: int
    syscall: str
    dir: Direction
    size: int
    text: str | UnsetType = UNSET
    b64: bytes | UnsetType = UNSET
    omitted: bool | UnsetType = UNSET
    plain: bool | UnsetType = UNSET


class OutputLine(Struct, kw_only=True, tag_field="type", tag="output", gc=False):
    """As in DataLine: one of `text`, `b64` and `omitted`."""

    t: float
    pid: int
    tid: int
    fd: int
    size: int
    text: str | UnsetType = UNSET
    b64: bytes | UnsetType = UNSET
    omitted: bool | UnsetType = UNSET


Line = (
    events.Header
    | events.Exec
    | events.Fork
    | events.Exit
    | events.Connect
    | events.PeerFound
    | DataLine
    | events.Credentials
    | events.Elsewhere
    | OutputLine
    | events.Failed
    | events.Shutdown
    | events.Close
    | events.TlsSecret
    | events.Tls
    | events.Note
    | events.End
)

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class _AnyLine(Struct):
    type: str


_any_decoder = msgspec.json.Decoder(_AnyLine)
_KNOWN = {str(kind.__struct_config__.tag) for kind in Line.__args__}


def encode(event: Event) -> bytes:
    """The line of an event, with its line feed."""
    line = _data_line(event) if isinstance(event, Data) else _output_line(event) if isinstance(event, Output) else event
    return _encoder.encode(line) + b"\n"


def _data_line(event: Data) -> DataLine:
    line = DataLine(
        t=event.t,
        conn=event.conn,
        pid=event.pid,
        tid=event.tid,
        fd=event.fd,
        syscall=event.syscall,
        dir=event.dir,
        size=event.size,
    )
    if event.plain:
        line.plain = True
    _spell(line, event.payload)
    return line


def _output_line(event: Output) -> OutputLine:
    line = OutputLine(t=event.t, pid=event.pid, tid=event.tid, fd=event.fd, size=event.size)
    _spell(line, event.payload)
    return line


def _spell(line: DataLine | OutputLine, payload: bytes | None) -> None:
    if payload is None:
        line.omitted = True
        return
    try:
        line.text = payload.decode("utf-8")
    except UnicodeDecodeError:
        line.b64 = payload


def _spelled(line: DataLine | OutputLine) -> bytes | None:
    payload: bytes | None = None
    if not isinstance(line.text, UnsetType):
        payload = line.text.encode("utf-8")
    elif not isinstance(line.b64, UnsetType):
        payload = line.b64
    if payload is not None and len(payload) != line.size:
        raise ValueError(f"it holds {len(payload)} bytes and says {line.size}")
    return payload


def decode(raw: bytes) -> Event | None:
    """The event of a line; None for a type that this version does not know. Raises ValueError for a damaged one."""
    try:
        line = _line(raw)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if isinstance(line, OutputLine):
        return Output(t=line.t, pid=line.pid, tid=line.tid, fd=line.fd, size=line.size, payload=_spelled(line))
    return _data_event(line) if isinstance(line, DataLine) else line


def _line(raw: bytes) -> Line | None:
    try:
        return _decoder.decode(raw)
    except msgspec.ValidationError:
        if _any_decoder.decode(raw).type in _KNOWN:
            raise
        return None


def _data_event(line: DataLine) -> Data:
    return Data(
        t=line.t,
        conn=line.conn,
        pid=line.pid,
        tid=line.tid,
        fd=line.fd,
        syscall=line.syscall,
        dir=line.dir,
        size=line.size,
        payload=_spelled(line),
        plain=line.plain is True,
    )
