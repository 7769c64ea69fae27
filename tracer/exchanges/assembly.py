"""From events to exchanges, and exchanges into the order of their requests."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator

import msgspec.structs

from tracer.events import (
    Close,
    Connect,
    Credentials,
    Data,
    End,
    Event,
    Exec,
    Exit,
    Failed,
    Header,
    PeerFound,
    Shutdown,
    Tls,
)
from tracer.exchanges.conversation import Conversation
from tracer.exchanges.types import Exchange, Growth, Item, Party
from tracer.wire.tls import opened


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        number += 1
        yield number


def assemble(
    events: Iterable[Event],
    *,
    keep_pieces: bool = False,
    keep_bodies: int = 0,
    live: bool = False,
    digests: bool = True,
) -> Iterator[Item]:
    """Events with their `data` turned into exchanges; all other events stay, in their places.

    With `keep_pieces` every syscall of an exchange is kept with its bytes (for `-vvv` and for replaying); bodies of up
    to `keep_bodies` bytes are kept as they were transferred (for what is exported). With `live`
    the heads and entries of exchanges that go on come as Growth, as soon as they are there. Without `digests` bodies
    have no SHA-256.
    """
    numbers = _numbers()
    conversations: dict[int, Conversation] = {}
    programs: dict[int, Exec] = {}
    started = ""
    t = 0.0
    for event in opened(events):
        if isinstance(event, Data):
            t = event.t
            conversation = conversations.get(event.conn)
            if conversation is not None:
                yield from conversation.data(event, numbers)
            continue
        t = getattr(event, "t", t)
        conversation = conversations.get(getattr(event, "conn", 0))
        if isinstance(event, Connect):
            party = _party(event, programs, started)
            yield event
            if event.error is None:
                conversations[event.conn] = Conversation(
                    party, keep_pieces=keep_pieces, keep_bodies=keep_bodies, live=live, digests=digests
                )
            else:
                yield _refused(next(numbers), party)
            continue
        if isinstance(event, Header):
            started = event.started
        elif isinstance(event, Exec):
            programs[event.pid] = event
        elif isinstance(event, Exit):
            programs.pop(event.pid, None)
        elif isinstance(event, Failed) and conversation is not None:
            conversation.failed(event)
        elif isinstance(event, Credentials) and conversation is not None:
            conversation.credentials(event)
        elif isinstance(event, Shutdown) and conversation is not None:
            conversation.shutdown(event)
        elif isinstance(event, Tls) and conversation is not None:
            conversation.secured(event, numbers)
        elif isinstance(event, PeerFound) and conversation is not None:
            _know_peer(conversation.party, event)
        elif isinstance(event, Close) and conversation is not None:
            if conversation.refused:
                yield _refused(next(numbers), _not_connected(conversation))
            yield from conversation.hang_up(event.t, numbers)
            del conversations[event.conn]
        elif isinstance(event, End):
            yield from _cut_off(conversations, event.t, "the command ended first", numbers)
        if not isinstance(event, (Shutdown, Credentials)):
            yield event
    yield from _cut_off(conversations, t, "the recording ends here", numbers)


def _cut_off(
    conversations: dict[int, Conversation], t: float, why: str, numbers: Iterator[int]
) -> Iterator[Exchange | Growth]:
    for conversation in conversations.values():
        yield from conversation.close(t, why=why, numbers=numbers)
    conversations.clear()


def _party(connect: Connect, programs: dict[int, Exec], started: str) -> Party:
    program = programs.get(connect.pid)
    exe, argv = (program.exe, program.argv) if program else (None, [])
    return Party(connect.conn, connect, exe, argv, started=started)


def _know_peer(party: Party, found: PeerFound) -> None:
    party.connect = msgspec.structs.replace(party.connect, peer=found.peer)


def _not_connected(conversation: Conversation) -> Party:
    """The party of a connection that came to nothing after connect(2) had answered EINPROGRESS."""
    party = conversation.party
    party.connect = msgspec.structs.replace(party.connect, error=conversation.refused)
    return party


def _refused(number: int, party: Party) -> Exchange:
    connect = party.connect
    exchange = Exchange(number, party, failure=f"could not connect to {connect.address}: {connect.error}")
    exchange.timing.sent = exchange.timing.done = connect.t
    return exchange


def in_order(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, with exchanges held back until all before them have come."""
    waiting: list[tuple[int, Exchange]] = []
    due = 1
    for item in items:
        if not isinstance(item, Exchange):
            yield item
            continue
        heapq.heappush(waiting, (item.number, item))
        while waiting and waiting[0][0] == due:
            due += 1
            yield heapq.heappop(waiting)[1]
    while waiting:
        yield heapq.heappop(waiting)[1]
