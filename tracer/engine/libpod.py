"""What calls of podman's own API are for: most have the path of one of Docker's, the others are in a table here.

Paths: podman's reference of its "libpod" API, version 4 and 5.
"""

from __future__ import annotations

import re

from tracer.engine import operations

ITS_OWN = "A call of podman's own API, which Docker does not have."

SENTENCES: tuple[tuple[str, str, str], ...] = (
    ("GET", "/_ping", "Asks for a sign of life; the headers tell the versions of podman and of its API."),
    ("GET", "/version", "Gives the versions of podman and its parts."),
    ("GET", "/info", "Gives podman's settings, stores and counts; `podman info` prints it."),
    ("GET", "/containers/[^/]+/exists", "Asks whether a container is there: 204 says yes, 404 no."),
    ("GET", "/images/.+/exists", "Asks whether an image is there: 204 says yes, 404 no."),
    ("GET", "/networks/[^/]+/exists", "Asks whether a network is there: 204 says yes, 404 no."),
    ("POST", "/images/pull", "Has podman pull an image; the answer grows while it does."),
    ("POST", "/images/.+/push/.+|/images/.+/push", "Has podman push an image to a registry."),
    ("DELETE", "/images/remove", "Removes images; `podman rmi` sends it."),
    ("POST", "/containers/[^/]+/init", "Prepares a container without running its program."),
    ("GET", "/containers/stats", "Gives the resource use of containers, again and again."),
    ("GET", "/containers/[^/]+/healthcheck", "Runs the health check of a container, and tells how it went."),
    ("GET", "/pods/json", "Gives one summary a pod; `podman pod ps` prints it."),
    ("POST", "/pods/create", "Makes a pod: containers that share their namespaces."),
    ("(?:POST|GET|DELETE)", "/pods/.+", "Does something with a pod: containers that share their namespaces."),
    ("POST", "/play/kube|/kube/play", "Makes what a Kubernetes file describes."),
    ("DELETE", "/play/kube|/kube/play", "Removes what a Kubernetes file describes."),
    ("GET", "/generate/.+", "Writes a unit or a Kubernetes file for what is there."),
    ("(?:GET|POST|PUT|DELETE)", "/manifests/.+", "Works on a manifest list: one name for images of several platforms."),
)
"""(method, path without prefix, sentence), the first that fits."""


def sentence(method: str, path: str) -> str:
    """What a call is for."""
    for methods, pattern, said in SENTENCES:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            return said
    same = operations.route(method, path).operation
    return f"podman's own form of Docker's {same.id}. {same.sentence}" if same else ITS_OWN
