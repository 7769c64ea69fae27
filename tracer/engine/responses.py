"""What a response says, in a few words: by operation, from its status, headers and body."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tracer.engine import progress
from tracer.engine.names import count, listed, short_id, size
from tracer.engine.requests import archive
from tracer.exchanges import Exchange, Message
from tracer.wire.bodies import Body

Teller = Callable[[Any, Message], str | None]


def answered(exchange: Exchange, operation: str | None) -> str | None:
    """The essence of a response, or None where its status says it all."""
    response = exchange.response
    if response is None:
        return None
    status, body = response.head.status, response.body
    if status >= 400:
        return error_message(body)
    if exchange.upgrade:
        return _upgraded(exchange)
    if status == 304:
        return "nothing to do: it was so already"
    teller = TELLERS.get(operation or "")
    if teller is not None:
        try:
            told = teller(body.preview, response)
        except (KeyError, TypeError, AttributeError, ValueError, IndexError):
            told = None  # a daemon of another make may answer in another shape
        if told:
            return told
    return _by_kind(body)


def error_message(body: Body) -> str | None:
    """What an error answer says: docker's message, podman's cause, or its first line."""
    if isinstance(body.preview, dict):
        message = body.preview.get("message") or body.preview.get("cause")
        return str(message) if message else None
    return _first_line(body.preview) if body.kind == "text" else None


def _upgraded(exchange: Exchange) -> str:
    stream = exchange.stream
    if stream is not None and stream.kind in ("grpc", "http2"):
        callers = " and the ".join(sorted({call["caller"] for call in stream.calls}))
        what = "gRPC" if stream.kind == "grpc" else "HTTP/2"
        calls = count(stream.count, "call") + (f" by the {callers}" if callers else "")
        return f"the connection speaks {what} now: {calls}"
    if stream is None or stream.kind == "opaque":
        sent, received = (stream.bytes_out, stream.bytes_in) if stream else (0, 0)
        return f"no longer HTTP/1.1: the connection speaks {exchange.upgrade}; {sent:,} B sent, {received:,} B received"
    parts = [f"{stream.bytes_out:,} B of stdin"] if stream.bytes_out else []
    if stream.kind == "raw":
        parts.append(f"{stream.stdout:,} B of a terminal's output")
    else:
        parts += [
            f"{size:,} B of {name}" for name, size in (("stdout", stream.stdout), ("stderr", stream.stderr)) if size
        ]
    if stream.stdin_closed is not None:
        parts.append("stdin closed by the client")
    if stream.resizes:
        last = stream.resizes[-1]
        parts.append(f"the terminal is {last['w']}×{last['h']}")
    return f"no longer HTTP, the connection is a stream now: {', '.join(parts) or 'nothing flowed'}"


def _by_kind(body: Body) -> str | None:
    if body.kind == "json" and isinstance(body.preview, list):
        return count(len(body.preview), "entry", "entries")
    if body.kind == "jsonlines":
        return count(body.entries, "JSON line")
    if body.kind == "tar" or body.compression:
        return archive(body)
    if body.kind == "multiplexed":
        return _output(body.streams)
    if body.kind == "raw":
        return f"{body.size:,} B of a terminal's output"
    if body.kind == "text":
        return _first_line(body.preview)
    return None


def _first_line(text: Any) -> str | None:
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    return lines[0] if lines else None


def _output(streams: dict[str, int]) -> str:
    return " and ".join(f"{total:,} B of {name}" for name, total in streams.items() if total)


def _ping(body: Any, response: Message) -> str | None:
    version = response.head.value("api-version")
    if not version:
        return None
    system = response.head.value("ostype")
    server = (response.head.value("server") or "").split(" ")[0]
    return " · ".join(part for part in (f"API {version}", system, server) if part)


def _version(body: Any, response: Message) -> str:
    return f"Docker {body['Version']}, API {body['ApiVersion']}, {body['Os']}/{body['Arch']}"


def _info(body: Any, response: Message) -> str:
    running = body["ContainersRunning"]
    containers = f"{count(body['Containers'], 'container')} ({running} running)"
    return f"{body['Name']}: {containers}, {count(body['Images'], 'image')}, Docker {body['ServerVersion']}"


def _containers(body: Any, response: Message) -> str:
    names = [f"{entry['Names'][0].lstrip('/')} ({short_id(entry['Image'])})" for entry in body]
    return _counted(names, "container")


def _counted(names: list[str], what: str, many: str | None = None) -> str:
    total = count(len(names), what, many)
    return f"{total}: {listed(names)}" if names else total


def _images(body: Any, response: Message) -> str:
    return _counted([(entry.get("RepoTags") or [short_id(entry["Id"])])[0] for entry in body], "image")


def _created(body: Any, response: Message) -> str:
    warned = body.get("Warnings")
    return f"container {short_id(body['Id'])} created" + (f"; warning: {warned[0]}" if warned else "")


def _container(body: Any, response: Message) -> str:
    state = body["State"]
    status = f"exited {state['ExitCode']}" if state["Status"] == "exited" else state["Status"]
    return f"{body['Name'].lstrip('/')} ({short_id(body['Id'])}): {status}"


def _image(body: Any, response: Message) -> str:
    tags = body.get("RepoTags") or []
    return f"image {short_id(body['Id'])}{' ' + tags[0] if tags else ''}, {size(body['Size'])}"


def _waited(body: Any, response: Message) -> str:
    error = (body.get("Error") or {}).get("Message")
    return f"exit status {body['StatusCode']}" + (f": {error}" if error else "")


def _made(what: str, field: str = "Id") -> Teller:
    return lambda body, response: f"{what} {short_id(body[field])} created"


def _exec_state(body: Any, response: Message) -> str:
    return "still running" if body["Running"] else f"exit status {body['ExitCode']}"


def _deleted(body: Any, response: Message) -> str:
    untagged = [entry["Untagged"] for entry in body if "Untagged" in entry]
    deleted = [entry["Deleted"] for entry in body if "Deleted" in entry]
    parts = [f"untagged {listed(untagged)}"] if untagged else []
    return "; ".join(parts + ([f"{count(len(deleted), 'layer')} deleted"] if deleted else []))


def _pruned(body: Any, response: Message) -> str:
    return f"{size(body.get('SpaceReclaimed') or 0)} reclaimed"


def _progress(body: Any, response: Message) -> str | None:
    return progress.summary(response.body, response.head.status)


def _networks(body: Any, response: Message) -> str:
    return _counted([entry["Name"] for entry in body], "network")


def _volumes(body: Any, response: Message) -> str:
    return _counted([entry["Name"] for entry in body["Volumes"] or []], "volume")


def _disk(body: Any, response: Message) -> str:
    return f"{size(body['LayersSize'])} of layers in {count(len(body['Images'] or []), 'image')}"


def _history(body: Any, response: Message) -> str:
    return count(len(body), "layer")


def _changes(body: Any, response: Message) -> str:
    return count(len(body or []), "changed path")


def _processes(body: Any, response: Message) -> str:
    return count(len(body["Processes"]), "process", "processes")


def _events(body: Any, response: Message) -> str:
    lines = body if isinstance(body, list) else [body]
    told = [f"{line['Type']} {line['Action']}" for line in lines]
    return _counted(told, "event")


def _stats(body: Any, response: Message) -> str:
    lines = body if isinstance(body, list) else [body]
    return f"{count(len(lines), 'sample')}, memory {size(lines[-1]['memory_stats'].get('usage', 0))}"


def _auth(body: Any, response: Message) -> str | None:
    return str(body["Status"])


TELLERS: dict[str, Teller] = {
    "SystemPing": _ping,
    "SystemPingHead": _ping,
    "SystemVersion": _version,
    "SystemInfo": _info,
    "SystemDataUsage": _disk,
    "SystemAuth": _auth,
    "SystemEvents": _events,
    "ContainerList": _containers,
    "ContainerCreate": _created,
    "ContainerInspect": _container,
    "ContainerWait": _waited,
    "ContainerPrune": _pruned,
    "ContainerTop": _processes,
    "ContainerChanges": _changes,
    "ContainerStats": _stats,
    "ContainerExec": _made("exec"),
    "ExecInspect": _exec_state,
    "ImageList": _images,
    "ImageInspect": _image,
    "ImageHistory": _history,
    "ImageDelete": _deleted,
    "ImagePrune": _pruned,
    "ImageCommit": _made("image"),
    "ImageCreate": _progress,
    "ImagePush": _progress,
    "ImageBuild": _progress,
    "ImageLoad": _progress,
    "BuildPrune": _pruned,
    "NetworkList": _networks,
    "NetworkCreate": _made("network"),
    "VolumeList": _volumes,
    "VolumeCreate": _made("volume", "Name"),
    "VolumePrune": _pruned,
}
