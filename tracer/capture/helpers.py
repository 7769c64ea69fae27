"""Programs that carry a client's HTTP to another machine: `ssh HOST docker system dial-stdio`.

The docker CLI and docker-py start one for `ssh://` endpoints and speak to it over its standard input and output.
Options: ssh(1).
"""

from __future__ import annotations

from collections.abc import Sequence

SCHEME = "ssh://"
DIAL = "dial-stdio"
MOST_INTERPRETER = 3
"""Words before the name of a script that is called ssh: its interpreter, with an option."""
WITH_VALUES = "BbcDEeFIiJLlmOoPpQRSWw"
"""Options of ssh that take a value."""


def remote(argv: Sequence[str]) -> str | None:
    """The endpoint that a helper so started leads to, as `ssh://USER@HOST:PORT`; None for every other program."""
    at = next((at for at, word in enumerate(argv[:MOST_INTERPRETER]) if word == "ssh" or word.endswith("/ssh")), None)
    if at is None:
        return None
    host, user, port, command = _parsed(argv[at + 1 :])
    if not host or DIAL not in " ".join(command).split():
        return None
    host = host.removeprefix(SCHEME)
    return f"{SCHEME}{user + '@' if user and '@' not in host else ''}{host}{':' + port if port else ''}"


def _parsed(words: Sequence[str]) -> tuple[str, str, str, Sequence[str]]:
    """(host, user, port, command) of a command line of ssh."""
    values = {"l": "", "p": ""}
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] != "--":
        letter = next((letter for letter in words[at][1:] if letter in WITH_VALUES), None)
        if letter is not None:
            value = words[at].partition(letter)[2]
            if not value:
                at += 1
                value = words[at] if at < len(words) else ""
            values[letter] = value
        at += 1
    at += words[at : at + 1] == ["--"]
    host = words[at] if at < len(words) else ""
    rest = words[at + 1 :]
    return host, values["l"], values["p"], rest[1:] if rest[:1] == ["--"] else rest
