"""Events on their way from the tracer to the front: nothing is lost, reordered or changed, however they are cut."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence

import pytest

from tracer.capture import arch, feed, loop
from tracer.capture.addresses import Follow
from tracer.capture.follower import Follower
from tracer.events import Data, Event, Exit, Note


def _data(size: int) -> Data:
    payload = (bytes(range(256)) * (size // 256 + 1))[:size]
    return Data(
        t=0.5, conn=1, pid=2, tid=3, fd=4, syscall="read", dir="in", size=size, payload=payload,
    )  # fmt: skip


SOME: list[Event] = [
    Note(t=0.1, message="ế"),
    _data(0),
    _data(1),
    _data(300),
    Exit(t=0.2, pid=2, status=0, signal=None),
]


def received(write: Callable[[int], None]) -> list[Event | feed.Trouble]:
    """What comes out of a pipe that another thread writes into."""
    ours, theirs = os.pipe()
    writer = threading.Thread(target=write, args=(theirs,))
    writer.start()
    found = list(feed.receive(ours))
    writer.join()
    return found


def _send(events: Sequence[Event], *, one_by_one: bool) -> Callable[[int], None]:
    def write(fd: int) -> None:
        sender = feed.Sender(fd)
        for event in events:
            sender.send([event])
            if one_by_one:
                sender.flush()
        sender.close()

    return write


SIZES = [1 << 14, feed.READ_SIZE - 100, feed.READ_SIZE, 1, 3 * feed.READ_SIZE, 0, feed.WRITE_SIZE, 5_000_000, 7]


@pytest.mark.parametrize("one_by_one", [True, False])
def test_events_of_any_size(one_by_one: bool) -> None:
    events: list[Event] = [*SOME, *map(_data, SIZES * 3), *SOME]
    assert received(_send(events, one_by_one=one_by_one)) == events


def test_every_cut() -> None:
    ours, theirs = os.pipe()
    _send(SOME, one_by_one=False)(theirs)
    with os.fdopen(ours, "rb") as file:
        stream = file.read()

    def byte_by_byte(fd: int) -> None:
        for byte in stream:
            os.write(fd, bytes([byte]))
        os.close(fd)

    assert received(byte_by_byte) == SOME


def test_that_processes_begin_and_end_waits_for_something_of_interest() -> None:
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    sender = feed.Sender(theirs)
    assert not sender.send([Exit(t=0.2, pid=2, status=0, signal=None)])
    sender.rest()
    with pytest.raises(BlockingIOError):
        os.read(ours, 1)
    assert sender.send([Note(t=0.1, message="now")])
    sender.rest()
    assert not sender.send([])
    assert os.read(ours, 1)
    sender.close()
    os.close(ours)


class _Busy(loop.StopLoop):
    """A loop that always finds one more stop, and whose third has something to tell."""

    def __init__(self, follower: Follower) -> None:
        native = arch.native()
        assert native is not None
        super().__init__(native, follower, [])
        self.adopt(1, root=True, every=False)
        self.events = follower.events
        self.rounds = 0

    def _serve(self, *, wait: bool = True) -> bool:
        self.rounds += 1
        if self.rounds == 3:
            self.events.append(Note(t=0.1, message="now"))
        if self.rounds == 1000:
            self.root_status = 0
        return True


def test_a_tracer_that_never_rests_tells_what_happened_all_the_same() -> None:
    stops = _Busy(Follower(Follow([]), lambda: 0.0, lambda argv, environment: []))
    told: list[int] = []
    waiting: list[Event] = []

    def send(events: list[Event]) -> bool:
        waiting.extend(events)
        return bool(waiting)

    def rest() -> None:
        if waiting:
            told.append(stops.rounds)
            waiting.clear()

    stops.run(send, rest)
    assert told == [2 + loop.BUSY]
