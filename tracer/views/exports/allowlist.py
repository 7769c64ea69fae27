"""What a client needs of the daemon, as rules for proxies in front of docker.sock: the least that lets it work.

Forms: the variables of Tecnativa's docker-socket-proxy (and linuxserver's), which open whole sections of the API, and
the regular expressions of wollomatic's socket-proxy, a method and a path each.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from tracer.engine.meaning import meaning_of
from tracer.engine.operations import split_target
from tracer.exchanges import Exchange
from tracer.views.exports import Recorded

SECTIONS = {
    "_ping": "PING",
    "auth": "AUTH",
    "build": "BUILD",
    "commit": "COMMIT",
    "configs": "CONFIGS",
    "containers": "CONTAINERS",
    "distribution": "DISTRIBUTION",
    "events": "EVENTS",
    "exec": "EXEC",
    "grpc": "GRPC",
    "images": "IMAGES",
    "info": "INFO",
    "networks": "NETWORKS",
    "nodes": "NODES",
    "plugins": "PLUGINS",
    "secrets": "SECRETS",
    "services": "SERVICES",
    "session": "SESSION",
    "swarm": "SWARM",
    "system": "SYSTEM",
    "tasks": "TASKS",
    "version": "VERSION",
    "volumes": "VOLUMES",
}
"""The variable of Tecnativa's proxy by the first part of the path."""
READING = {"GET", "HEAD"}


class _Need:
    """A method with a path, ids and names in it left open."""

    def __init__(self, exchange: Exchange) -> None:
        assert exchange.request is not None
        meaning = meaning_of(exchange)
        self.method = exchange.request.head.method
        self.path = meaning.operation.path if meaning.operation else split_target(exchange.request.head.target)[0]
        self.summary = meaning.summary or "not a known operation of the Docker Engine API"
        self.is_known = meaning.operation is not None

    @property
    def section(self) -> str | None:
        """Of Tecnativa's proxy."""
        return SECTIONS.get(self.path.lstrip("/").partition("/")[0]) if self.is_known else None

    @property
    def pattern(self) -> str:
        """For wollomatic's proxy, which adds ^ and $ itself."""
        if not self.is_known:
            return re.escape(self.path)
        pieces = re.split(r"\{[^}]*\}", self.path)
        names = re.findall(r"\{([^}]*)\}", self.path)
        holes = [".+" if name == "name" and "images" in self.path else "[^/]+" for name in names]
        body = "".join(re.escape(piece) + hole for piece, hole in zip(pieces, [*holes, ""], strict=True))
        return rf"(/v[0-9.]+)?{body}"


def export(recorded: Recorded) -> Iterator[bytes]:
    """The rules, as a file of comments and variables that a shell or an env file takes."""
    needs = {
        (need.method, need.path): need
        for need in (_Need(exchange) for exchange in recorded.exchanges if exchange.request is not None)
    }
    found = sorted(needs.values(), key=lambda need: (need.path, need.method))
    command = shlex.join(recorded.header.argv).replace("\n", " ")
    yield f"# What was asked of the daemon by: {command}\n".encode()
    for need in found:
        yield f"#   {need.method:<7}{need.path}   {need.summary}\n".encode()
    yield b"\n# tecnativa/docker-socket-proxy, linuxserver/socket-proxy: whole sections of the API\n"
    for name in _sections(found):
        yield f"{name}=1\n".encode()
    yield b"\n# wollomatic/socket-proxy: these methods and paths, and no others\n"
    for method in sorted({need.method for need in found}):
        patterns = "|".join(dict.fromkeys(need.pattern for need in found if need.method == method))
        yield f"SP_ALLOW_{method}={shlex.quote(patterns)}\n".encode()


def _sections(needs: list[_Need]) -> list[str]:
    sections = {need.section for need in needs if need.section}
    if any(need.path.endswith("/exec") for need in needs):
        sections.add("EXEC")
    if any(need.method not in READING for need in needs):
        sections.add("POST")
    return sorted(sections)
