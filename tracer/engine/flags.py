"""What a docker command line means, flag by flag: the table in flags.tsv and how the CLI reads its arguments.

A row says for which commands a flag is, its names, what it takes (`-` for nothing, else the shape of its values), where
it goes (`body:PATH`, `query:NAME`, or `none` for what the client does alone), the key of its words, and an example with
the JSON that the real CLI sends for it, which the tests check.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from tracer.engine.endpoint import CLIENTS, global_options_end

OPERATIONS = {
    "run": "ContainerCreate",
    "create": "ContainerCreate",
    "exec": "ContainerExec",
    "build": "ImageBuild",
    "ps": "ContainerList",
    "logs": "ContainerLogs",
    "pull": "ImageCreate",
    "push": "ImagePush",
    "cp": "PutContainerArchive",
    "login": "SystemAuth",
}
"""The operation whose request says what the flags of a command say."""

GROUPS = {"container", "image", "builder", "buildx"}
"""`docker container run` is `docker run`."""

SYNONYMS = {"ls": "ps", "list": "ps"}
POSITIONALS = {
    "run": ("image", "command"),
    "create": ("image", "command"),
    "exec": ("container", "command"),
    "build": ("context",),
    "logs": ("container",),
    "pull": ("reference",),
    "push": ("reference",),
    "cp": ("source", "target"),
    "login": ("registry",),
}
"""What the words after the flags are; the last one takes all that is left."""


class Flag(NamedTuple):
    """One row of the table. `sent` is JSON; empty for examples that can't be checked."""

    commands: tuple[str, ...]
    names: tuple[str, ...]
    takes: str
    target: str
    key: str
    example: str
    sent: str

    @property
    def place(self) -> str:
        """`body`, `query` or `none`."""
        return self.target.partition(":")[0]

    @property
    def path(self) -> str:
        """The JSON path or the query's name."""
        return self.target.partition(":")[2]

    def value_in(self, body: Any, query: dict[str, list[str]]) -> Any:
        """What a request says at this flag's place; None where it says nothing."""
        if self.place == "query":
            return query.get(self.path, [None])[0]
        return value_at(body, self.path) if self.place == "body" else None


def value_at(body: Any, path: str) -> Any:
    """The value at a dotted path of a JSON object, or None."""
    for key in path.split("."):
        body = body.get(key) if isinstance(body, dict) else None
    return body


@cache
def table() -> tuple[Flag, ...]:
    """All flags, in the order of the file."""
    with open(os.path.join(os.path.dirname(__file__), "flags.tsv"), encoding="utf-8") as file:
        rows = [line.rstrip("\n").split("\t") for line in file if not line.startswith("#")]
    return tuple(Flag(tuple(row[0].split(",")), tuple(row[1].split(",")), *row[2:7]) for row in rows)


def of_command(command: str) -> dict[str, Flag]:
    """The flags of a command by each of their names."""
    return {name: flag for flag in table() if command in flag.commands for name in flag.names}


class Word(NamedTuple):
    """A part of a command line: the text as typed; a known flag with its value, or what a positional word is."""

    text: str
    flag: Flag | None = None
    value: str | None = None
    role: str = ""


class CommandLine(NamedTuple):
    """A docker command line: `command` is `run`, `ps` ... or empty for one that is not in the table."""

    program: str
    command: str
    words: list[Word]


def parse(argv: Sequence[str]) -> CommandLine | None:
    """A command line of the docker CLI, taken apart as it would; None for other programs."""
    if not argv or os.path.basename(argv[0]) not in CLIENTS:
        return None
    at = global_options_end(argv)
    names = [word for word in argv[at : at + 2] if not word.startswith("-")]
    if names[:1] and names[0] in GROUPS and len(names) > 1:
        names, at = names[1:], at + 1
    if not names:
        return CommandLine(os.path.basename(argv[0]), "", [])
    command = SYNONYMS.get(names[0], names[0])
    if command not in OPERATIONS:
        return CommandLine(os.path.basename(argv[0]), command, [Word(word) for word in argv[at + 1 :]])
    return CommandLine(os.path.basename(argv[0]), command, _words(command, list(argv[at + 1 :])))


def _words(command: str, arguments: list[str]) -> list[Word]:
    known = of_command(command)
    positionals = list(POSITIONALS.get(command, ()))
    words: list[Word] = []
    while arguments:
        word = arguments.pop(0)
        if word.startswith("-") and len(word) > 1 and word != "--":
            words += _flags(word, arguments, known)
            continue
        role = positionals.pop(0) if positionals else ""
        if positionals == ["command"] and arguments:
            words.append(Word(word, role=role))
            words.append(Word(" ".join(arguments), role="command"))
            return words
        words.append(Word(word, role=role))
    return words


def _flags(word: str, arguments: list[str], known: dict[str, Flag]) -> list[Word]:
    """One word of options: `--name=x`, `--name x`, `-it`, `-p80:80`."""
    name, equals, value = word.partition("=")
    if word.startswith("--"):
        flag = known.get(name)
        if flag is None or flag.takes == "-":
            return [Word(word, flag, value if equals else None)]
        value = value if equals else arguments.pop(0) if arguments else ""
        return [Word(name, flag, value)]
    return _short_flags(word[1:], arguments, known)


def _short_flags(letters: str, arguments: list[str], known: dict[str, Flag]) -> list[Word]:
    words = []
    while letters:
        name, letters = f"-{letters[0]}", letters[1:]
        flag = known.get(name)
        if flag is None or flag.takes == "-":
            words.append(Word(name, flag))
            continue
        value = letters.removeprefix("=") if letters else arguments.pop(0) if arguments else ""
        words.append(Word(name, flag, value))
        break
    return words
