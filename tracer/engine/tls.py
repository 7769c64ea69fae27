"""What a TLS session was in words, and why one failed: who refused whom, and what was wrong with the certificate.

Clients name the same trouble by different alerts (Go says bad_certificate for all of it), so the certificate itself is
looked at: its validity, its names. Alerts: RFC 8446 section 6.2.
"""

from __future__ import annotations

from tracer.events import Certificate, Tls
from tracer.exchanges import Party
from tracer.wire.tls import HANDSHAKE_ONLY
from tracer.words import Said

CERTIFICATE_ALERTS = {
    "bad_certificate",
    "certificate_expired",
    "certificate_unknown",
    "unknown_ca",
    "unsupported_certificate",
    "certificate_required",
    "access_denied",
    "decrypt_error",
}
VERSION_ALERTS = {"protocol_version", "handshake_failure", "insufficient_security", "inappropriate_fallback"}


def in_words(tls: Tls) -> str:
    """`TLS 1.3, TLS_AES_128_GCM_SHA256, server CN=docker (issued by CN=ca, valid to 2027-01-31), client CN=me`."""
    parts = [f"TLS {tls.version}" if tls.version else "TLS", tls.cipher or ""]
    if tls.server_name:
        parts.append(f"for {tls.server_name}")
    parts += [_owner("server", tls.certificates), _owner("client", tls.client_certificates)]
    if tls.resumed:
        parts.append("resumed from an earlier session")
    if tls.alpn:
        parts.append(f"inside is {tls.alpn}")
    return ", ".join(part for part in parts if part)


def _owner(who: str, chain: list[Certificate]) -> str:
    if not chain:
        return ""
    first = chain[0]
    return f"{who} {first.subject} (issued by {first.issuer}, valid to {first.not_after[:10]})"


def trouble(party: Party) -> Said | None:
    """Why a session failed, by its last alert; None if there was none that says."""
    tls = party.tls
    if tls is None:
        return None
    if not tls.alerts:
        return _no_alert(party, tls)
    alert = tls.alerts[-1]
    values = {"alert": alert.name, "address": party.connect.address}
    if alert.name in VERSION_ALERTS:
        return Said("diagnosis.tls_versions", values)
    if alert.name not in CERTIFICATE_ALERTS:
        return Said("diagnosis.tls_alert", values)
    if alert.dir == "out":
        return _server_refused(party, tls, values)
    return _client_refused(party, tls, values)


def _no_alert(party: Party, tls: Tls) -> Said | None:
    """curl hangs up without a word when a certificate has another name."""
    if not tls.certificates or tls.problem is None:
        return None
    found = _about_server(party, tls, tls.certificates[0])
    return found or (Said("diagnosis.tls_hung_up") if tls.problem == HANDSHAKE_ONLY else None)


def _server_refused(party: Party, tls: Tls, values: dict[str, str]) -> Said:
    """The client did not accept the server's certificate."""
    certificate = tls.certificates[0] if tls.certificates else None
    if certificate is None:
        return Said("diagnosis.tls_alert", values)
    about = _about_server(party, tls, certificate)
    return about or Said("diagnosis.tls_server_unknown", _named(certificate))


def _about_server(party: Party, tls: Tls, certificate: Certificate) -> Said | None:
    """What is wrong with the server's certificate as such."""
    values = {**_named(certificate), "names": ", ".join(certificate.names)}
    expired = bool(tls.alerts) and tls.alerts[-1].name == "certificate_expired"
    if expired or _is_over(certificate, party.started):
        return Said("diagnosis.tls_server_expired", {**values, "date": certificate.not_after[:10]})
    asked = tls.server_name or party.connect.address.rpartition(":")[0].strip("[]")
    if not _is_named(certificate, asked):
        return Said("diagnosis.tls_server_name", {**values, "asked": asked})
    return None


def _named(certificate: Certificate) -> dict[str, str]:
    return {"subject": certificate.subject, "issuer": certificate.issuer}


def _client_refused(party: Party, tls: Tls, values: dict[str, str]) -> Said:
    """The server did not accept the client's certificate, or misses one."""
    certificate = tls.client_certificates[0] if tls.client_certificates else None
    if certificate is None:
        return Said("diagnosis.tls_client_missing", values)
    if _is_over(certificate, party.started):
        return Said("diagnosis.tls_client_expired", {**_named(certificate), "date": certificate.not_after[:10]})
    return Said("diagnosis.tls_client_refused", _named(certificate))


def _is_over(certificate: Certificate, now: str) -> bool:
    """Both times are ISO 8601 in UTC, so they compare as text."""
    return bool(now) and certificate.not_after < now


def _is_named(certificate: Certificate, asked: str) -> bool:
    """Whether the certificate is for this host (RFC 9525 section 6.3): a `*` stands for its first label."""
    return any(
        name.lower() == asked.lower()
        or (name.startswith("*.") and name[1:].lower() == asked[asked.find(".") :].lower())
        for name in certificate.names
    )
