"""What the tests share: a daemon of their own, socktrace as a command, and the proxy that is its oracle."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures import private_daemon
from fixtures.private_daemon import Daemon
from tests.needs import need
from tests.oracle import Proxy, proxied
from tests.runs import Socktrace


def pytest_configure() -> None:
    """Shells start background jobs with signals ignored, which programs inherit; tests send them to programs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


@pytest.fixture(scope="session")
def daemon() -> Iterator[Daemon]:
    """A private dockerd with the image `demo`. In CI its absence is a failure."""
    why = private_daemon.missing()
    need(why is None, why or "")
    with private_daemon.running() as started:
        yield started


@pytest.fixture
def proxy(daemon: Daemon, tmp_path: Path) -> Iterator[Proxy]:
    """A recording proxy before the daemon."""
    with proxied(daemon.socket, tmp_path / "docker.sock") as made:
        yield made


@pytest.fixture
def socktrace(tmp_path: Path) -> Socktrace:
    """socktrace as users run it."""
    return Socktrace(tmp_path)
