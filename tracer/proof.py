"""Claims about a run, each with its evidence: what the trace shows, never what is assumed.

`Proof` watches the events of a run, takes its exchanges, and ends with the claims. A claim holds, does not hold, or
does not apply (None); what can't be supported does not hold and says why. Statements and evidence are keys of the
catalogues in `words` with their values, so that they can be said in any language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec.structs
from msgspec import Struct

from tracer.engine.place import where
from tracer.engine.printed import Printed
from tracer.events import (
    Connect,
    Data,
    Elsewhere,
    End,
    Event,
    Exec,
    Failed,
    Fork,
    Header,
    Note,
    Output,
    Peer,
    PeerFound,
    Tls,
)
from tracer.exchanges import Exchange
from tracer.words import Said

WEAKENING = {"io_uring", "untraced", "foreign", "handed", "left", "midway"}
"""Kinds of notes after which nobody can say that nothing was missed."""

NETWORKS = {"inet", "inet6", "packet"}


class Claim(Struct, frozen=True):
    """`holds` is None for a claim that does not apply to the run."""

    id: str
    holds: bool | None
    statement: Said
    evidence: list[Said]


class _Traffic(Struct):
    """One connection: what the syscalls moved, and how much of it is in requests and responses."""

    connect: Connect
    peer: Peer | None
    moved: dict[str, int]
    calls: dict[str, int]
    explained: dict[str, int]
    exchanges: int = 0
    problems: int = 0
    omitted: int = 0
    tls: Tls | None = None


class Proof:
    """Watches the events of a run and takes its exchanges; `claims` is what they prove."""

    def __init__(self) -> None:
        self._header: Header | None = None
        self._end: End | None = None
        self._root: Exec | None = None
        self._pids: set[int] = set()
        self._threads = 0
        self._traffic: dict[int, _Traffic] = {}
        self._refused: list[Connect] = []
        self._elsewhere: list[Elsewhere] = []
        self._notes: list[Note] = []
        self._printed = Printed()

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, seen on their way to become exchanges."""
        for event in events:
            self._see(event)
            yield event

    def _see(self, event: Event) -> None:
        if isinstance(event, Data):
            self._data(event)
        elif isinstance(event, Connect):
            self._connected(event)
        elif isinstance(event, Failed):
            self._failed(event)
        elif isinstance(event, Output):
            self._printed.wrote(event)
        elif isinstance(event, Header):
            self._header = event
        elif isinstance(event, Exec):
            self._root = self._root or event
            self._pids.add(event.pid)
        elif isinstance(event, Fork):
            self._threads += event.thread
            self._pids |= set() if event.thread else {event.child}
        elif isinstance(event, PeerFound) and event.conn in self._traffic:
            self._traffic[event.conn].peer = event.peer
        elif isinstance(event, Tls) and event.conn in self._traffic:
            self._traffic[event.conn].tls = event
        elif isinstance(event, Elsewhere):
            self._elsewhere.append(event)
        elif isinstance(event, Note):
            self._notes.append(event)
        elif isinstance(event, End):
            self._end = event

    def _data(self, event: Data) -> None:
        traffic = self._traffic.get(event.conn)
        if traffic is None:
            return
        traffic.moved[event.dir] += event.size
        traffic.calls[event.dir] += 1
        if event.payload is None and event.size:
            traffic.omitted += event.size
        if event.dir == "in" and event.payload:
            self._printed.answered(event.payload)

    def _connected(self, event: Connect) -> None:
        if event.error is None:
            zero = {"out": 0, "in": 0}
            self._traffic[event.conn] = _Traffic(event, event.peer, dict(zero), dict(zero), dict(zero))
        else:
            self._refused.append(event)

    def _failed(self, event: Failed) -> None:
        """A connect(2) that was under way came to nothing: SO_ERROR told."""
        traffic = self._traffic.get(event.conn)
        if traffic is not None and event.syscall == "getsockopt" and not any(traffic.moved.values()):
            del self._traffic[event.conn]
            self._refused.append(msgspec.structs.replace(traffic.connect, error=event.error))

    def take(self, exchange: Exchange) -> None:
        """One exchange that was made of the events."""
        traffic = self._traffic.get(exchange.party.number)
        if traffic is None:
            return
        traffic.exchanges += 1
        self._printed.take(exchange)
        traffic.problems += exchange.failure is not None
        for call in exchange.calls:
            traffic.explained[call.dir] += call.size

    # The claims

    def claims(self) -> list[Claim]:
        """What can be said of the run, once it is over."""
        return [
            self._connection(),
            self._peer(),
            self._root_claim(),
            self._bytes(),
            self._output(),
            self._network(),
            self._complete(),
        ]

    @property
    def _thorough(self) -> bool:
        return self._header is not None and self._header.evidence

    def _connection(self) -> Claim:
        evidence: list[Said] = []
        if self._root is not None:
            command = {"exe": self._root.exe, "pid": self._root.pid, "others": max(0, len(self._pids) - 1)}
            evidence.append(Said("proof.connection.tree", command))
        files: dict[object, None] = {}
        for traffic in self._traffic.values():
            evidence.append(_connect_call(traffic.connect))
            if traffic.connect.file is not None and traffic.connect.file not in files:
                files[traffic.connect.file] = None
                evidence.append(Said("proof.connection.file", _file(traffic.connect)))
        evidence += [Said("proof.connection.refused", _refusal(connect)) for connect in self._refused]
        addresses = ", ".join(dict.fromkeys(traffic.connect.address for traffic in self._traffic.values()))
        holds = bool(self._traffic)
        values = {"count": len(self._traffic), "address": addresses}
        return Claim("connection", holds, Said(f"proof.connection.{_word(holds)}", values), evidence)

    def _peer(self) -> Claim:
        evidence: list[Said] = []
        unknown = 0
        told: dict[tuple[Any, ...], list[int]] = {}
        for number, traffic in self._traffic.items():
            peer = traffic.peer
            if not _is_known(peer):
                unknown += 1
                evidence.append(_unknown_peer(traffic.connect, peer))
                continue
            assert peer is not None
            told.setdefault((peer.pid, peer.how), []).append(number)
        for numbers in told.values():
            peer = self._traffic[numbers[0]].peer
            assert peer is not None
            evidence += _peer_evidence(peer, numbers)
        if not self._traffic:
            return Claim("peer", None, Said("proof.peer.nobody"), [])
        holds = not unknown
        peers = [traffic.peer for traffic in self._traffic.values() if _is_known(traffic.peer)]
        names = ", ".join(dict.fromkeys(_name(peer) for peer in peers))
        return Claim("peer", holds, Said(f"proof.peer.{_word(holds)}", {"names": names or "?"}), evidence)

    def _root_claim(self) -> Claim:
        if not self._traffic:
            return Claim("root", None, Said("proof.peer.nobody"), [])
        # a process without an id here still has a user: SO_PEERCRED tells it
        peers = [traffic.peer for traffic in self._traffic.values() if traffic.peer and traffic.peer.how != "helper"]
        users = [peer.uid for peer in peers]
        complete = bool(users) and len(users) == len(self._traffic) and None not in users
        holds = complete and set(users) == {0}
        others = sorted({uid for uid in users if uid})
        key = "holds" if holds else "other" if others else "unknown"
        values = {"uids": ", ".join(map(str, others))}
        evidence = [Said("proof.root.meaning")] if holds else []
        return Claim("root", holds, Said(f"proof.root.{key}", values), evidence)

    def _bytes(self) -> Claim:
        if not self._traffic:
            return Claim("bytes", None, Said("proof.peer.nobody"), [])
        evidence: list[Said] = []
        holds = self._lost == 0
        for number, traffic in self._traffic.items():
            same = traffic.moved == traffic.explained and not traffic.omitted
            holds = holds and same and not traffic.problems
            values = {"conn": number, "exchanges": traffic.exchanges, "problems": traffic.problems}
            for direction in ("out", "in"):
                values[f"{direction}_bytes"] = traffic.moved[direction]
                values[f"{direction}_calls"] = traffic.calls[direction]
                values[f"{direction}_rest"] = traffic.moved[direction] - traffic.explained[direction]
            evidence.append(Said("proof.bytes.equal" if same else "proof.bytes.unequal", values))
            if traffic.tls is not None and traffic.tls.problem is None:
                evidence.append(Said("proof.bytes.tls", _records(traffic.tls)))
            if traffic.problems:
                evidence.append(Said("proof.bytes.problems", values))
            if traffic.omitted:
                evidence.append(Said("proof.bytes.omitted", {"conn": number, "bytes": traffic.omitted}))
        if self._lost:
            evidence.append(Said("proof.bytes.lost", {"bytes": self._lost}))
        total = sum(traffic.exchanges for traffic in self._traffic.values())
        return Claim("bytes", holds, Said(f"proof.bytes.{_word(holds)}", {"count": total}), evidence)

    def _output(self) -> Claim:
        if not self._thorough:
            return Claim("output", False, Said("proof.output.unwatched"), [])
        if not self._printed.size or not self._traffic:
            return Claim("output", None, Said("proof.output.nothing"), [])
        words = self._printed.compared()
        if words is None:
            return Claim("output", None, Said("proof.output.only_headings"), [])
        holds = bool(words.found) and not words.strangers
        counts = {"found": len(words.found), "all": len(words.found) + len(words.missing), "some": _some(words.found)}
        evidence = [Said("proof.output.printed", {"bytes": self._printed.size}), Said("proof.output.found", counts)]
        if words.missing:
            evidence.append(Said("proof.output.missing", {"some": _some(words.missing)}))
        return Claim("output", holds, Said(f"proof.output.{_word(holds)}"), evidence)

    def _network(self) -> Claim:
        if not self._thorough:
            return Claim("network", False, Said("proof.network.unwatched"), [])
        over = [traffic.connect for traffic in self._traffic.values() if traffic.connect.family != "unix"]
        over += [connect for connect in self._refused if connect.family != "unix"]
        addresses = dict.fromkeys(connect.address for connect in over)
        evidence = [Said("proof.network.daemon", {"address": address}) for address in addresses]
        used = [seen for seen in self._elsewhere if seen.family in NETWORKS and seen.what != "open"]
        evidence += [_seen(seen) for seen in used]
        touched = {(seen.pid, seen.fd) for seen in used}
        opened = [seen for seen in self._elsewhere if seen.what == "open" and (seen.pid, seen.fd) not in touched]
        connected = {(traffic.connect.pid, traffic.connect.fd) for traffic in self._traffic.values()}
        idle = [seen for seen in opened if (seen.pid, seen.fd) not in connected]
        evidence += [Said("proof.network.open", _where(seen)) for seen in idle]
        evidence += [_seen(seen) for seen in self._elsewhere if seen.family == "unix"]
        holds = not over and not used
        if not evidence:
            evidence = [Said("proof.network.none")]
        return Claim("network", holds, Said(f"proof.network.{_word(holds)}"), evidence)

    def _complete(self) -> Claim:
        weak = [note for note in self._notes if note.kind in WEAKENING]
        evidence = [Said("proof.complete.note", {"message": note.message}) for note in weak]
        if self._end is None:
            evidence.append(Said("proof.complete.cut"))
        if self._lost:
            evidence.append(Said("proof.bytes.lost", {"bytes": self._lost}))
        if not self._thorough:
            evidence.append(Said("proof.complete.unwatched"))
        holds = not evidence
        if holds:
            counts = {"processes": len(self._pids), "threads": self._threads}
            evidence = [Said("proof.complete.traced", counts), Said("proof.complete.clean")]
        return Claim("complete", holds, Said(f"proof.complete.{_word(holds)}"), evidence)

    @property
    def _lost(self) -> int:
        return self._end.lost if self._end else 0


