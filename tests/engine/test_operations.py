"""Every operation of the Engine API is recognised, in every version that has it."""

from __future__ import annotations

import re

import pytest

from tracer.engine.operations import Operation, route, table

DOCUMENTED = [operation for operation in table() if operation.since]
NAMES = {
    "{id}": "4fa6e0f0c678",
    "{name}": "my-name",
    "{checkpoint}": "c1",
    "{anyroute}": "whatever/there/is",
}


def filled(operation: Operation) -> str:
    return re.sub(r"\{\w+\}", lambda found: NAMES[found[0]], operation.path)


def test_the_table_has_the_108_operations() -> None:
    assert len(DOCUMENTED) == 108
    assert len({operation.id for operation in table()}) == len(table())


@pytest.mark.parametrize("prefix", ["", "/v1.25", "/v1.30", "/v1.41", "/v1.50", "/v1.56"])
def test_every_operation_is_recognised(prefix: str) -> None:
    for operation in table():
        found = route(operation.method, prefix + filled(operation))
        assert found.operation == operation, operation.path
        assert found.version == (prefix.removeprefix("/v") or None)


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/images/docker.io/library/alpine:3.20/json", "ImageInspect"),
        ("POST", "/v1.41/images/registry.example:5000/team/app/push", "ImagePush"),
        ("DELETE", "/images/team/app", "ImageDelete"),
        ("GET", "/distribution/library/alpine/json", "DistributionInspect"),
        ("GET", "/images/json", "ImageList"),
        ("GET", "/images/get", "ImageGetAll"),
        ("POST", "/containers/prune", "ContainerPrune"),
        ("POST", "/v1.41/grpc", "Grpc"),
    ],
)
def test_names_with_slashes_and_literal_paths(method: str, path: str, operation: str) -> None:
    found = route(method, path).operation
    assert found is not None
    assert found.id == operation


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/containers/a/b/json"), ("PATCH", "/info"), ("GET", "/nothing"), ("GET", "*"), ("GET", "")],
)
def test_unknown_paths_are_unknown(method: str, path: str) -> None:
    assert route(method, path).operation is None


@pytest.mark.parametrize("prefix", ["/libpod", "/v5.0.0/libpod", "/v4.3.1/libpod", "/v1.40/libpod"])
def test_podmans_own_api_is_recognised_as_such(prefix: str) -> None:
    found = route("GET", f"{prefix}/containers/json")
    assert (found.api, found.path) == ("libpod", "/containers/json")


def test_every_operation_has_a_sentence_and_a_link() -> None:
    for operation in DOCUMENTED:
        assert operation.sentence.endswith(".")
        assert len(operation.sentence) > 30
        assert operation.link("1.41") is not None


def test_the_link_stays_within_the_versions_that_have_the_operation() -> None:
    by_id = {operation.id: operation for operation in table()}
    assert "v1.41/#tag/Container/operation/ContainerList" in str(by_id["ContainerList"].link("1.41"))
    assert "/v1.42/" in str(by_id["VolumeUpdate"].link("1.30"))
    assert "/v1.56/" in str(by_id["VolumeUpdate"].link("1.99"))
    assert by_id["Grpc"].link("1.41") is None
