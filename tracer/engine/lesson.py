"""A run as a lesson: what the command line says, what happened, what to notice, what the daemon does then.

`Teacher` watches the events of a run, takes its exchanges, and ends with the lesson: keys of the catalogues in `words`
with their values, and what was found in the requests; no sentence and no layout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from msgspec import Struct

from tracer.engine import diagnosis, equivalent, flags
from tracer.engine.meaning import Meaning, meaning_of
from tracer.engine.place import where
from tracer.engine.progress import GROWING
from tracer.events import Certificate, Close, Connect, End, Event, Exec, Header, PeerFound, Tls
from tracer.exchanges import Exchange
from tracer.words import Said

MOST_STEPS = 1000


class FlagTold(Struct, frozen=True):
    """A word of a command line: as typed, what it means, and where it went (`sent` is None for what is not sent)."""

    text: str
    said: Said
    place: str = ""
    sent: Any = None
    number: int | None = None


class CommandTold(Struct, frozen=True):
    """A docker command line of the run."""

    program: str
    command: str
    said: Said
    words: list[FlagTold]


class Step(Struct, frozen=True):
    """One exchange: its number, its line, its status, and the operation whose sentence says what it is."""

    number: int
    method: str
    target: str
    status: int | None
    operation: str | None
    sentence: str | None
    """The operation's sentence in English; other languages have it in their catalogue."""
    asked: str | None
    answered: str | None


class Same(Struct, frozen=True):
    """What docker command does the same as an exchange of another program."""

    number: int
    command: str


class Lesson(Struct, frozen=True):
    """The whole lesson."""

    commands: list[CommandTold]
    steps: list[Step]
    points: list[Said]
    afterwards: list[Said]
    same: list[Same]
    why: list[tuple[int, Said]]


class Run(Struct):
    """What the rules of POINTS look at."""

    exchanges: list[Exchange]
    meanings: list[Meaning]
    connects: list[Connect]
    closed: dict[int, float]
    """When each connection was closed."""
    peers: dict[int, PeerFound]
    secured: dict[int, Tls]

    def of(self, *operations: str) -> list[Exchange]:
        """The exchanges of these operations."""
        pairs = zip(self.exchanges, self.meanings, strict=True)
        return [exchange for exchange, meaning in pairs if meaning.operation and meaning.operation.id in operations]


class Teacher:
    """Watches the events of a run and takes its exchanges, in the order of their requests."""

    def __init__(self) -> None:
        self._header: Header | None = None
        self._end: End | None = None
        self._execs: list[Exec] = []
        self._run = Run([], [], [], {}, {}, {})

    def watch(self, events: Iterable[Event]) -> Iterator[Event]:
        """The same events, seen on their way to become exchanges."""
        for event in events:
            if isinstance(event, Header):
                self._header = event
            elif isinstance(event, Exec):
                self._execs.append(event)
            elif isinstance(event, Connect):
                self._run.connects.append(event)
            elif isinstance(event, Close):
                self._run.closed[event.conn] = event.t
            elif isinstance(event, End):
                self._end = event
            elif isinstance(event, PeerFound):
                self._run.peers[event.conn] = event
            elif isinstance(event, Tls):
                self._run.secured[event.conn] = event
            yield event

    def take(self, exchange: Exchange) -> None:
        """One exchange."""
        if len(self._run.exchanges) < MOST_STEPS:
            self._run.exchanges.append(exchange)

    def lesson(self) -> Lesson:
        """What the run teaches, once it is over."""
        run = self._run
        run.exchanges.sort(key=lambda exchange: exchange.number)
        run.meanings = [meaning_of(exchange) for exchange in run.exchanges]
        return Lesson(
            commands=list(self._commands()),
            steps=[_step(*pair) for pair in zip(run.exchanges, run.meanings, strict=True) if pair[0].request],
            points=[said for rule in POINTS for said in rule(run)],
            afterwards=list(_afterwards(run)),
            same=list(self._same()),
            why=list(self._why()),
        )

    def _commands(self) -> Iterator[CommandTold]:
        for executed in self._execs:
            line = flags.parse(executed.argv)
            if line is None or not line.command or executed.exe.endswith("sh"):
                continue
            key = line.command if line.command in flags.OPERATIONS else "other"
            said = Said(f"command.{key}")
            words = [] if key == "other" else list(self._words(line, executed.pid))
            yield CommandTold(line.program, line.command, said, words)

    def _words(self, line: flags.CommandLine, pid: int) -> Iterator[FlagTold]:
        found = [item for item in self._run.of(flags.OPERATIONS[line.command]) if item.party.connect.pid == pid]
        for word in line.words:
            if word.flag is None:
                yield self._plain_word(word, found)
                continue
            text = f"{word.text} {word.value}" if word.value is not None else word.text
            said = Said(f"flag.{word.flag.key}")
            sent = [(item.number, _sent(word.flag, item)) for item in found]
            number, value = next(((n, value) for n, value in sent if value is not None), (None, None))
            place = "" if word.flag.place == "none" else word.flag.path
            yield FlagTold(text, said, place, value, number)

    def _plain_word(self, word: flags.Word, found: list[Exchange]) -> FlagTold:
        path = {"image": "Image", "command": "Cmd"}.get(word.role)
        said = Said(f"role.{word.role or 'unknown'}")
        for exchange in found if path else []:
            value = flags.value_at(exchange.request.body.preview if exchange.request else None, path or "")
            if value is not None:
                return FlagTold(word.text, said, path or "", value, exchange.number)
        return FlagTold(word.text, said)

    def _same(self) -> Iterator[Same]:
        clients = {executed.pid for executed in self._execs if flags.parse(executed.argv)}
        told: dict[str, None] = {}
        for exchange in self._run.exchanges:
            if exchange.party.connect.pid in clients:
                continue
            command = equivalent.command_for(exchange)
            if command and command not in told:
                told[command] = None
                yield Same(exchange.number, command)

    def _why(self) -> Iterator[tuple[int, Said]]:
        told: set[str] = set()
        for exchange in self._run.exchanges:
            said = diagnosis.of_exchange(exchange)
            if said is not None and str(said) not in told:
                told.add(str(said))
                yield exchange.number, said
        failed = self._end is not None and self._end.exit_code != 0
        if failed and not self._run.connects and any(flags.parse(executed.argv) for executed in self._execs):
            endpoint = self._header.endpoint if self._header else None
            yield 0, Said("diagnosis.no_connection", {"endpoint": endpoint or "?"})


