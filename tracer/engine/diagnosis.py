"""Why an exchange failed, and what to do about it: rules as data, from what was seen on the wire to a sentence's key.

Errno values: connect(2), unix(7), tcp(7). Messages are those of dockerd and of the registries that it asks.
"""

from __future__ import annotations

import errno
import os
import re
from typing import Any

from tracer.engine import responses, tls
from tracer.events import Connect
from tracer.exchanges import Exchange
from tracer.words import Said

UNIX = {
    "ENOENT": "socket_missing",
    "EACCES": "socket_forbidden",
    "EPERM": "socket_forbidden",
    "ECONNREFUSED": "socket_dead",
    "ENOTDIR": "path_wrong",
    "EAGAIN": "socket_busy",
    "EPROTOTYPE": "socket_other",
}
INET = {
    "ECONNREFUSED": "tcp_refused",
    "ETIMEDOUT": "tcp_timeout",
    "EHOSTUNREACH": "tcp_unreachable",
    "ENETUNREACH": "tcp_unreachable",
}
MESSAGES = (
    (
        r"client version (?P<version>\S+) is too new\. Maximum supported API version is (?P<limit>[\d.]*\d)",
        "client_too_new",
    ),
    (
        r"client version (?P<version>\S+) is too old\. Minimum supported API version is (?P<limit>[\d.]*\d)",
        "client_too_old",
    ),
    (r"Client sent an HTTP request to an HTTPS server", "plain_to_tls"),
    (r"No such image: (?P<name>\S+)", "no_image"),
    (r"No such container: (?P<name>\S+)", "no_container"),
    (r"manifest (for .* )?(unknown|not found)|manifest unknown", "no_manifest"),
    (r"unauthorized|authentication required|no basic auth credentials|access denied|denied: ", "registry_denied"),
    (r"x509: ", "registry_certificate"),
    (r"(Get|Post|Head) \"https?://.*(dial tcp|no such host|i/o timeout|connection refused)", "registry_unreachable"),
    (r"name .* is already in use", "name_taken"),
    (r"port is already allocated|address already in use", "port_taken"),
    (r"executable file not found|no such file or directory: unknown", "no_program"),
    (r"is not running", "not_running"),
    (r"cannot remove a running container|container is running|Stop the container before", "running"),
    (r"unable to (delete|remove)|has active endpoints|volume is in use", "in_use"),
    (r"no space left on device", "disk_full"),
    (r"This node is not (a swarm manager|part of a swarm)", "swarm"),
)
STATUSES = {400: "bad_request", 401: "registry_denied", 403: "forbidden", 404: "not_found", 409: "conflict"}


def of_connect(connect: Connect) -> Said | None:
    """Why a connection could not be made; None for one that was, and for sockets that are no daemon's."""
    if connect.error is None or connect.other:
        return None
    table = UNIX if connect.family == "unix" else INET
    values = {"address": connect.address, "error": in_words(connect.error), "owner": _owner(connect)}
    return Said(f"diagnosis.{table.get(connect.error, 'connect_other')}", values)


def _owner(connect: Connect) -> str:
    """` (mode 0660, gid 998)`, where the file could be looked at."""
    file = connect.file
    return f" (mode {file.mode}, uid {file.uid}, gid {file.gid})" if file else ""


def in_words(name: str) -> str:
    """`No such file or directory` for ENOENT."""
    number = getattr(errno, name, None)
    return os.strerror(number) if isinstance(number, int) else name


def of_exchange(exchange: Exchange) -> Said | None:
    """Why an exchange failed; None for one that did not, or that is no failure to its client (a 404 of docker cp)."""
    if exchange.party.connect.error is not None:
        return of_connect(exchange.party.connect)
    about_tls = _about_tls(exchange)
    if about_tls is not None:
        return about_tls
    response = exchange.response
    if response is None:
        return _unanswered(exchange) if exchange.request is not None and exchange.failure else None
    status = response.head.status
    message = _late_error(response.body.preview) if status == 200 else responses.error_message(response.body)
    if status == 200 and message is None:
        return None
    if status < 400 and status != 200:
        return None
    return _by_message(message or "") or _by_status(status, message)


def _unanswered(exchange: Exchange) -> Said:
    if "the client closed" in (exchange.failure or ""):
        return Said("diagnosis.unanswered")
    return Said("diagnosis.ssh" if exchange.party.connect.family == "pipe" else "diagnosis.gone")


def _about_tls(exchange: Exchange) -> Said | None:
    if exchange.failure and exchange.party.tls is not None:
        return tls.trouble(exchange.party) or (Said("diagnosis.tls") if exchange.party.tls.problem else None)
    if "these bytes are TLS" not in (exchange.failure or ""):
        return None
    answered = exchange.response is not None or "the answer is plain HTTP" in (exchange.failure or "")
    return Said("diagnosis.tls_to_plain" if answered else "diagnosis.tls")


def _late_error(preview: Any) -> str | None:
    """The error in a stream of JSON lines that came after the status 200."""
    lines = preview if isinstance(preview, list) else [preview]
    errors = (
        line["error"] for line in reversed(lines) if isinstance(line, dict) and isinstance(line.get("error"), str)
    )
    return next(errors, None)


def _by_message(message: str) -> Said | None:
    for pattern, key in MESSAGES:
        found = re.search(pattern, message, re.IGNORECASE)
        if found:
            return Said(f"diagnosis.{key}", found.groupdict())
    return None


def _by_status(status: int, message: str | None) -> Said | None:
    if message is None:
        return None
    if status == 200:
        return Said("diagnosis.late", {"message": message})
    key = "daemon_error" if status >= 500 else STATUSES.get(status)
    return Said(f"diagnosis.{key}", {"message": message}) if key else None
