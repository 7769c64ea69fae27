"""The secrets of sessions, as their clients log them.

They come as lines of the NSS key log format: `LABEL client_random secret`, in hex. TLS 1.3 has a label for each
direction and phase (RFC 8446 section 7.1), TLS 1.2 one master secret (RFC 5246 section 8.1).
"""

from __future__ import annotations

MAX_SESSIONS = 10_000
MASTER = "CLIENT_RANDOM"


class KeyLog:
    """Secrets by client random and label; the oldest sessions are forgotten."""

    def __init__(self) -> None:
        self._sessions: dict[bytes, dict[str, bytes]] = {}

    def add(self, line: str) -> bytes | None:
        """Take one line; the client random that it is about, or None if it is a comment or damaged."""
        words = line.split()
        if len(words) != 3 or words[0].startswith("#"):
            return None
        try:
            random, secret = bytes.fromhex(words[1]), bytes.fromhex(words[2])
        except ValueError:
            return None
        self._sessions.setdefault(random, {})[words[0]] = secret
        while len(self._sessions) > MAX_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return random

    def secret(self, random: bytes, label: str) -> bytes | None:
        """The secret, if it is known by now."""
        return self._sessions.get(random, {}).get(label)

    def knows(self, random: bytes) -> bool:
        """Whether there is any secret of this session."""
        return random in self._sessions
