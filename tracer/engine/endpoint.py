"""Which endpoint a docker client would use, and why: the rules of the docker CLI.

In order: `-H`/`--host`, `-c`/`--context`, DOCKER_HOST, DOCKER_CONTEXT, the config file's currentContext, and the
default socket. A context's address is in meta.json under a folder named by the SHA-256 of its name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from tracer.wire.json_values import parsed

DEFAULT = "unix:///var/run/docker.sock"

CLIENTS = {"docker", "docker-compose", "docker-buildx", "podman", "podman-remote", "nerdctl"}

WELL_KNOWN = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "*/docker.sock",
    "*/docker-*.sock",
    "*/podman.sock",
    "*/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "*/containerd.sock",
)
"""Sockets that are followed whoever connects to them."""


class Endpoint(Struct, frozen=True):
    """A daemon's address as a URL, and what decided on it: a rule of `[endpoint]` in the catalogues, with a name."""

    url: str
    rule: str
    name: str = ""


def find(argv: Sequence[str], environment: Mapping[str, str]) -> Endpoint:
    """The endpoint that a client started with this command line and environment would use."""
    options = _global_options(argv)
    if options.get("host"):
        return Endpoint(_url(options["host"]), "host_option")
    folder = options.get("config") or environment.get("DOCKER_CONFIG") or _home_config(environment)
    if options.get("context"):
        return _context(options["context"], folder, "context_option")
    if argv and os.path.basename(argv[0]).startswith("podman") and environment.get("CONTAINER_HOST"):
        return Endpoint(_url(environment["CONTAINER_HOST"]), "podman_variable")
    if environment.get("DOCKER_HOST"):
        return Endpoint(_url(environment["DOCKER_HOST"]), "host_variable")
    if environment.get("DOCKER_CONTEXT"):
        return _context(environment["DOCKER_CONTEXT"], folder, "context_variable")
    current = _current_context(folder)
    if current:
        return _context(current, folder, "current_context")
    return Endpoint(DEFAULT, "default")


def _url(host: str) -> str:
    if host.startswith("/"):
        return f"unix://{host}"
    return DEFAULT if host in ("unix://", "unix:") else host


_NAMES = {
    "-H": "host",
    "--host": "host",
    "--url": "host",
    "-c": "context",
    "--context": "context",
    "--config": "config",
}
_OTHER_VALUES = {
    *("-l", "--log-level", "--tlscacert", "--tlscert", "--tlskey"),
    *("--connection", "--identity", "--root", "--runroot"),
}
"""Of docker, and of podman, which also has --url."""


def _global_options(argv: Sequence[str]) -> dict[str, str]:
    """The options of a docker client before its subcommand that decide on the endpoint."""
    found: dict[str, str] = {}
    if argv and os.path.basename(argv[0]) in CLIENTS:
        _read_global_options(argv, found)
    return found


def global_options_end(argv: Sequence[str]) -> int:
    """The index of the first word of a docker command line that is no global option: its subcommand."""
    return _read_global_options(argv, {})


def _read_global_options(argv: Sequence[str], found: dict[str, str]) -> int:
    at = 1
    while at < len(argv) and argv[at].startswith("-"):
        word = argv[at]
        name, equals, value = word.partition("=")
        following = argv[at + 1] if at + 1 < len(argv) else ""
        if name in _NAMES:
            found[_NAMES[name]] = value if equals else following
            at += not equals
        elif word[:2] in ("-H", "-c") and len(word) > 2 and not word.startswith("--"):
            found[_NAMES[word[:2]]] = word[2:].lstrip("=")
        elif name in _OTHER_VALUES and not equals:
            at += 1
        at += 1
    return at


def _home_config(environment: Mapping[str, str]) -> str:
    return os.path.join(environment.get("HOME") or os.path.expanduser("~"), ".docker")


def _current_context(folder: str) -> str | None:
    config = _read_json(os.path.join(folder, "config.json"))
    name = config.get("currentContext")
    return name if isinstance(name, str) and name else None


def _context(name: str, folder: str, rule: str) -> Endpoint:
    if name == "default":
        return Endpoint(DEFAULT, rule, name)
    import hashlib

    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = _read_json(os.path.join(folder, "contexts", "meta", digest, "meta.json"))
    try:
        host = meta["Endpoints"]["docker"]["Host"]
    except (KeyError, TypeError):
        host = None
    if isinstance(host, str) and host:
        return Endpoint(_url(host), rule, name)
    return Endpoint(DEFAULT, "unreadable_context", name)


def _read_json(path: str) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            value = parsed(file.read())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def addresses(endpoint: Endpoint) -> list[str]:
    """What a connection to the endpoint looks like to the kernel: a path, or `host:port` of every resolved address.

    For ssh:// it is the URL: a helper carries what is said.
    """
    scheme, _, rest = endpoint.url.partition("://")
    if scheme == "unix":
        return [rest]
    if scheme in ("tcp", "http", "https"):
        return _resolved(rest.split("/")[0], "2376" if scheme == "https" else "2375")
    return [endpoint.url] if scheme == "ssh" else []


def _resolved(host_port: str, default_port: str) -> list[str]:
    import socket

    host, _, port = host_port.rpartition(":") if ":" in host_port.split("]")[-1] else (host_port, "", default_port)
    try:
        found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
    except OSError:
        return []
    return [_host_port(str(address[0]), int(address[1])) for *_, address in found]


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def of_program(argv: Sequence[str], environment: Mapping[str, str]) -> Iterable[str]:
    """The addresses that a program that was just started may use to reach a daemon, judged by its command line."""
    name = os.path.basename(argv[0]) if argv else ""
    if name in CLIENTS or environment.get("DOCKER_HOST"):
        yield from addresses(find(argv, environment))
    if name == "curl":
        yield from _curl_sockets(argv)
        yield from _curl_urls(argv)


DAEMON_PORTS = {"2375", "2376"}
"""Registered for Docker: without and with TLS (IANA service names)."""


def _curl_urls(argv: Sequence[str]) -> Iterable[str]:
    """The addresses of URLs with a daemon's port."""
    for word in argv[1:]:
        scheme, slashes, rest = word.partition("://")
        host_port = rest.partition("/")[0]
        if slashes and scheme in ("http", "https") and host_port.rpartition(":")[2] in DAEMON_PORTS:
            yield from _resolved(host_port, "2375")


def may_be_tls(argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether a program so started can be expected to speak TLS to a daemon."""
    named = any("https://" in word or "tcp://" in word for word in argv)
    return named or find(argv, environment).url.startswith(("tcp://", "https://"))


def _curl_sockets(argv: Sequence[str]) -> Iterable[str]:
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        name, equals, value = word.partition("=")
        target = value if equals else following
        if name == "--unix-socket":
            yield os.path.abspath(target)
        elif name == "--abstract-unix-socket":
            yield f"@{target}"
