"""Where a daemon lives, seen from its client: on this machine, in a container of its own, or outside of ours."""

from __future__ import annotations

from tracer.events import Peer


def where(peer: Peer) -> str:
    """`host`, `container` (its own pid namespace or root directory), `outside` (it has no pid here) or `unknown`."""
    if not peer.pid:
        return "outside"
    if peer.same_pid_namespace is None or peer.same_root is None:
        return "unknown"
    return "host" if peer.same_pid_namespace and peer.same_root else "container"
