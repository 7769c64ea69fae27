"""One TLS connection: both directions' records in, the plain bytes of its application out.

A record that no secret opens yet is kept until one comes: clients log their secrets after they have read the answer
that those open. Facts of the handshake are collected on the way.
"""

from __future__ import annotations

from collections.abc import Iterator

from tracer.events import Alert, Certificate, Direction
from tracer.wire.tls import alerts, handshake
from tracer.wire.tls.handshake import ClientHello, ServerHello
from tracer.wire.tls.keylog import MASTER, KeyLog
from tracer.wire.tls.keys import Key12, Key13, Unopened, keys_12
from tracer.wire.tls.suites import SUITES, name_of

CHANGE_CIPHER, ALERT, HANDSHAKE, APPLICATION = 20, 21, 22, 23
HEAD_SIZE = 5
MOST_KEPT = 4 << 20
"""Bytes that wait for a secret, a direction."""
TLS_12, TLS_13 = 0x0303, 0x0304
PHASES: dict[tuple[Direction, bool], str] = {
    ("out", False): "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    ("in", False): "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    ("out", True): "CLIENT_TRAFFIC_SECRET_0",
    ("in", True): "SERVER_TRAFFIC_SECRET_0",
}
"""Labels of TLS 1.3's secrets: by direction, and whether its side has finished the handshake."""


class _Side:
    """One direction: bytes that are no whole record yet, and how to open the next one."""

    def __init__(self, direction: Direction) -> None:
        self.direction: Direction = direction
        self.raw = bytearray()
        self.messages = bytearray()
        """Of the handshake: messages may span records."""
        self.sealed = False
        self.finished = False
        self.key: Key12 | Key13 | None = None


