"""Events with the bytes inside of TLS records in the place of the records.

A connection whose client begins with a ClientHello is read with the secrets that come as `tls_secret` events. Until
the first sealed record could be read its events are held back; if none can be, they go on as they were, behind a
`tls` event that says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tracer.events import Close, Connect, Data, End, Event, Tls, TlsSecret
from tracer.wire.tls.keylog import KeyLog

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tracer.wire.tls.lock import Lock


def opened(events: Iterable[Event]) -> Iterator[Event]:
    """The same events, with `data` decrypted and `tls` events added. What was decrypted before is left as it is."""
    log = KeyLog()
    fresh: set[int] = set()
    locks: dict[int, Lock] = {}
    for event in events:
        if isinstance(event, Data):
            lock = locks.get(event.conn)
            if lock is None and event.conn in fresh:
                fresh.discard(event.conn)
                if event.dir == "out" and not event.plain and begins_tls(event.payload or b""):
                    from tracer.wire.tls.lock import Lock  # TLS is rare, and costs milliseconds

                    lock = locks[event.conn] = Lock(event.conn, log)
            if lock is None:
                yield event
            else:
                yield from lock.data(event)
                if lock.is_plain:
                    del locks[event.conn]
            continue
        if isinstance(event, Connect) and event.error is None and not event.midway:
            fresh.add(event.conn)
        elif isinstance(event, TlsSecret):
            log.add(event.line)
            for lock in locks.values():
                yield from lock.retry()
        elif isinstance(event, Close):
            fresh.discard(event.conn)
            yield from _finished(locks, [event.conn], event.t)
        elif isinstance(event, End):
            yield from _finished(locks, list(locks), event.t)
        elif isinstance(event, Tls):
            fresh.discard(event.conn)  # these records were judged before, by one who knew more
        yield event
    yield from _finished(locks, list(locks), None)


def begins_tls(data: bytes) -> bool:
    """Whether these first bytes of a client may be those of a ClientHello in a record, as far as they go."""
    return data[:1] == b"\x16" and data[1:2] in (b"", b"\3") and data[5:6] in (b"", b"\1")


def _finished(locks: dict[int, Lock], numbers: list[int], t: float | None) -> Iterator[Event]:
    for number in numbers:
        lock = locks.pop(number, None)
        if lock is not None:
            yield from lock.finish(t)
