"""The TLS session of one connection, and its events that wait to be opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec.structs

from tracer.events import Alert, Data, Direction, Event, Tls
from tracer.wire.tls import HANDSHAKE_ONLY
from tracer.wire.tls.keylog import KeyLog
from tracer.wire.tls.session import Session

ENDS = {"out": "client", "in": "daemon"}


class Lock:
    """Takes the events of a connection and gives them back with plain bytes, or as they were."""

    def __init__(self, conn: int, log: KeyLog) -> None:
        self._conn = conn
        self._session = Session(log)
        self._held: list[Data] = []
        self._last: dict[Direction, Data] = {}
        self._sizes: dict[Direction, int] = {"out": 0, "in": 0}
        self._told: Tls | None = None
        self._sealed = False
        """It was given up before anything was read: events pass as they are."""

    @property
    def is_plain(self) -> bool:
        """It turned out not to be TLS on both sides."""
        return self._session.is_plain

    def data(self, event: Data) -> Iterator[Event]:
        """One syscall's records."""
        self._sizes[event.dir] += event.size
        if self._sealed:
            yield event
            return
        self._last[event.dir] = event
        if not self._session.opened:
            self._held.append(event)
        if event.payload is None:
            self._session.problem = self._session.problem or "some of its records were counted and not kept"
        elif event.size:
            yield from self._plain(self._session.feed(event.dir, event.payload))
        elif self._session.opened and self._session.problem is None:
            yield msgspec.structs.replace(event, plain=True)
        yield from self._decided(event.t)

    def retry(self) -> Iterator[Event]:
        """There is a new secret."""
        if not self._sealed and self._last:
            yield from self._plain(self._session.advance())

    def _plain(self, pieces: Iterable[tuple[Direction, bytes]]) -> Iterator[Event]:
        for direction, data in pieces:
            origin = self._last[direction]
            if self._told is None:
                yield self._facts(origin.t)
            yield msgspec.structs.replace(origin, size=len(data), payload=data, plain=True)

    def _decided(self, t: float) -> Iterator[Event]:
        """Whether it can be read, or will never be."""
        session = self._session
        if session.opened and session.problem is None:
            self._held.clear()
        elif session.problem is not None or session.is_plain:
            yield from self._given_up(t)

    def _given_up(self, t: float) -> Iterator[Event]:
        if not self._session.is_plain and (self._told is None or self._told.problem is None):
            yield self._facts(t)
        if not self._session.opened:
            self._sealed = True
            yield from self._held
        self._held.clear()

    def finish(self, t: float | None) -> Iterator[Event]:
        """Nothing more comes: what is known now, with the number of bytes in all."""
        when = max(event.t for event in self._last.values()) if t is None else t
        session = self._session
        if session.problem is None and (self._told is None or not session.opened):
            session.problem = _no_application_data(session)
            yield from self._given_up(when)
        told = self._told
        facts = self._facts(when)
        if told is None or msgspec.structs.replace(facts, t=told.t) != told:
            yield facts

    def _facts(self, t: float) -> Tls:
        session = self._session
        self._told = Tls(
            t=t,
            conn=self._conn,
            version=session.version,
            cipher=session.cipher,
            server_name=session.client.server_name if session.client else None,
            alpn=session.alpn,
            resumed=session.resumed,
            certificates=session.certificates["in"],
            client_certificates=session.certificates["out"],
            alerts=list(session.alerts),
            problem=session.problem,
            records_out=self._sizes["out"],
            records_in=self._sizes["in"],
        )
        return self._told


def _no_application_data(session: Session) -> str:
    """Why a session ended before any of its application's bytes were read."""
    if session.alerts:
        return f"the TLS handshake failed: the {_who(session.alerts[-1])} sent the alert {session.alerts[-1].name}"
    if session.opened:
        return HANDSHAKE_ONLY
    return session.why_not()


def _who(alert: Alert) -> str:
    return ENDS[alert.dir]
