"""TLS as an observer reads it who was given the secrets: records, handshakes, keys, and the plain bytes behind them."""

from tracer.wire.tls.opened import opened

__all__ = ["opened"]
