"""pytest: tests that talk to a Docker daemon run against a recording beside them.

The fixture `docker_recording`, or the marker of that name, sets DOCKER_HOST for the test; docker-py, the CLI in a
subprocess and any other client are served. `--docker-record` says what happens to the recording: none (it must be
there), once (made if it is not there), new (requests that it does not have go to the real daemon and are added), all
(made again). Requests that do not fit fail the test, with what differs.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

TYPE_CHECKING = False
if TYPE_CHECKING:  # every pytest run of whoever has socktrace installed imports this module
    from tracer.events import Event

MODES = ("none", "once", "new", "all")
FOLDER = "recordings"
UNSET = ("DOCKER_CONTEXT", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
_PLAY = pytest.StashKey["DockerRecording"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--docker-record` and the ini setting of the same meaning."""
    group = parser.getgroup("socktrace", "Docker API recordings")
    group.addoption(
        "--docker-record", choices=MODES, default=None, help="recordings of tests: none (default), once, new, all"
    )
    parser.addini("docker_record", "recordings of tests: none, once, new or all", default="none")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "docker_recording(name=None, match=None, speed=0, repeat=False, strict=False): serve the test's Docker client "
        "from a recording",
    )


class DockerRecording:
    """What a test may look at: where its clients go, and how the play went."""

    def __init__(self, path: Path, mode: str) -> None:
        self.path = path
        self.mode = mode
        self.docker_host = ""
        self._served: Any = None

    @property
    def problems(self) -> list[str]:
        """What did not fit, a paragraph each."""
        return [] if self._served is None else [mismatch.report for mismatch in self._served.mismatches]


@pytest.fixture
def docker_recording(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[DockerRecording]:
    """A daemon that answers from the recording beside the test, or one that records; DOCKER_HOST is set."""
    marker = request.node.get_closest_marker("docker_recording")
    settings = _settings(marker)
    config = request.config
    mode = str(config.getoption("--docker-record") or config.getini("docker_record"))
    name = settings.pop("name") or _name(request)
    play = DockerRecording(request.path.parent / FOLDER / f"{name}.jsonl", mode)
    strict = settings.pop("strict")
    records = mode == "all" or (mode in ("once", "new") and not play.path.exists())
    if not records and not play.path.exists():
        pytest.fail(f"there is no recording {play.path}: make it with --docker-record=once, where a daemon runs")
    with _Recording(play) if records else _Playing(play, settings, add=mode == "new"):
        monkeypatch.setenv("DOCKER_HOST", play.docker_host)
        for variable in UNSET:
            monkeypatch.delenv(variable, raising=False)
        request.node.stash[_PLAY] = play
        yield play
        if strict and play._served is not None and play._served.never_asked:
            lines = [f"exchange {part.number}, {part.asked.line}" for part in play._served.never_asked]
            pytest.fail("never asked for: " + "; ".join(lines))


@pytest.fixture(autouse=True)
def _docker_recording_by_marker(request: pytest.FixtureRequest) -> None:
    """The marker alone is enough."""
    if request.node.get_closest_marker("docker_recording") is not None:
        request.getfixturevalue("docker_recording")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A request that was not recorded fails the test, also one whose client swallowed the answer."""
    try:
        result = yield
    except BaseException:
        for problem in _problems(item):
            item.add_report_section("call", "docker recording", problem)
        raise
    problems = _problems(item)
    if problems:
        pytest.fail("\n\n".join(problems), pytrace=False)
    return result


def _problems(item: pytest.Item) -> list[str]:
    play = item.stash.get(_PLAY, None)
    return play.problems if play is not None else []


def _settings(marker: pytest.Mark | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"name": None, "match": None, "speed": 0.0, "repeat": False, "strict": False}
    if marker is not None:
        settings.update(marker.kwargs)
        if marker.args:
            settings["name"] = marker.args[0]
    if settings["match"] is None:
        del settings["match"]
    return settings


def _name(request: pytest.FixtureRequest) -> str:
    return re.sub(r"[^\w.-]+", "-", f"{request.path.stem}.{request.node.name}").strip("-")


class _Playing:
    """Serves the recording; with `add`, requests that it does not have go to the real daemon and are added."""

    def __init__(self, play: DockerRecording, settings: dict[str, Any], *, add: bool) -> None:
        from tracer.recording.reader import read
        from tracer.replay.parts import parts
        from tracer.replay.passing import Pass
        from tracer.replay.served import Served

        self._play = play
        self._events: list[Event] = list(read(str(play.path)))
        self._pass: Pass | None = None
        if add:
            last = max((getattr(event, "t", 0.0) for event in self._events), default=0.0)
            used = max((getattr(event, "conn", 0) for event in self._events), default=0)
            self._pass = Pass(_daemon(), first_connection=used + 1, began=last)
        pass_on = self._pass.take_over if self._pass is not None else None
        play._served = Served(parts(self._events), pass_on=pass_on, **settings)

    def __enter__(self) -> None:
        self._play._served.__enter__()
        self._play.docker_host = self._play._served.docker_host

    def __exit__(self, *error: object) -> None:
        self._play._served.__exit__(None, None, None)
        if self._pass is not None and self._pass.events:
            _write(self._play.path, self._pass.recording([], "", self._events))


class _Recording:
    """Passes everything on to the real daemon, and writes down what went by."""

    def __init__(self, play: DockerRecording) -> None:
        from tracer.replay.passing import Pass
        from tracer.replay.served import Host

        self._play = play
        self._pass = Pass(_daemon())
        self._host = Host(lambda: self._pass.converse)
        self._started = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + ".000000Z"

    def __enter__(self) -> None:
        self._host.start()
        self._play.docker_host = self._host.docker_host

    def __exit__(self, *error: object) -> None:
        self._host.stop()
        _write(self._play.path, self._pass.recording(["pytest", *sys.argv[1:]], self._started))


def _daemon() -> str:
    """The real daemon: what docker would use."""
    from tracer.engine.endpoint import find

    url = find(["docker"], os.environ).url
    if not url.startswith(("unix://", "tcp://")) or os.environ.get("DOCKER_TLS_VERIFY"):
        pytest.fail(f"recording goes through unix:// and plain tcp:// only, not through {url}")
    return url


def _write(path: Path, events: Iterable[Event]) -> None:
    """The recording, secrets masked; it is there as a whole or not at all."""
    from tracer.recording.redact import redact
    from tracer.recording.writer import Writer

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{os.getpid()}.jsonl")
    writer = Writer(str(unfinished))
    for event in redact(events):
        writer.write(event)
    writer.close()
    if writer.problem:
        unfinished.unlink(missing_ok=True)
        pytest.fail(writer.problem)
    unfinished.replace(path)
