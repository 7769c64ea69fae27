"""What a request asks for, in a few words: by operation, from its body and query."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from tracer.engine.names import count, listed, short_id, size
from tracer.wire.bodies import Body
from tracer.wire.registry_auth import Login

Query = dict[str, list[str]]
Asker = Callable[[Any, Query], list[str]]


def asked(operation: str, body: Body, query: Query, logins: Sequence[Login] = ()) -> str | None:
    """The essence of a request, or None where the path says it all."""
    asker = ASKERS.get(operation)
    parts = asker(body.preview if isinstance(body.preview, dict) else {}, query) if asker else []
    if body.kind == "tar" or body.compression:
        parts.append(archive(body))
    parts += [_login(login) for login in logins]
    return " · ".join(part for part in parts if part) or None


def _login(login: Login) -> str:
    """`credentials for REGISTRY, user NAME`; what secret it was is said where it is not a password."""
    if login.kind == "nothing":
        return f"no credentials for {login.registry}" if login.registry else "no credentials"
    user = f", user {login.user}" if login.user else ""
    kind = "" if login.kind == "password" else f" ({login.kind})"
    return f"credentials for {login.registry or 'the registry'}{user}{kind}"


def archive(body: Body) -> str:
    """`3 files in a tar of 2.05 kB: Dockerfile, greeting, src/`."""
    packed = f", packed with {body.compression}" if body.compression else ""
    if body.kind != "tar":
        return f"{size(body.size)}{packed}"
    names = [member["name"] for member in body.preview]
    listing = f": {listed(names, 4)}" if names else ""
    return f"{count(body.entries, 'file')} in a tar of {size(body.size)}{packed}{listing}"


def _command(words: Any) -> str:
    if isinstance(words, str):
        return words
    return shlex.join(str(word) for word in words) if words else ""


def _labelled(label: str, value: Any) -> str:
    return f"{label} {value}" if value else ""


def _create(body: dict[str, Any], query: Query) -> list[str]:
    host = body.get("HostConfig") or {}
    flags = [name for name in ("Tty", "OpenStdin") if body.get(name)]
    flags += [name for name in ("AutoRemove", "Privileged") if host.get(name)]
    mode = host.get("NetworkMode")
    return [
        _labelled("image", body.get("Image")),
        _labelled("command", _command(body.get("Cmd"))),
        _labelled("name", _first(query, "name")),
        _labelled("mounts", ", ".join(host.get("Binds") or [])),
        _labelled("network", mode if mode not in ("default", "bridge") else None),
        count(len(body["Env"]), "variable") if body.get("Env") else "",
        ", ".join(flags),
    ]


def _first(query: Query, name: str) -> str:
    return (query.get(name) or [""])[0]


def _exec(body: dict[str, Any], query: Query) -> list[str]:
    return [_labelled("command", _command(body.get("Cmd"))), "Tty" if body.get("Tty") else ""]


def _image_create(body: dict[str, Any], query: Query) -> list[str]:
    image, tag = _first(query, "fromImage"), _first(query, "tag")
    if image:
        return [f"pull {image}{(':' if not tag.startswith('sha256') else '@') + tag if tag else ''}"]
    name = _first(query, "repo")
    return [f"import{' as ' + name if name else ''}{':' + tag if tag else ''}"]


def _flags(*names: str) -> Asker:
    """An asker for requests whose point is in their query."""

    def ask(body: dict[str, Any], query: Query) -> list[str]:
        return [f"{name}={','.join(query[name])}" for name in names if any(query.get(name, ()))]

    return ask


def _body_fields(*names: str) -> Asker:
    """An asker for requests whose point is in fields of their body."""

    def ask(body: dict[str, Any], query: Query) -> list[str]:
        return [f"{name} {short_id(body[name])}" for name in names if isinstance(body.get(name), str | int)]

    return ask


ASKERS: dict[str, Asker] = {
    "ContainerCreate": _create,
    "ContainerExec": _exec,
    "ImageCreate": _image_create,
    "ImageBuild": _flags("t", "dockerfile", "target"),
    "ImageTag": _flags("repo", "tag"),
    "ImageSearch": _flags("term"),
    "ContainerList": _flags("all", "limit", "filters"),
    "ImageList": _flags("all", "filters"),
    "ContainerLogs": _flags("follow", "tail", "since"),
    "ContainerAttach": _flags("stdin", "stdout", "stderr"),
    "ContainerResize": _flags("w", "h"),
    "ExecResize": _flags("w", "h"),
    "ContainerKill": _flags("signal"),
    "ContainerStop": _flags("t", "signal"),
    "ContainerWait": _flags("condition"),
    "ContainerDelete": _flags("force", "v"),
    "ContainerRename": _flags("name"),
    "ContainerArchive": _flags("path"),
    "ContainerArchiveInfo": _flags("path"),
    "PutContainerArchive": _flags("path"),
    "ContainerStats": _flags("stream"),
    "SystemEvents": _flags("since", "until", "filters"),
    "NetworkCreate": _body_fields("Name", "Driver"),
    "NetworkConnect": _body_fields("Container"),
    "NetworkDisconnect": _body_fields("Container"),
    "VolumeCreate": _body_fields("Name", "Driver"),
    "SystemAuth": _body_fields("username", "serveraddress"),
}
