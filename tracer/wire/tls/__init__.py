"""TLS as an observer reads it who was given the secrets: records, handshakes, keys, and the plain bytes behind them."""

from tracer.wire.tls.opened import opened

__all__ = ["HANDSHAKE_ONLY", "opened"]

HANDSHAKE_ONLY = "it ended with the handshake"
"""The problem of a session whose client went away before it said anything."""
