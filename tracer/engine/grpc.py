"""The gRPC services that Docker's parts speak, and what their calls are for."""

from __future__ import annotations

from typing import Any

from tracer.engine.names import count, size

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
    ("grpc.health.v1.Health", "Check"): "asks whether the other side is still there",
    ("containerd.services.images.v1.Images", "List"): "lists images",
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
    """One call as a line: who calls what, how many messages, how it ended, what it is for."""
    status = call["status"]
    ended = "no status" if status is None else STATUSES[status] if status < len(STATUSES) else str(status)
    flow = f"{count(call['sent'], 'message')} ({size(call['bytes_sent'])}) sent, {call['received']} received"
    purpose = CALLS.get((call["service"], call["method"]))
    told = (
        f"{call['caller']} calls {call['service']}/{call['method']}: {flow} ({size(call['bytes_received'])}), {ended}"
    )
    return f"{told}; it {purpose}" if purpose else told
