"""The timeline's details: headers (-v), bodies (-vv), every syscall with its bytes (-vvv)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from tracer.engine.meaning import Meaning
from tracer.engine.names import size
from tracer.exchanges import Call, Exchange, Message
from tracer.views.style import QUIET, Indented, visible
from tracer.wire.bodies import Body
from tracer.wire.streams import Stream


def headers(exchange: Exchange, meaning: Meaning, indent: int, *, bodies: bool) -> Iterator[RenderableType]:
    """The heads of both messages in curl's style, with their bodies if asked for."""
    if meaning.link:
        yield Text(" " * indent + meaning.link, QUIET, no_wrap=True, overflow="ignore")  # one piece, to be clicked
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
            yield Indented(Text(visible(text)), indent + 2)


def stream_lines(stream: Stream) -> Iterator[str]:
    """What a hijacked connection carried from the daemon."""
    if stream.kind == "multiplexed":
        yield from _frame_lines(stream.preview)
        if stream.guessed:
            yield "(told apart by the look of the frames: before API 1.42 the media type does not say)"
    elif stream.kind == "raw":
        yield from str(stream.preview).splitlines()


def _frame_lines(frames: list[dict[str, Any]]) -> Iterator[str]:
    for frame in frames:
        for line in frame["text"].splitlines() or [""]:
            yield f"{frame['stream']}: {line}"


def _message(message: Message, sign: str, indent: int, *, bodies: bool) -> Iterator[RenderableType]:
    for name, value in message.head.headers:
        yield _header(sign, name, value, indent)
    for name, value in message.trailers:
        yield _header(sign, name, f"{value}  (trailer)", indent)
    for oddity in message.head.oddities:
        yield _line("!", oddity, indent)
    if bodies and message.body.kind != "none":
        for text in body_lines(message.body):
            yield Indented(Text(visible(text)), indent + 2)
    elif message.body.size:
        yield Indented(Text(f"{sign} {size(message.body.size)} of {message.body.kind}", QUIET), indent)


def _line(sign: str, text: str, indent: int) -> RenderableType:
    return Indented(Text.assemble((f"{sign} ", QUIET), visible(text)), indent, 4)


def _header(sign: str, name: str, value: str, indent: int) -> RenderableType:
    line = Text.assemble((f"{sign} ", QUIET), (visible(name), "cyan"), (": ", QUIET), visible(value))
    return Indented(line, indent, 4)


def body_lines(body: Body) -> Iterator[str]:
    """The preview of a body as lines of text."""
    if body.kind == "json":
        yield from json.dumps(body.preview, indent=2, ensure_ascii=False).splitlines()
    elif body.kind == "jsonlines":
        for entry in body.preview:
            yield json.dumps(entry, ensure_ascii=False)
    elif body.kind == "tar":
        for member in body.preview:
            yield f"{member['mode']} {member['size']:>12,} {member['type']:<8} {member['name']}"
    elif body.kind == "multiplexed":
        yield from _frame_lines(body.preview)
    elif body.kind == "binary":
        yield " ".join(body.preview[at : at + 4] for at in range(0, len(body.preview), 4))
    else:
        yield from str(body.preview).splitlines()
    if body.cut:
        yield f"(the preview ends here; {size(body.size)} in all)"


def syscalls(exchange: Exchange, indent: int) -> Iterator[RenderableType]:
    """Every syscall of the exchange in strace's style."""
    for call in exchange.calls:
        time = f"{call.t:.6f} [{call.tid}] "
        line = Text.assemble((time, QUIET), (call.syscall, "cyan"), f"({call.fd}, {_bytes(call)}) = {call.size}")
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
