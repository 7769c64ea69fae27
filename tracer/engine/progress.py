"""Answers that grow: what the lines of pull, push, build, load and events say, one by one and in sum.

The lines are moby's jsonmessage: `status` with an `id` and `progressDetail` for layers, `stream` for a build's output,
`aux` for results, and `error` for what went wrong after the status 200 was sent.
"""

from __future__ import annotations

import binascii
import re
from typing import Any

from tracer.engine.names import count, listed, short_id, shorten_ids, size
from tracer.wire import protobuf
from tracer.wire.bodies import Body
from tracer.wire.json_values import written

GROWING = {
    "ImageCreate",
    "ImagePush",
    "ImageBuild",
    "ImageLoad",
    "ImageGet",
    "ImageGetAll",
    "SystemEvents",
    "ContainerStats",
    "ContainerLogs",
    "ServiceLogs",
    "TaskLogs",
    "ContainerAttach",
    "ContainerExport",
    "ContainerArchive",
    "PutContainerArchive",
    "ExecStart",
}
"""Operations whose answer, or request, is worth watching while it comes."""

DONE = {
    "Pull complete": "pulled",
    "Pushed": "pushed",
    "Already exists": "there already",
    "Layer already exists": "there already",
    "Loading layer": "loaded",
    "Mounted from": "mounted",
}
"""The last status of a layer, and what became of it."""

_STEP = re.compile(r"Step (\d+)/(\d+) : (.*)")


def summary(body: Body, status: int) -> str | None:
    """What pull, push, build or load came to."""
    lines = body.preview if isinstance(body.preview, list) else [body.preview]
    lines = [line for line in lines if isinstance(line, dict)]
    parts = [*_layers(body.layers), *_steps(lines)]
    error = next((line["error"] for line in reversed(lines) if line.get("error")), None)
    image = next((line["aux"].get("ID") for line in reversed(lines) if isinstance(line.get("aux"), dict)), None)
    if error:
        parts.append(f"failed, though the status is {status}: {str(error).strip()}")
    elif image:
        parts.append(f"image {short_id(image)} built")
    else:
        last = next((line.get("status") or line.get("stream") for line in reversed(lines)), None)
        parts += [shorten_ids(str(last)).strip()] if last else []
    return " · ".join(part for part in parts if part) or None


def _layers(layers: dict[str, dict[str, Any]]) -> list[str]:
    became: dict[str, list[int]] = {}
    for layer in layers.values():
        for status, word in DONE.items():
            if layer["status"].startswith(status):
                became.setdefault(word, []).append(layer["total"])
    return [
        f"{count(len(sizes), 'layer')} {word}{f' ({size(sum(sizes))})' if sum(sizes) else ''}"
        for word, sizes in became.items()
    ]


def _steps(lines: list[dict[str, Any]]) -> list[str]:
    """The steps of a classic build, or those that BuildKit's trace names."""
    classic = [found for line in lines if (found := _STEP.match(str(line.get("stream", ""))))]
    if classic:
        return [f"step {classic[-1][1]} of {classic[-1][2]}: {classic[-1][3].strip()}"]
    names: dict[str, None] = {}
    for line in lines:
        if line.get("id") == "moby.buildkit.trace":
            names.update(dict.fromkeys(_vertices(line.get("aux"))))
    return [f"{count(len(names), 'step')}: {listed(list(names), 4)}"] if names else []


def trace_message(aux: Any) -> bytes:
    """The message in a line of BuildKit's trace: base64 in its `aux`; nothing where it is none."""
    try:
        return binascii.a2b_base64(str(aux), strict_mode=True)
    except (ValueError, binascii.Error):
        return b""


def _vertices(aux: Any) -> list[str]:
    """Names of the steps in BuildKit's trace: base64 of a StatusResponse; field 1 are vertices, field 3 their names."""
    told = protobuf.decode(trace_message(aux))
    found = (told or {}).get("1", [])
    vertices = found if isinstance(found, list) else [found]
    return [str(vertex["3"]) for vertex in vertices if isinstance(vertex, dict) and "3" in vertex]


def entry_in_words(entry: Any) -> str | None:
    """One entry of an answer that grows; None for one that says nothing to people."""
    if entry is None:
        return None
    if not isinstance(entry, dict):
        return str(entry)
    if "text" in entry and "stream" in entry:
        return f"{entry['stream']}: {entry['text'].rstrip()}"
    if "name" in entry and "mode" in entry:
        return f"{entry['mode']} {entry['size']:>11,}  {entry['name']}"
    if "error" in entry:
        return f"error: {entry['error']}"
    if "Action" in entry:
        name = (entry.get("Actor") or {}).get("Attributes", {}).get("name") or (entry.get("Actor") or {}).get("ID")
        return f"{entry.get('Type')} {entry['Action']} {short_id(name)}"
    if "status" in entry:
        return f"{entry['id']}: {entry['status']}" if entry.get("id") else str(entry["status"])
    if "stream" in entry:
        return str(entry["stream"]).strip() or None
    if "memory_stats" in entry:
        return f"memory {size((entry['memory_stats'] or {}).get('usage', 0))}"
    if entry.get("id") == "moby.buildkit.trace":
        return "; ".join(_vertices(entry.get("aux"))) or None
    if "aux" in entry:
        return f"result: {_compact(entry['aux'])}"
    return _compact(entry)


def _compact(value: Any) -> str:
    return shorten_ids(written(value))