def _sent(flag: flags.Flag, exchange: Exchange) -> Any:
    assert exchange.request is not None
    value = flag.value_in(exchange.request.body.preview, meaning_of(exchange).query)
    return None if value in (None, False, "", [], {}) else value


def _step(exchange: Exchange, meaning: Meaning) -> Step:
    assert exchange.request is not None
    operation = meaning.operation
    return Step(
        exchange.number,
        exchange.request.head.method,
        exchange.request.head.target,
        exchange.response.head.status if exchange.response else None,
        operation.id if operation else None,
        meaning.sentence,
        meaning.asked,
        exchange.failure or meaning.answered,
    )


def _afterwards(run: Run) -> Iterator[Said]:
    """For each operation that succeeded, once, what it sets going inside the daemon."""
    told: dict[str, None] = {}
    for exchange, meaning in zip(run.exchanges, run.meanings, strict=True):
        status = exchange.response.head.status if exchange.response else 0
        if meaning.operation and (100 < status < 300) and meaning.operation.id in NEXT:
            told[meaning.operation.id] = None
    if "Session" in told:  # then it is BuildKit that works, and not step after step
        told.pop("ImageBuild", None)
    for operation in told:
        yield Said(f"next.{operation}", {"operation": operation})


NEXT = {
    "ContainerCreate",
    "ContainerStart",
    "ContainerExec",
    "ExecStart",
    "ImageCreate",
    "ImagePush",
    "ImageBuild",
    "Session",
    "Grpc",
    "ContainerStop",
    "ContainerKill",
    "ContainerDelete",
    "ContainerList",
    "ContainerLogs",
    "PutContainerArchive",
    "ContainerArchive",
}

# The rules: each looks at the run and says what is worth noticing.

Rule = Callable[[Run], Iterator[Said]]

ROADS = {"unix": "socket", "pipe": "ssh"}
"""Points about the way to the daemon, by the connection's family."""


def _socket(run: Run) -> Iterator[Said]:
    for connect in run.connects[:1]:
        key = "tls" if run.secured else ROADS.get(connect.family, "tcp")
        yield Said(f"point.{key}", {"address": connect.address})


def _tls(run: Run) -> Iterator[Said]:
    session = next((tls for tls in run.secured.values() if tls.certificates), None)
    if session is None:
        return
    values = {"version": session.version, "cipher": session.cipher}
    yield Said("point.tls_server", {**values, **_owner(session.certificates[0])})
    if session.client_certificates:
        yield Said("point.tls_client", _owner(session.client_certificates[0]))
    if session.problem is None:
        yield Said("point.tls_opened")


