"""The docker command that does the same as a request of curl or an SDK: the table of flags read backwards."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Any

from tracer.engine.flags import Flag, table
from tracer.engine.meaning import Meaning, meaning_of
from tracer.exchanges import Exchange
from tracer.wire.json_values import parsed

COMMANDS = {
    "SystemVersion": "version",
    "SystemInfo": "info",
    "SystemEvents": "events",
    "SystemDataUsage": "system df",
    "ContainerList": "ps",
    "ContainerInspect": "inspect {0}",
    "ContainerStart": "start {0}",
    "ContainerStop": "stop {0}",
    "ContainerRestart": "restart {0}",
    "ContainerKill": "kill {0}",
    "ContainerPause": "pause {0}",
    "ContainerUnpause": "unpause {0}",
    "ContainerWait": "wait {0}",
    "ContainerTop": "top {0}",
    "ContainerStats": "stats {0}",
    "ContainerLogs": "logs {0}",
    "ContainerAttach": "attach {0}",
    "ContainerChanges": "diff {0}",
    "ContainerExport": "export {0}",
    "ContainerDelete": "rm {0}",
    "ContainerRename": "rename {0} {name}",
    "ContainerPrune": "container prune",
    "ContainerArchive": "cp {0}:{path} .",
    "PutContainerArchive": "cp FILE {0}:{path}",
    "ImageList": "images",
    "ImageInspect": "image inspect {0}",
    "ImageHistory": "history {0}",
    "ImageDelete": "rmi {0}",
    "ImageTag": "tag {0} {repo}:{tag}",
    "ImagePush": "push {0}:{tag}",
    "ImageSearch": "search {term}",
    "ImageLoad": "load",
    "ImageGet": "save {0}",
    "ImagePrune": "image prune",
    "ImageBuild": "build .",
    "NetworkList": "network ls",
    "NetworkInspect": "network inspect {0}",
    "NetworkDelete": "network rm {0}",
    "NetworkPrune": "network prune",
    "VolumeList": "volume ls",
    "VolumeInspect": "volume inspect {0}",
    "VolumeDelete": "volume rm {0}",
    "VolumePrune": "volume prune",
}
"""By operation; `{0}` is what stands in the path, `{name}` what stands in the query."""

FLAGGED = {"ContainerList": "ps", "ContainerLogs": "logs", "ImageBuild": "build"}
"""Commands whose query has flags in the table."""


def command_for(exchange: Exchange) -> str | None:
    """The docker command line, or None where there is none."""
    if exchange.request is None:
        return None
    meaning = meaning_of(exchange)
    operation = meaning.operation
    body = exchange.request.body.preview
    body = body if isinstance(body, dict) else {}
    if operation is None:
        return None
    special = SPECIAL.get(operation.id)
    if special is not None:
        words = special(body, meaning)
    elif operation.id in COMMANDS:
        words = _plain(operation.id, operation.path, body, meaning)
    else:
        return None
    return " ".join(["docker", *words]) if words else None


def _plain(operation: str, pattern: str, body: dict[str, Any], meaning: Meaning) -> list[str]:
    named = re.fullmatch(re.sub(r"\{\w+\}", "(.+)", pattern), meaning.path)
    values = {name: _quoted(texts[0]) for name, texts in meaning.query.items() if texts}
    words = COMMANDS[operation].split(" ")
    filled = [_fill(word, named.groups() if named else (), values) for word in words]
    flags = _flags(FLAGGED[operation], body, meaning.query) if operation in FLAGGED else []
    return [filled[0], *flags, *(word for word in filled[1:] if word)]


def _fill(word: str, names: tuple[str, ...], values: dict[str, str]) -> str:
    try:
        return word.format(*(_quoted(name) for name in names), **values)
    except (KeyError, IndexError):
        return word.split(":")[0].format(*(_quoted(name) for name in names), "") if "{0}" in word else ""


def _quoted(value: object) -> str:
    return shlex.quote(str(value))


def _flags(command: str, body: Any, query: dict[str, list[str]]) -> list[str]:
    """The flags of a command that say what a request says."""
    words: list[str] = []
    said: set[str] = set()
    for flag in table():
        if command not in flag.commands or flag.place == "none" or flag.target in said:
            continue
        value = flag.value_in(body, query)
        if value and value not in ("0", "default", "false"):
            said.add(flag.target)
            words += _words(flag, value)
    return words


def _words(flag: Flag, value: Any) -> list[str]:
    name = flag.names[0]
    if flag.takes == "-":
        return [name]
    try:
        values = SHAPES[flag.takes](value)
    except (TypeError, KeyError, IndexError, ValueError, AttributeError):
        return []
    return [word for one in values for word in (name, _quoted(one))]


SHAPES: dict[str, Callable[[Any], list[Any]]] = {
    "text": lambda value: _filters(value),
    "list": list,
    "first": lambda value: value[:1],
    "keys": lambda value: [key.removesuffix("/tcp") for key in value],
    "map": lambda value: [f"{key}={inner}" for key, inner in value.items()],
    "cpus": lambda value: [value / 1e9],
    "ports": lambda value: [
        f"{bound['HostIp'] + ':' if bound.get('HostIp') else ''}{bound.get('HostPort', '')}:{port.removesuffix('/tcp')}"
        for port, bounds in value.items()
        for bound in bounds
    ],
    "restart": lambda value: [value["Name"]] if value.get("Name") not in ("", "no") else [],
    "devices": lambda value: [device["PathOnHost"] for device in value],
    "ulimits": lambda value: [f"{limit['Name']}={limit['Soft']}:{limit['Hard']}" for limit in value],
    "mount": lambda value: [_mount(mount) for mount in value],
    "health": lambda value: value[1:2],
}
"""From the JSON of a flag to the values that one types, by the shape that the table names."""


def _filters(value: Any) -> list[Any]:
    """`{"name":{"web":true}}` is what `name=web` becomes; other texts are as they are."""
    if not isinstance(value, str) or not value.startswith("{"):
        return [value]
    told = parsed(value.encode())
    return [
        f"{key}={inner}" for key, inners in told.items() for inner in (inners if isinstance(inners, dict) else [inners])
    ]


def _mount(mount: dict[str, Any]) -> str:
    parts = {"type": mount.get("Type"), "source": mount.get("Source"), "destination": mount.get("Target")}
    return ",".join(f"{key}={value}" for key, value in parts.items() if value)


def _create(body: dict[str, Any], meaning: Meaning) -> list[str]:
    flags = _flags("create", body, meaning.query)
    return ["create", *flags, _quoted(body.get("Image", "IMAGE")), *map(_quoted, _command(body.get("Cmd")))]


def _exec(body: dict[str, Any], meaning: Meaning) -> list[str]:
    container = meaning.path.split("/")[2]
    return ["exec", *_flags("exec", body, {}), _quoted(container), *map(_quoted, _command(body.get("Cmd")))]


def _command(words: Any) -> list[Any]:
    return [words] if isinstance(words, str) else list(words or [])


def _pull(body: dict[str, Any], meaning: Meaning) -> list[str]:
    image = meaning.query.get("fromImage", [""])[0]
    tag = meaning.query.get("tag", [""])[0]
    if not image:
        return ["import", "-", meaning.query.get("repo", [""])[0]]
    separator = "@" if tag.startswith("sha256:") else ":"
    return ["pull", _quoted(f"{image}{separator}{tag}" if tag else image)]


def _named(*words: str) -> Callable[[dict[str, Any], Meaning], list[str]]:
    def make(body: dict[str, Any], meaning: Meaning) -> list[str]:
        driver = body.get("Driver")
        options = ["-d", _quoted(driver)] if driver and driver not in ("bridge", "local") else []
        return [*words, *options, *([_quoted(body["Name"])] if body.get("Name") else [])]

    return make


def _login(body: dict[str, Any], meaning: Meaning) -> list[str]:
    user = body.get("username")
    return ["login", *(["-u", _quoted(user)] if user else []), _quoted(body.get("serveraddress") or "")]


SPECIAL: dict[str, Callable[[dict[str, Any], Meaning], list[str]]] = {
    "ContainerCreate": _create,
    "ContainerExec": _exec,
    "ImageCreate": _pull,
    "NetworkCreate": _named("network", "create"),
    "VolumeCreate": _named("volume", "create"),
    "SystemAuth": _login,
}
"""Operations whose command is made of the request's body."""
