"""A shell script that makes the same requests again, one after the other, with curl(1).

The endpoint can be changed: DOCKER_SOCKET is another Unix socket. Hijacked connections are left out: curl does not
speak on them. An id that a daemon gives is put into a variable, and what named it then names the variable now.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Iterator

from tracer.engine.meaning import meaning_of
from tracer.engine.rerun import Call, Names, calls
from tracer.engine.urls import url
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded

LEFT_OUT = {"host", "content-length", "transfer-encoding", "user-agent", "connection", "upgrade", "accept-encoding"}
"""Headers that curl makes itself, or that describe this one transfer."""


def export(recorded: Recorded) -> Iterator[bytes]:
    """The script, for sh(1)."""
    yield b"#!/bin/sh\n# The requests of: " + shlex.join(recorded.header.argv).replace("\n", " ").encode()
    yield b"\n# Made by socktrace. Look at it before you run it: it does what was done then.\nset -u\n"
    names = Names()
    for call in calls(recorded.exchanges, names):
        yield ("\n" + "\n".join(_call(call, names)) + "\n").encode()
    yield b"\nwait\n"


def _call(call: Call, names: Names) -> Iterator[str]:
    exchange = call.exchange
    assert exchange.request is not None
    status = str(exchange.response.head.status) if exchange.response else "no response"
    yield f"# {exchange.number}: {meaning_of(exchange).summary or exchange.request.head.method} ({status})"
    body = exchange.request.body
    if exchange.upgrade:
        yield f"# left out: a connection that becomes {exchange.upgrade} is more than curl can hold"
    elif body.size and body.raw is None:
        yield f"# left out: its body of {body.size:,} bytes is more than an export keeps"
    else:
        yield from _around(call, _curl(exchange, names), body.raw)


def _around(call: Call, curl: str, body: bytes | None) -> Iterator[str]:
    """The command with what goes in, and where what comes out goes."""
    before, after = ("", " </dev/null") if not body else (f"printf %s {shlex.quote(_text(body) or '')} | ", "")
    if body and _text(body) is None:
        before, after = "base64 -d <<'END' | ", ""
    line = f"{before}{curl}{after}"
    if call.gives:
        line = f'{call.gives}=$({line} | tee /dev/stderr | sed -n \'s/.*"Id": *"\\([^"]*\\)".*/\\1/p\')'
    yield f"{line} &" if call.waits else line
    if body and _text(body) is None:
        yield base64.encodebytes(body).decode().rstrip("\n")
        yield "END"
    if call.waits:
        yield "sleep 0.5  # the daemon has to know of it before the next request"


def _curl(exchange: Exchange, names: Names) -> str:
    assert exchange.request is not None
    head = exchange.request.head
    words = ["curl", "-sS"]
    if exchange.party.connect.family == "unix":
        words += ["--unix-socket", f'"${{DOCKER_SOCKET:-{exchange.party.connect.address}}}"']
    if exchange.party.tls is not None:
        keys = {"cacert": "ca", "cert": "cert", "key": "key"}
        words += [word for name, file in keys.items() for word in (f"--{name}", f'"$DOCKER_CERT_PATH/{file}.pem"')]
    words += ["-I"] if head.method == "HEAD" else ["-X", shlex.quote(head.method)]
    for name, value in head.headers:
        if name.lower() not in LEFT_OUT:
            words += ["-H", shlex.quote(f"{name}: {value}")]
    words += ["--data-binary", "@-"] if exchange.request.body.size else []
    parts = names.split(url(exchange))
    words.append("".join(f'"${variable}"' if variable else shlex.quote(text) for text, variable in parts))
    return " ".join(words)


def _text(body: bytes) -> str | None:
    """A body that can stand in a script as it is."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return None
    return None if "\0" in text or "\r" in text else text