def _owner(certificate: Certificate) -> dict[str, str]:
    return {"subject": certificate.subject, "issuer": certificate.issuer}


def _root(run: Run) -> Iterator[Said]:
    for found in list(run.peers.values())[:1]:
        if found.peer.uid == 0:
            yield Said("point.root", {"name": found.peer.comm or "dockerd", "pid": found.peer.pid})
        if where(found.peer) != "unknown":
            yield Said(f"where.{where(found.peer)}")


def _ping(run: Run) -> Iterator[Said]:
    if run.of("SystemPingHead"):
        yield Said("point.ping")


def _versions(run: Run) -> Iterator[Said]:
    agreed = next((exchange.negotiation for exchange in run.exchanges if exchange.negotiation), None)
    if agreed is not None:
        values = {"client": agreed.client, "daemon": agreed.daemon, "spoken": agreed.spoken}
        yield Said("point.versions" if agreed.client else "point.versions_daemon", values)


def _connections(run: Run) -> Iterator[Said]:
    made: dict[int, list[Connect]] = {}
    for connect in run.connects:
        if connect.error is None:
            made.setdefault(connect.pid, []).append(connect)
    most = max((len(connects) for connects in made.values() if _overlap(connects, run.closed)), default=0)
    if most > 1:
        yield Said("point.connections", {"count": most})


def _overlap(connects: Sequence[Connect], closed: Mapping[int, float]) -> bool:
    return any(two.t < closed.get(one.conn, two.t + 1) for one, two in pairwise(connects))


def _hijack(run: Run) -> Iterator[Said]:
    for exchange in run.exchanges:
        if exchange.upgrade == "tcp" and exchange.stream is not None:
            yield Said("point.hijack", {"number": exchange.number})
            yield Said("point.terminal" if exchange.stream.kind == "raw" else "point.frames")
            return


def _first(key: str, *operations: str) -> Rule:
    """A rule about the first exchange of some operations."""

    def rule(run: Run) -> Iterator[Said]:
        for exchange in run.of(*operations)[:1]:
            yield Said(key, {"number": exchange.number})

    return rule


def _wait(run: Run) -> Iterator[Said]:
    waits, starts = run.of("ContainerWait"), run.of("ContainerStart")
    if waits and starts and waits[0].number < starts[0].number:
        yield Said("point.wait", {"number": waits[0].number})


def _session(run: Run) -> Iterator[Said]:
    for exchange in run.of("Session"):
        if exchange.stream is not None and exchange.stream.calls:
            yield Said("point.session", {"number": exchange.number})
            return


def _archive(run: Run) -> Iterator[Said]:
    for exchange in run.exchanges:
        if exchange.request is not None and exchange.request.body.kind == "tar":
            yield Said("point.archive", {"number": exchange.number, "size": exchange.request.body.size})
            return


def _lines(run: Run) -> Iterator[Said]:
    for exchange, meaning in zip(run.exchanges, run.meanings, strict=True):
        growing = meaning.operation is not None and meaning.operation.id in GROWING
        if growing and exchange.response is not None and exchange.response.body.kind == "jsonlines":
            yield Said("point.lines", {"number": exchange.number})
            return


def _credentials(run: Run) -> Iterator[Said]:
    for exchange in run.exchanges:
        for login in exchange.logins:
            if login.kind != "nothing":
                yield Said("point.credentials", {"registry": login.registry or "?", "number": exchange.number})
                return


def _missing_image(run: Run) -> Iterator[Said]:
    refused = [item for item in run.of("ContainerCreate") if item.response and item.response.head.status == 404]
    if refused and run.of("ImageCreate"):
        yield Said("point.missing_image", {"number": refused[0].number})


def _late_error(run: Run) -> Iterator[Said]:
    for exchange in run.exchanges:
        said = diagnosis.of_exchange(exchange)
        if said is not None and exchange.response is not None and exchange.response.head.status == 200:
            yield Said("point.late_error", {"number": exchange.number})
            return


POINTS: tuple[Rule, ...] = (
    _socket,
    _tls,
    _root,
    _ping,
    _versions,
    _missing_image,
    _credentials,
    _connections,
    _hijack,
    _wait,
    _first("point.resize", "ContainerResize", "ExecResize"),
    _session,
    _archive,
    _lines,
    _late_error,
)
"""In the order in which a teacher would say them."""