def _word(holds: bool) -> str:
    return "holds" if holds else "fails"


def _connect_call(connect: Connect) -> Said:
    key = "pipes" if connect.family == "pipe" else "call"
    values = {
        "conn": connect.conn,
        "program": connect.comm or "?",
        "pid": connect.pid,
        "tid": connect.tid,
        "fd": connect.fd,
        "t": f"{connect.t:.3f}",
    }
    return Said(f"proof.connection.{key}", values)


def _file(connect: Connect) -> dict[str, Any]:
    file = connect.file
    assert file is not None
    return {"path": file.path, "inode": file.inode, "mode": file.mode, "uid": file.uid, "gid": file.gid}


def _records(tls: Tls) -> dict[str, Any]:
    names = {"conn": tls.conn, "version": tls.version or "?", "cipher": tls.cipher or "?"}
    return {**names, "out": tls.records_out, "in": tls.records_in}


def _refusal(connect: Connect) -> dict[str, Any]:
    return {"address": connect.address, "pid": connect.pid, "error": connect.error or "?"}


def _is_known(peer: Peer | None) -> bool:
    return peer is not None and peer.pid != 0 and peer.how != "helper"


def _unknown_peer(connect: Connect, peer: Peer | None) -> Said:
    """Why nobody can be named at the other end."""
    if peer is not None and peer.how == "helper":
        values = {"conn": connect.conn, "pid": peer.pid, "exe": peer.exe or "ssh", "address": connect.address}
        return Said("proof.peer.helper", values)
    why = "tcp" if connect.family != "unix" else "outside" if peer else "hidden"
    return Said(f"proof.peer.{why}", {"conn": connect.conn})