class Session:
    """Feed it what each direction carried; it gives the plain bytes that have become readable."""

    def __init__(self, log: KeyLog) -> None:
        self._log = log
        self._sides: dict[Direction, _Side] = {"out": _Side("out"), "in": _Side("in")}
        self.client: ClientHello | None = None
        self.server: ServerHello | None = None
        self.alpn: str | None = None
        self.certificates: dict[Direction, list[Certificate]] = {"out": [], "in": []}
        self.alerts: list[Alert] = []
        self.resumed = False
        self.problem: str | None = None
        """Why nothing more can be read, in a sentence's second half."""
        self.opened = False
        """A sealed record has been read."""
        self.is_plain = False
        """One of the sides does not speak TLS."""

    @property
    def version(self) -> str | None:
        """`1.3`, once the server has chosen."""
        return handshake.VERSIONS.get(self.server.version) if self.server else None

    @property
    def cipher(self) -> str | None:
        """The name of the suite, once the server has chosen."""
        return name_of(self.server.suite) if self.server else None

    def feed(self, direction: Direction, data: bytes) -> Iterator[tuple[Direction, bytes]]:
        """Bytes of one direction; the application's bytes that can be read now, of both."""
        side = self._sides[direction]
        side.raw += data
        yield from self.advance()
        if len(side.raw) > MOST_KEPT:
            self.problem = self.problem or self.why_not()

    def advance(self) -> Iterator[tuple[Direction, bytes]]:
        """Read on as far as the secrets go: call it when there is a new one."""
        for side in self._sides.values():
            plain = b"".join(self._read(side))
            if plain:
                yield side.direction, plain

    def why_not(self) -> str:
        """The reason why sealed records were not read."""
        if self.server is None:
            return "the server did not answer the client's hello"
        if self.server.suite not in SUITES:
            return f"records of {self.cipher} are not decrypted"
        return "the secrets of this session are not known"

    def _read(self, side: _Side) -> Iterator[bytes]:
        while self.problem is None and not self.is_plain and len(side.raw) >= HEAD_SIZE:
            kind, major, size = side.raw[0], side.raw[1], int.from_bytes(side.raw[3:5], "big")
            if not CHANGE_CIPHER <= kind <= 24 or major != 3:
                self._no_record(side)
                return
            if len(side.raw) < HEAD_SIZE + size:
                return
            head, body = bytes(side.raw[:HEAD_SIZE]), bytes(side.raw[HEAD_SIZE : HEAD_SIZE + size])
            if self._is_sealed(side, kind):
                key = self._key(side)
                if key is None:
                    return
                try:
                    kind, body = key.open(kind, head[1:3], body)
                except Unopened:
                    if not self._is_early(side):
                        self.problem = "a record could not be decrypted with the secrets that the client told"
                        return
                    kind = CHANGE_CIPHER
                self.opened = True
            del side.raw[: HEAD_SIZE + size]
            if kind == APPLICATION:
                yield body
            else:
                self._control(side, kind, body)

    def _no_record(self, side: _Side) -> None:
        if self.server is None:
            self.is_plain = True
        else:
            self.problem = "bytes that are no TLS record came"

    def _is_sealed(self, side: _Side, kind: int) -> bool:
        if self._is_13:
            return kind == APPLICATION
        return side.sealed and kind != CHANGE_CIPHER

    @property
    def _is_13(self) -> bool:
        return self.server is not None and self.server.version == TLS_13

    def _is_early(self, side: _Side) -> bool:
        """Early data (RFC 8446 section 4.2.10) has a key of its own, and is passed over."""
        return side.direction == "out" and not side.finished and self.client is not None and self.client.early_data

    def _key(self, side: _Side) -> Key12 | Key13 | None:
        """What opens the next record of this side, if the secret for it is known."""
        if side.key is not None:
            return side.key
        if self.client is None or self.server is None:
            return None
        suite = SUITES.get(self.server.suite)
        if suite is None:
            self.problem = self.why_not()
            return None
        if self._is_13:
            secret = self._log.secret(self.client.random, PHASES[side.direction, side.finished])
            side.key = Key13(suite, secret) if secret else None
            return side.key
        master = self._log.secret(self.client.random, MASTER)
        if master:
            pair = keys_12(suite, master, self.client.random, self.server.random)
            self._sides["out"].key, self._sides["in"].key = pair
        return side.key

    def _control(self, side: _Side, kind: int, body: bytes) -> None:
        if kind == HANDSHAKE:
            side.messages += body
            self._handshake(side)
        elif kind == ALERT and len(body) == 2:
            if body[1] != alerts.CLOSE_NOTIFY:
                self.alerts.append(Alert(dir=side.direction, name=alerts.name_of(body[1]), fatal=body[0] == 2))
        elif kind == CHANGE_CIPHER and self.server is not None and not self._is_13:
            side.sealed = True  # in TLS 1.3, and before a second ClientHello, it means nothing (RFC 8446 appendix D.4)

    def _handshake(self, side: _Side) -> None:
        messages = side.messages
        while len(messages) >= 4:
            size = int.from_bytes(messages[1:4], "big")
            if len(messages) < 4 + size:
                return
            kind, body = messages[0], bytes(messages[4 : 4 + size])
            del messages[: 4 + size]
            self._message(side, kind, body)

    def _message(self, side: _Side, kind: int, body: bytes) -> None:
        if kind == handshake.CLIENT_HELLO and side.direction == "out":
            self.client = handshake.client_hello(body)
        elif kind == handshake.SERVER_HELLO and side.direction == "in":
            self._server_hello(handshake.server_hello(body))
        elif kind == handshake.ENCRYPTED_EXTENSIONS:
            self.alpn = handshake.alpn(handshake.encrypted_extensions(body))
        elif kind == handshake.CERTIFICATE:
            self.certificates[side.direction] = handshake.certificates(body, tls13=self._is_13)
        elif kind == handshake.FINISHED and self._is_13:
            side.finished = True
            side.key = None
        elif kind == handshake.KEY_UPDATE and isinstance(side.key, Key13):
            side.key = side.key.updated()

    def _server_hello(self, hello: ServerHello) -> None:
        if hello.is_retry:
            return
        self.server = hello
        self.alpn = hello.alpn
        same_id = bool(hello.session_id) and self.client is not None and hello.session_id == self.client.session_id
        self.resumed = hello.resumed if hello.version == TLS_13 else same_id
