"""Who a client says it is to a registry: the headers X-Registry-Auth and X-Registry-Config, without their secrets.

X-Registry-Auth is base64url of one object (username, password, serveraddress, identitytoken, registrytoken; Engine
API, "Authentication"); X-Registry-Config, of POST /build, is base64url of such objects by registry.
"""

from __future__ import annotations

import binascii
from typing import Any

from msgspec import Struct

from tracer.wire.heads import Head
from tracer.wire.json_values import parsed

HEADERS = ("x-registry-auth", "x-registry-config")

SECRETS = {
    "password": "password",
    "auth": "password",
    "identitytoken": "identity token",
    "registrytoken": "registry token",
}


class Login(Struct, frozen=True):
    """Credentials for one registry: whose, and of which kind (of SECRETS, or `nothing`); never the secret itself."""

    registry: str
    user: str
    kind: str


def logins(name: str, value: str) -> list[Login] | None:
    """What a header of HEADERS says, or None where it can't be read (masked, or not base64 of JSON)."""
    try:
        raw = value.strip().encode("ascii")
        raw += b"=" * (-len(raw) % 4)
        told = parsed(binascii.a2b_base64(raw.replace(b"-", b"+").replace(b"_", b"/"), strict_mode=True))
    except (ValueError, binascii.Error):
        return None
    if not isinstance(told, dict):
        return [] if told is None else None
    if name.lower() == "x-registry-config":
        return [_login(entry, registry) for registry, entry in told.items() if isinstance(entry, dict)]
    return [_login(told, "")]


def of_head(head: Head) -> list[Login]:
    """What all headers of a request head say that can be read."""
    found: list[Login] = []
    for name in HEADERS:
        for value in head.values(name):
            found += logins(name, value) or []
    return found


def _login(entry: dict[str, Any], registry: str) -> Login:
    kind = next((kind for key, kind in SECRETS.items() if entry.get(key)), "nothing")
    return Login(str(entry.get("serveraddress") or registry), str(entry.get("username") or ""), kind)