def _name(peer: Peer | None) -> str:
    if peer is None or not peer.pid:
        return "?"
    return f"{peer.comm or (peer.exe or '?').rsplit('/', 1)[-1]} (pid {peer.pid})"


def _peer_evidence(peer: Peer, conns: list[int]) -> list[Said]:
    numbers = ", ".join(map(str, conns))
    values = {"conns": numbers, "pid": peer.pid, "exe": peer.exe or peer.comm or "?", "uid": peer.uid}
    told = [Said("proof.peer.process", values)]
    if peer.how == "sock_diag":
        told.append(
            Said("proof.peer.pair", {"ours": peer.paired_with, "theirs": peer.inode, "pid": peer.pid, "fd": peer.fd})
        )
    else:
        told.append(Said("proof.peer.listener", {"pid": peer.pid}))
    if peer.bound:
        told.append(Said("proof.peer.bound", {"path": peer.bound}))
    told.append(Said(f"where.{where(peer)}"))
    return told


def _where(seen: Elsewhere) -> dict[str, Any]:
    return {"pid": seen.pid, "fd": seen.fd, "family": seen.family, "address": seen.address or "?", "error": seen.error}


def _seen(seen: Elsewhere) -> Said:
    """What was done with another socket; a look-up of names is what goes to port 53."""
    if seen.family == "unix":
        return Said("proof.network.local", _where(seen))
    if seen.what == "inherited":
        return Said("proof.network.inherited", _where(seen))
    is_dns = (seen.address or "").endswith(":53")
    kind = "dns" if is_dns else "failed" if seen.error and seen.error != "EINPROGRESS" else seen.what
    return Said(f"proof.network.{kind}", _where(seen))


def _some(words: list[bytes]) -> str:
    shown = [word.decode("utf-8", "replace") for word in words[:5]]
    return ", ".join(shown) + (", ..." if len(words) > 5 else "")
