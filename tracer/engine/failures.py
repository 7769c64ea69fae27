"""Why a connection could not be made, in words, and what to do about it (errno values: connect(2), unix(7))."""

from __future__ import annotations

import errno
import os

from tracer.events import Connect

UNIX_ADVICE = {
    "ENOENT": (
        "There is no such socket. Is Docker installed and its daemon running (systemctl start docker)? "
        "Or do DOCKER_HOST or the docker context point to the wrong place?"
    ),
    "EACCES": (
        "Your user may not write to the socket. Become a member of the socket's group "
        "(sudo usermod -aG docker $USER, then log in again), or use sudo socktrace"
    ),
    "ECONNREFUSED": (
        "The socket file is there, but nobody listens on it: the daemon has stopped. Start it (systemctl start docker)"
    ),
    "ENOTDIR": "A part of the path is not a directory: check DOCKER_HOST",
    "EAGAIN": "The daemon does not accept connections fast enough: its queue is full",
    "EPROTOTYPE": "The socket is of another type: this is not a Docker daemon's socket",
}
INET_ADVICE = {
    "ECONNREFUSED": (
        "Nobody listens on that port. Does the daemon run with -H tcp://, and is it 2375 or, with TLS, 2376?"
    ),
    "ETIMEDOUT": "No answer: is the host up, and does a firewall let the port through?",
    "EHOSTUNREACH": "There is no route to that host",
    "ENETUNREACH": "There is no route to that network",
}


def in_words(name: str) -> str:
    """`No such file or directory` for ENOENT."""
    number = getattr(errno, name, None)
    return os.strerror(number) if isinstance(number, int) else name


def advice(connect: Connect) -> str | None:
    """What a failed connect means and what to do; None for a connection that was made."""
    if connect.error is None:
        return None
    table = UNIX_ADVICE if connect.family == "unix" else INET_ADVICE
    return table.get(connect.error, in_words(connect.error))
