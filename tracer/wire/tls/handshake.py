"""What the messages of a handshake say in the clear: hellos and certificates.

Layouts: RFC 8446 section 4, RFC 5246 section 7.4; server names RFC 6066, protocols RFC 7301. Nothing here raises on
input: what can't be read is None or empty.
"""

from __future__ import annotations

from msgspec import Struct

from tracer.events import Certificate

CLIENT_HELLO, SERVER_HELLO, NEW_TICKET = 1, 2, 4
ENCRYPTED_EXTENSIONS, CERTIFICATE, FINISHED, KEY_UPDATE = 8, 11, 20, 24
SERVER_NAME, ALPN, EARLY_DATA, SUPPORTED_VERSIONS, PRE_SHARED_KEY = 0, 16, 42, 43, 41
VERSIONS = {0x0300: "SSL 3.0", 0x0301: "1.0", 0x0302: "1.1", 0x0303: "1.2", 0x0304: "1.3"}
RETRY = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")
"""The random of a HelloRetryRequest (RFC 8446 section 4.1.3)."""


class ClientHello(Struct, frozen=True):
    """What a client offers."""

    random: bytes
    session_id: bytes = b""
    server_name: str | None = None
    early_data: bool = False


class ServerHello(Struct, frozen=True):
    """What the server chose. `resumed`: with a key that an earlier session left (TLS 1.3)."""

    random: bytes
    version: int
    suite: int
    session_id: bytes = b""
    alpn: str | None = None
    resumed: bool = False

    @property
    def is_retry(self) -> bool:
        """The server asks for another ClientHello."""
        return self.random == RETRY


class _Reader:
    """Takes vectors off the front of some bytes; short input gives short answers."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, length_size: int) -> bytes:
        return self.take(self.integer(length_size))

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)


def _extensions(data: bytes) -> dict[int, bytes]:
    reader = _Reader(data)
    found = {}
    while not reader.over:
        number = reader.integer(2)
        found[number] = reader.vector(2)
    return found


def client_hello(message: bytes) -> ClientHello:
    """The body of a ClientHello."""
    reader = _Reader(message)
    reader.take(2)
    random = reader.take(32)
    session = reader.vector(1)
    reader.vector(2)
    reader.vector(1)
    extensions = _extensions(reader.vector(2))
    return ClientHello(random, session, _server_name(extensions.get(SERVER_NAME, b"")), EARLY_DATA in extensions)


def _server_name(data: bytes) -> str | None:
    reader = _Reader(data)
    reader.take(3)
    return reader.vector(2).decode("ascii", "replace") or None


def server_hello(message: bytes) -> ServerHello:
    """The body of a ServerHello or HelloRetryRequest."""
    reader = _Reader(message)
    legacy = reader.integer(2)
    random = reader.take(32)
    session = reader.vector(1)
    suite = reader.integer(2)
    reader.take(1)
    extensions = _extensions(reader.vector(2))
    chosen = extensions.get(SUPPORTED_VERSIONS)
    version = int.from_bytes(chosen, "big") if chosen else legacy
    return ServerHello(random, version, suite, session, alpn(extensions), PRE_SHARED_KEY in extensions)


def alpn(extensions: dict[int, bytes]) -> str | None:
    """The protocol that the server chose (`h2`, `http/1.1`)."""
    reader = _Reader(extensions.get(ALPN, b""))
    reader.take(2)
    return reader.vector(1).decode("ascii", "replace") or None


def encrypted_extensions(message: bytes) -> dict[int, bytes]:
    """The body of an EncryptedExtensions message (TLS 1.3), by number."""
    return _extensions(_Reader(message).vector(2))


def certificates(message: bytes, *, tls13: bool) -> list[Certificate]:
    """The body of a Certificate message, the owner's first; those that can't be read are left out."""
    reader = _Reader(message)
    if tls13:
        reader.vector(1)
    entries = _Reader(reader.vector(3))
    found = []
    while not entries.over:
        raw = entries.vector(3)
        if tls13:
            entries.vector(2)
        read = _certificate(raw)
        if read is not None:
            found.append(read)
    return found


def _certificate(raw: bytes) -> Certificate | None:
    from cryptography import x509

    try:
        found = x509.load_der_x509_certificate(raw)
        return Certificate(
            subject=found.subject.rfc4514_string(),
            issuer=found.issuer.rfc4514_string(),
            not_before=found.not_valid_before_utc.isoformat().replace("+00:00", "Z"),
            not_after=found.not_valid_after_utc.isoformat().replace("+00:00", "Z"),
            names=_names(found),
        )
    except Exception:  # for bytes that are no certificate cryptography has errors of many kinds, without a common base
        return None


def _names(found: object) -> list[str]:
    from cryptography import x509

    assert isinstance(found, x509.Certificate)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except Exception:  # see above
        return []
    return [str(name.value) for name in names if isinstance(name, x509.DNSName | x509.IPAddress)]
