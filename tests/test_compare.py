"""`socktrace diff`: two runs of the same are the same; what was changed is named; ids are recognised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fixtures.private_daemon import IMAGE, Daemon
from tests.runs import ROOT, Socktrace

FIXTURES = ROOT / "fixtures"


@pytest.mark.parametrize(
    "command",
    [
        ["docker", "run", "--rm", "--network", "none", IMAGE, "echo", "hi"],
        ["docker", "ps", "-a"],
        ["sh", "-c", f"id=$(docker create --network none {IMAGE} true); docker inspect $id; docker rm $id"],
    ],
    ids=["run", "ps", "create, inspect, rm"],
)
def test_two_runs_of_the_same_are_the_same(daemon: Daemon, socktrace: Socktrace, command: list[str]) -> None:
    one, two = (socktrace(*command, env=daemon.environment, options=("-q",)) for _ in range(2))
    done = socktrace.plain("diff", "--exit-code", str(one.recording), str(two.recording))
    assert (done.stdout, done.stderr, done.returncode) == ("", "", 0)


def test_what_was_changed_is_named(daemon: Daemon, socktrace: Socktrace) -> None:
    run = ["docker", "run", "--rm", "--network", "none"]
    one = socktrace(*run, IMAGE, "echo", "hi", env=daemon.environment, options=("-q",))
    two = socktrace(*run, "-m", "64m", "-e", "A=b", IMAGE, "echo", "hi", env=daemon.environment, options=("-q",))
    done = socktrace.plain("diff", "--exit-code", "--json", str(one.recording), str(two.recording))
    assert done.returncode == 1
    (change,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (change["kind"], change["request"], change["before"], change["after"]) == (
        "changed", "POST /containers/create", 2, 2
    )  # fmt: skip
    assert set(change["differences"]) == {
        'request Env was null and is ["A=b"] now',
        "request HostConfig.Memory was 0 and is 67108864 now",
    }


def test_calls_that_came_and_went(socktrace: Socktrace) -> None:
    done = socktrace.plain("diff", str(FIXTURES / "ps.jsonl"), str(FIXTURES / "images.jsonl"))
    assert "- GET /containers/json  2" in done.stdout
    assert "+ GET /images/json  2" in done.stdout
    assert done.returncode == 0, "only --exit-code makes differences a status"


def test_a_file_that_can_not_be_read_ends_2(socktrace: Socktrace, tmp_path: Path) -> None:
    done = socktrace.plain("diff", str(tmp_path / "none.jsonl"), str(FIXTURES / "ps.jsonl"))
    assert done.returncode == 2
    assert "none.jsonl" in done.stderr


def test_compressed_recordings_are_compared_as_well(socktrace: Socktrace, tmp_path: Path) -> None:
    import gzip

    packed = tmp_path / "ps.jsonl.gz"
    packed.write_bytes(gzip.compress((FIXTURES / "ps.jsonl").read_bytes()))
    done = socktrace.plain("diff", "--exit-code", str(packed), str(FIXTURES / "ps.jsonl"))
    assert (done.stdout, done.returncode) == ("", 0)
