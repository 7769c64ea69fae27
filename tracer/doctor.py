"""Is all there that a trace of docker needs? Checks with what was found, each with what to do where it is not well."""

from __future__ import annotations

import errno
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from tracer.engine import diagnosis
from tracer.engine.endpoint import Endpoint, addresses
from tracer.engine.versions import newest_of
from tracer.events import Connect, Family, Peer, SocketFile
from tracer.words import Said

PATIENCE = 3.0
"""Seconds to wait for a daemon."""


class Check(Struct, frozen=True):
    """`well` is None for what is only worth knowing."""

    id: str
    well: bool | None
    said: Said
    reason: Said | None = None
    """A sentence of its own that says what to do."""


class Daemon(Struct):
    """What was found at the endpoint."""

    connected: socket.socket | None = None
    error: Connect | None = None
    address: str = ""


def reach(endpoint: Endpoint, file_of: Callable[[str], SocketFile | None]) -> Daemon:
    """Connect to the endpoint, or say what stands in the way."""
    for address in addresses(endpoint):
        is_path = address.startswith("/")
        family = socket.AF_UNIX if is_path else socket.AF_INET6 if address.startswith("[") else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        made.settimeout(PATIENCE)
        try:
            made.connect(address if is_path else _host_and_port(address))
        except OSError as error:
            made.close()
            return Daemon(error=_refused(address, error.errno, file_of(address) if is_path else None), address=address)
        return Daemon(connected=made, address=address)
    return Daemon()


def _refused(address: str, number: int | None, file: SocketFile | None) -> Connect:
    """The failed attempt as the event that a trace would have told; a timeout of ours has no errno."""
    name = "ETIMEDOUT" if number is None else errno.errorcode.get(number, str(number))
    family: Family = "unix" if address.startswith("/") else "inet"
    return Connect(t=0, conn=0, pid=0, tid=0, fd=-1, family=family, address=address, error=name, file=file)


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def of_daemon(endpoint: Endpoint, found: Daemon, peer: Peer | None, file: SocketFile | None) -> Iterator[Check]:
    """The checks of the daemon that docker would use."""
    why = Said(f"doctor.endpoint.{endpoint.rule}", {"endpoint": endpoint.url, "name": endpoint.name})
    yield Check("endpoint", None, why)
    if file is not None:
        told = {"path": file.path, "mode": file.mode, "uid": file.uid, "gid": file.gid}
        yield Check("socket", None, Said("doctor.socket.there", told))
    if found.error is not None:
        reason = diagnosis.of_connect(found.error)
        yield Check("connect", False, Said("doctor.socket.no"), reason)
        return
    if found.connected is None:
        yield from _not_tried(endpoint)
        return
    yield Check("connect", True, Said("doctor.socket.yes", {"address": found.address}))
    if peer is not None and peer.pid:
        who = {"name": peer.comm or "?", "pid": peer.pid, "uid": peer.uid, "how": peer.how}
        yield Check("listener", None, Said("doctor.listener.known", who))
    else:
        yield Check("listener", None, Said("doctor.listener.unknown"))
    yield from _versions(endpoint, found.connected)


def _not_tried(endpoint: Endpoint) -> Iterator[Check]:
    if endpoint.url.startswith(("tcp://", "http://", "https://")):
        reason = Said("diagnosis.no_connection", {"endpoint": endpoint.url})
        yield Check("connect", False, Said("doctor.socket.no"), reason)
    else:
        yield Check("connect", None, Said("doctor.socket.foreign", {"endpoint": endpoint.url}))


def _versions(endpoint: Endpoint, connected: socket.socket) -> Iterator[Check]:
    client = _client_version()
    newest = newest_of(f"Docker-Client/{client}") if client else None
    if os.environ.get("DOCKER_TLS_VERIFY") or endpoint.url.startswith("https"):
        yield Check("daemon", None, Said("doctor.daemon.tls", {"endpoint": endpoint.url}))
        return
    try:
        daemon = _ask_version(connected)
        minimum = daemon.get("MinAPIVersion", "1.12")
        values = {"version": daemon["Version"], "api": daemon["ApiVersion"], "minimum": minimum}
    except (OSError, ValueError, KeyError, TypeError, RecursionError, http.client.HTTPException) as error:
        yield Check("daemon", False, Said("doctor.daemon.no", {"why": str(error) or type(error).__name__}))
        return
    yield Check("daemon", True, Said("doctor.daemon.yes", values))
    if client is None:
        yield Check("client", None, Said("doctor.client.absent"))
        return
    key = "doctor.client.yes" if newest else "doctor.client.unknown"
    yield Check("client", None, Said(key, {"version": client, "newest": newest}))
    if newest:
        spoken = min(newest, str(values["api"]), key=_number)
        agree = _number(spoken) >= _number(str(values["minimum"]))
        said = Said("doctor.agree.yes" if agree else "doctor.agree.no", {**values, "spoken": spoken, "newest": newest})
        yield Check("agree", agree, said)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdigit())


def _client_version() -> str | None:
    docker = shutil.which("docker")
    if docker is None:
        return None
    try:
        told = subprocess.run([docker, "--version"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"version (\S+?),", told)
    return found[1] if found else None


def _ask_version(connected: socket.socket) -> dict[str, Any]:
    connection = http.client.HTTPConnection("docker", timeout=PATIENCE)
    connection.sock = connected
    connection.request("GET", "/version")
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise ValueError(f"{answer.status} {answer.reason} {body[:200].decode('utf-8', 'replace')}".strip())
    told = json.loads(body)
    if not isinstance(told, dict):
        raise ValueError("its answer is no JSON object")
    return told
