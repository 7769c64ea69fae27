"""The timeline's details: headers (-v), bodies (-vv), every syscall with its bytes (-vvv)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

from tracer.engine.meaning import Meaning
from tracer.engine.names import size
from tracer.exchanges import Call, Exchange, Message
from tracer.views.lines import Block, Indented, Whole, styled
from tracer.views.style import QUIET, visible
from tracer.wire.bodies import Body
from tracer.wire.json_values import written
from tracer.wire.streams import Stream


def headers(exchange: Exchange, meaning: Meaning, indent: int, *, bodies: bool) -> Iterator[Block]:
    """The heads of both messages in curl's style, with their bodies if asked for."""
    if meaning.link:
        yield Whole(styled((" " * indent + meaning.link, QUIET)))  # one piece, to be clicked
    if exchange.request is not None:
        head = exchange.request.head
        yield _line(">", f"{head.method} {head.target} HTTP/{head.version}", indent)
        yield from _message(exchange.request, ">", indent, bodies=bodies)
    for interim in exchange.informational:
        yield _line("<", f"HTTP/{interim.version} {interim.status} {interim.reason}", indent)
    if exchange.response is not None:
        head = exchange.response.head
        yield _line("<", f"HTTP/{head.version} {head.status} {head.reason}", indent)
        yield from _message(exchange.response, "<", indent, bodies=bodies)
    if bodies and exchange.stream is not None:
        for text in stream_lines(exchange.stream):
            yield Indented(styled(visible(text)), indent + 2, 2)


def stream_lines(stream: Stream) -> Iterator[str]:
    """What a hijacked connection carried from the daemon."""
    lines = [*_output_lines(stream.preview or [])]
    lines += [(each["t"], f"the terminal is {each['w']}×{each['h']} (exchange {each['n']})") for each in stream.resizes]
    if stream.stdin_closed is not None:
        lines.append((stream.stdin_closed, "stdin closed by the client"))
    for t, line in sorted(lines, key=lambda line: line[0] or 0):
        yield _time(t) + line
    if stream.guessed:
        yield GUESSED
    for call in stream.calls:
        yield from _call_lines(call)


GUESSED = "(a guess by the look of the bytes: before API 1.42 the media type does not say if a terminal wrote them)"


def _output_lines(pieces: list[dict[str, Any]]) -> Iterator[tuple[float | None, str]]:
    """Pieces of one stream that follow each other are shown as one, with the time of the first."""
    for stream, group in groupby(pieces, lambda piece: piece["stream"]):
        run = list(group)
        first, text = run[0], "".join(piece["text"] for piece in run)
        for line in text.replace("\r\n", "\n").split("\n"):
            if line:
                yield first.get("t"), f"{stream}: {line}"


def _time(t: float | None) -> str:
    return "" if t is None else f"{t:.3f} "


def _call_lines(call: dict[str, Any]) -> Iterator[str]:
    yield f"{_time(call['began'])}{call['caller']} calls {call['service']}/{call['method']}"
    for message in call["messages"]:
        shown = "(secret)" if message.get("masked") else _fields(message["fields"])
        yield f"  {_time(message['t'])}{message['by']}, {size(message['size'])}: {shown}"


def _fields(fields: dict[str, Any] | None) -> str:
    """The fields of a protobuf message by number: `1="Dockerfile" 2={1=5}`."""
    if fields is None:
        return "(not decoded)"
    return " ".join(f"{number}={_value(value)}" for number, value in fields.items()) or "(empty)"


def _value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_value(item) for item in value)}]"
    if isinstance(value, dict):
        return f"<{value['bytes']} bytes {value['hex']}>" if "hex" in value else f"{{{_fields(value)}}}"
    return written(value)


def _message(message: Message, sign: str, indent: int, *, bodies: bool) -> Iterator[Block]:
    for name, value in message.head.headers:
        yield _header(sign, name, value, indent)
    for name, value in message.trailers:
        yield _header(sign, name, f"{value}  (trailer)", indent)
    for oddity in message.head.oddities:
        yield _line("!", oddity, indent)
    if bodies and message.body.kind != "none":
        for text in body_lines(message.body):
            yield Indented(styled(visible(text)), indent + 2)
    elif message.body.size:
        yield Indented(styled((f"{sign} {size(message.body.size)} of {message.body.kind}", QUIET)), indent)


def _line(sign: str, text: str, indent: int) -> Block:
    return Indented(styled((f"{sign} ", QUIET), visible(text)), indent, 4)


def _header(sign: str, name: str, value: str, indent: int) -> Block:
    line = styled((f"{sign} ", QUIET), (visible(name), "cyan"), (": ", QUIET), visible(value))
    return Indented(line, indent, 4)


def body_lines(body: Body) -> Iterator[str]:
    """The preview of a body as lines of text."""
    if body.kind == "json":
        yield from written(body.preview, indent=2).splitlines()
    elif body.kind == "jsonlines":
        for entry in body.preview:
            yield written(entry)
    elif body.kind == "tar":
        for member in body.preview:
            yield f"{member['mode']} {member['size']:>12,} {member['type']:<8} {member['name']}"
    elif body.kind == "multiplexed":
        yield from (_time(t) + line for t, line in _output_lines(body.preview))
    elif body.kind == "binary":
        yield " ".join(body.preview[at : at + 4] for at in range(0, len(body.preview), 4))
    else:
        yield from str(body.preview).splitlines()
    if body.guessed:
        yield GUESSED
    if body.cut:
        yield f"(the preview ends here; {size(body.size)} in all)"


def syscalls(exchange: Exchange, indent: int) -> Iterator[Block]:
    """Every syscall of the exchange in strace's style."""
    for call in exchange.calls:
        time = f"{call.t:.6f} [{call.tid}] "
        line = styled((time, QUIET), (call.syscall, "cyan"), f"({call.fd}, {_bytes(call)}) = {call.size}")
        yield Indented(line, indent, 2)


_NAMED = {0x0A: "\\n", 0x0D: "\\r", 0x09: "\\t", 0x22: '\\"', 0x5C: "\\\\"}


def _bytes(call: Call) -> str:
    """The bytes as a C string literal."""
    pieces = call.pieces
    if not pieces or pieces[0] is None:
        return "(bytes not kept)"
    return '"' + "".join(_escaped(byte) for byte in pieces[0]) + '"'


def _escaped(byte: int) -> str:
    return _NAMED.get(byte) or (chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}")
