"""The gRPC services that Docker's parts speak, and what their calls are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tracer.engine.names import count, duration, listed, size

CALLS = {
    ("moby.buildkit.v1.Control", "Solve"): "asks BuildKit to build",
    ("moby.buildkit.v1.Control", "Status"): "follows the build's progress",
    ("moby.buildkit.v1.Control", "Info"): "asks for BuildKit's version",
    ("moby.buildkit.v1.Control", "ListWorkers"): "asks what can build, and for which platforms",
    ("moby.buildkit.v1.Control", "Session"): "opens the way back, on which the daemon calls the client",
    ("moby.buildkit.v1.Control", "Prune"): "empties the build cache",
    ("moby.buildkit.v1.Control", "DiskUsage"): "measures the build cache",
    ("moby.filesync.v1.FileSync", "DiffCopy"): "fetches those files of the build context that it needs",
    ("moby.filesync.v1.FileSync", "TarStream"): "fetches the build context as a tar",
    ("moby.filesync.v1.FileSend", "DiffCopy"): "hands the result of the build to the client",
    ("moby.filesync.v1.Auth", "Credentials"): "asks for the credentials of a registry",
    ("moby.filesync.v1.Auth", "FetchToken"): "asks for a registry's token",
    ("moby.filesync.v1.Auth", "GetTokenAuthority"): "asks who may give tokens",
    ("moby.buildkit.secrets.v1.Secrets", "GetSecret"): "fetches a build secret",
    ("moby.sshforward.v1.SSH", "ForwardAgent"): "uses the client's SSH agent",
    ("moby.upload.v1.Upload", "Pull"): "fetches the build context as a stream",
    ("moby.buildkit.v1.frontend.LLBBridge", "Ping"): "asks what BuildKit's gateway can do",
    ("moby.buildkit.v1.frontend.LLBBridge", "Solve"): "asks for one step of the build, such as a whole Dockerfile",
    ("moby.buildkit.v1.frontend.LLBBridge", "Return"): "says what the result of the build is",
    ("moby.buildkit.v1.frontend.LLBBridge", "ReadFile"): "reads a file of a build step",
    ("moby.buildkit.v1.frontend.LLBBridge", "StatFile"): "looks up a file of a build step",
    ("moby.buildkit.v1.frontend.LLBBridge", "ResolveImageConfig"): "looks up an image",
    ("opentelemetry.proto.collector.trace.v1.TraceService", "Export"): "offers its own timing data",
    ("grpc.health.v1.Health", "Check"): "asks whether the other side is still there",
    ("containerd.services.images.v1.Images", "List"): "lists images",
    ("containerd.services.images.v1.Images", "Get"): "looks up an image",
    ("containerd.services.content.v1.Content", "Info"): "looks up a blob",
    ("containerd.services.content.v1.Content", "Read"): "reads a blob",
    ("containerd.services.snapshots.v1.Snapshots", "List"): "lists the layers that are unpacked",
    ("containerd.services.tasks.v1.Tasks", "List"): "lists the containers that run",
    ("containerd.services.leases.v1.Leases", "Create"): "keeps the garbage collection away",
    ("containerd.services.introspection.v1.Introspection", "Plugins"): "lists what containerd is made of",
    ("containerd.services.containers.v1.Containers", "Get"): "looks up a container",
    ("containerd.services.containers.v1.Containers", "List"): "lists containers",
    ("containerd.services.containers.v1.Containers", "ListStream"): "lists containers, one message each",
    ("containerd.services.version.v1.Version", "Version"): "asks for containerd's version",
    ("containerd.services.namespaces.v1.Namespaces", "List"): "lists namespaces",
}

STATUSES = (
    "ok",
    "cancelled",
    "unknown",
    "invalid-argument",
    "deadline-exceeded",
    "not-found",
    "already-exists",
    "permission-denied",
    "resource-exhausted",
    "failed-precondition",
    "aborted",
    "out-of-range",
    "unimplemented",
    "internal",
    "unavailable",
    "data-loss",
    "unauthenticated",
)
"""By number, as gRPC names them."""


def in_words(call: dict[str, Any]) -> str:
    """One call as a line: who calls what, how long, how it ended, what it is for, what was in it."""
    status = call["status"]
    ended = "no status" if status is None else STATUSES[status] if status < len(STATUSES) else str(status)
    if call["reset"]:
        ended = "reset"
    took = "" if call["duration"] is None else f" {duration(call['duration'])}"
    name = f"{call['service']}/{call['method']}".lstrip("/")
    flow = f"{count(call['sent'], 'message')} ({size(call['bytes_sent'])}) and {call['received']} back"
    parts = [f"{flow} ({size(call['bytes_received'])})"]
    purpose = CALLS.get((call["service"], call["method"]))
    if purpose:
        parts.insert(0, purpose)
    about = ABOUT.get((call["service"], call["method"]))
    parts += [about(call)] if about else []
    if call["message"]:
        parts.append(str(call["message"]))
    return f"{call['caller']} calls {name}{took} {ended}: {'; '.join(part for part in parts if part)}"


def _fields(call: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (message["fields"] for message in call["messages"] if message["fields"])


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _files(call: dict[str, Any]) -> str:
    """fsutil's packets: field 2 is the state of a file, in which field 1 is its path."""
    stats = (fields.get("2") for fields in _fields(call))
    names = [str(stat["1"]) for stat in stats if isinstance(stat, dict) and "1" in stat]
    folder = call["metadata"].get("dir-name", "")
    return ": ".join(part for part in (folder, listed(names, 4)) if part)


def _attributes(number: str) -> Callable[[dict[str, Any]], str]:
    """Solve: a map of the frontend's attributes in field `number`, such as the target and the build arguments."""

    def words(call: dict[str, Any]) -> str:
        entries = [entry for fields in _fields(call) for entry in _listed(fields.get(number))]
        pairs = [f"{entry['1']}={entry.get('2', '')}" for entry in entries if isinstance(entry, dict) and "1" in entry]
        return listed(pairs, 6)

    return words


def _vertices(call: dict[str, Any]) -> str:
    """Status: field 1 are the steps of the build, each with its name in field 3."""
    names: dict[str, None] = {}
    for fields in _fields(call):
        steps = (step for step in _listed(fields.get("1")) if isinstance(step, dict))
        names.update(dict.fromkeys(str(step["3"]) for step in steps if "3" in step))
    return listed(list(names), 6)


ABOUT: dict[tuple[str, str], Callable[[dict[str, Any]], str]] = {
    ("moby.filesync.v1.FileSync", "DiffCopy"): _files,
    ("moby.filesync.v1.FileSend", "DiffCopy"): _files,
    ("moby.buildkit.v1.Control", "Solve"): _attributes("7"),
    ("moby.buildkit.v1.Control", "Status"): _vertices,
    ("moby.buildkit.v1.frontend.LLBBridge", "Solve"): _attributes("3"),
}
"""What is worth saying of the messages of a call (field numbers: BuildKit's and fsutil's .proto files)."""
