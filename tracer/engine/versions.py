"""Version negotiation: what a client and a daemon agreed on, from a ping's answer and the first versioned request.

The client asks HEAD /_ping, the answer's Api-Version header is the newest that the daemon speaks, and the client takes
the older of that and its own newest (Engine API, "Versioning"). A client does not say its own newest version on the
wire: it is known from the release in its User-Agent.
"""

from __future__ import annotations

import re

from tracer.exchanges import Exchange, Negotiation

MOST_CLIENTS = 1000

_DOCKER_CLIENT = re.compile(r"Docker-Client/(\d+\.\d+)")
NEWEST = {
    "17.06": "1.30",
    "17.07": "1.31",
    "17.09": "1.32",
    "17.10": "1.33",
    "17.11": "1.34",
    "17.12": "1.35",
    "18.02": "1.36",
    "18.03": "1.37",
    "18.06": "1.38",
    "18.09": "1.39",
    "19.03": "1.40",
    "20.10": "1.41",
    "23.0": "1.42",
    "24.0": "1.43",
    "25.0": "1.44",
    "26.0": "1.45",
    "26.1": "1.45",
    "27.0": "1.46",
    "27.1": "1.46",
    "27.2": "1.47",
    "27.3": "1.47",
    "27.4": "1.47",
    "27.5": "1.47",
    "28.0": "1.48",
    "28.1": "1.49",
    "28.2": "1.50",
    "28.3": "1.51",
    "28.4": "1.51",
    "28.5": "1.51",
    "29.0": "1.52",
}
"""The newest API version of each release of the docker CLI (the API version matrix of Docker's reference)."""


def newest_of(user_agent: str) -> str | None:
    """The newest API version that the docker CLI with this User-Agent knows, if it is one."""
    release = _DOCKER_CLIENT.search(user_agent)
    return NEWEST.get(release[1]) if release else None


class Versions:
    """Follows each client process from its ping to its first versioned request."""

    def __init__(self) -> None:
        self._offered: dict[int, str] = {}
        """By pid: the version that the daemon answered, until the client has used it."""

    def of(self, exchange: Exchange, spoken: str | None) -> Negotiation | None:
        """The negotiation that this exchange, the first versioned one after a ping, is the result of."""
        pid = exchange.party.connect.pid
        if spoken is None:
            answer = exchange.response.head.value("api-version") if exchange.response else None
            if answer:
                self._offered[pid] = answer
                if len(self._offered) > MOST_CLIENTS:
                    del self._offered[next(iter(self._offered))]
            return None
        daemon = self._offered.pop(pid, None)
        if daemon is None or exchange.request is None:
            return None
        return Negotiation(newest_of(exchange.request.head.value("user-agent") or ""), daemon, spoken)
