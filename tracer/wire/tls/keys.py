"""From a secret of a session to what opens its records: the key schedules of TLS 1.3 and 1.2."""

from __future__ import annotations

import hashlib
import hmac
from typing import Protocol

from tracer.wire.tls.suites import Suite

IV_SIZE = 12
SALT_SIZE = 4
"""Of the implicit part of a TLS 1.2 nonce for GCM and CCM (RFC 5288 section 3)."""


class Unopened(Exception):
    """A record that its key does not open."""


class _Cipher(Protocol):
    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes | None) -> bytes: ...


def _cipher(suite: Suite, key: bytes) -> _Cipher:
    from cryptography.hazmat.primitives.ciphers import aead

    if suite.aead == "chacha20":
        return aead.ChaCha20Poly1305(key)
    if suite.aead == "gcm":
        return aead.AESGCM(key)
    return aead.AESCCM(key, tag_length=8 if suite.aead == "ccm8" else 16)


def _open(cipher: _Cipher, nonce: bytes, data: bytes, additional: bytes) -> bytes:
    from cryptography.exceptions import InvalidTag

    try:
        return cipher.decrypt(nonce, data, additional)
    except (InvalidTag, ValueError):
        raise Unopened from None


def expand_label(secret: bytes, label: str, size: int, hash_name: str) -> bytes:
    """HKDF-Expand-Label with an empty context (RFC 8446 section 7.1)."""
    name = b"tls13 " + label.encode()
    info = size.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    made, block, count = b"", b"", 0
    while len(made) < size:  # HKDF-Expand (RFC 5869 section 2.3)
        count += 1
        block = hmac.digest(secret, block + info + bytes([count]), hash_name)
        made += block
    return made[:size]


class Key13:
    """Opens the records of one direction in one phase of TLS 1.3 (RFC 8446 section 5.2)."""

    def __init__(self, suite: Suite, secret: bytes) -> None:
        self._suite = suite
        self._secret = secret
        self._cipher = _cipher(suite, expand_label(secret, "key", suite.key_size, suite.hash))
        self._iv = int.from_bytes(expand_label(secret, "iv", IV_SIZE, suite.hash), "big")
        self._sequence = 0

    def open(self, kind: int, version: bytes, data: bytes) -> tuple[int, bytes]:
        """The real content type and the plain bytes of a record. Raises Unopened."""
        nonce = (self._iv ^ self._sequence).to_bytes(IV_SIZE, "big")
        additional = bytes([kind]) + version + len(data).to_bytes(2, "big")
        inner = _open(self._cipher, nonce, data, additional).rstrip(b"\0")
        self._sequence += 1
        if not inner:
            raise Unopened
        return inner[-1], inner[:-1]

    def updated(self) -> Key13:
        """The key after a KeyUpdate message (RFC 8446 section 7.2)."""
        size = hashlib.new(self._suite.hash).digest_size
        return Key13(self._suite, expand_label(self._secret, "traffic upd", size, self._suite.hash))


def prf(secret: bytes, label: bytes, seed: bytes, size: int, hash_name: str) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246 section 5)."""
    made = b""
    chained = label + seed
    while len(made) < size:
        chained = hmac.digest(secret, chained, hash_name)
        made += hmac.digest(secret, chained + label + seed, hash_name)
    return made[:size]


class Key12:
    """Opens the records of one direction of TLS 1.2 (RFC 5246 section 6.2.3.3)."""

    def __init__(self, suite: Suite, key: bytes, iv: bytes) -> None:
        self._cipher = _cipher(suite, key)
        self._iv = iv
        self._tag = 8 if suite.aead == "ccm8" else 16
        self._sequence = 0

    def open(self, kind: int, version: bytes, data: bytes) -> tuple[int, bytes]:
        """The content type and the plain bytes of a record. Raises Unopened."""
        explicit = b"" if len(self._iv) == IV_SIZE else data[: IV_SIZE - SALT_SIZE]
        sealed = data[len(explicit) :]
        if explicit:
            nonce = self._iv + explicit
        else:
            nonce = (int.from_bytes(self._iv, "big") ^ self._sequence).to_bytes(IV_SIZE, "big")
        size = max(0, len(sealed) - self._tag)
        additional = self._sequence.to_bytes(8, "big") + bytes([kind]) + version + size.to_bytes(2, "big")
        plain = _open(self._cipher, nonce, sealed, additional)
        self._sequence += 1
        return kind, plain


def keys_12(suite: Suite, master: bytes, client_random: bytes, server_random: bytes) -> tuple[Key12, Key12]:
    """The keys of the client's and of the server's records (RFC 5246 section 6.3)."""
    iv_size = IV_SIZE if suite.aead == "chacha20" else SALT_SIZE
    size = 2 * (suite.key_size + iv_size)
    block = prf(master, b"key expansion", server_random + client_random, size, suite.hash)
    key, iv = suite.key_size, 2 * suite.key_size
    return (
        Key12(suite, block[:key], block[iv : iv + iv_size]),
        Key12(suite, block[key:iv], block[iv + iv_size :]),
    )
