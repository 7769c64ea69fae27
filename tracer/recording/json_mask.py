"""Finds the secret values in JSON text that comes in pieces, without parsing it into values.

A tokenizer with just enough state to be stopped anywhere: what comes before a secret (its key, or the name in
`NAME=value`) is always complete when the secret begins, so nothing has to be held back.
"""

from __future__ import annotations

import re

SECRET_KEYS = {
    b"password",
    b"auth",
    b"identitytoken",
    b"registrytoken",
    b"jointoken",
    b"unlockkey",
    b"secret",
    b"signingcakey",
}
SECRET_GROUPS = {b"jointokens"}
"""Keys whose object holds nothing but secrets."""

SECRET_NAME = re.compile(rb"PASS|SECRET|TOKEN|KEY", re.IGNORECASE)
_STRUCTURE = re.compile(rb'["{}\[\]:,]')
_STRING_RUN = re.compile(rb'[^"\\]+')
_NAME = re.compile(rb"[A-Za-z0-9_.\-]*")
NAME_LIMIT = 256

Span = tuple[int, int]


class JsonMask:
    """Feed it the pieces of one JSON body; each feed returns the spans of that piece to mask."""

    def __init__(self, extra_keys: frozenset[bytes] = frozenset()) -> None:
        self._keys = SECRET_KEYS | extra_keys
        self._in_string = False
        self._escaped = False
        self._masking = False
        self._text = b""
        """What is known of the string: all of a key, the part before `=` of a value."""
        self._name_open = False
        """The string may still turn out to be NAME=value."""
        self._key = b""
        self._value_next = False
        self._depth = 0
        self._group_depth: int | None = None

    def feed(self, data: bytes) -> list[Span]:
        """The spans of `data` that belong to secret values, in order."""
        spans: list[Span] = []
        at = 0
        while at < len(data):
            at = self._string(data, at, spans) if self._in_string else self._structure(data, at)
        return spans

    def _structure(self, data: bytes, at: int) -> int:
        found = _STRUCTURE.search(data, at)
        if found is None:
            return len(data)
        token = data[found.start()]
        if token == 0x22:
            self._begin_string()
        elif token in b"{[":
            self._open()
        elif token in b"}]":
            self._close()
        elif token == 0x3A:
            self._key = self._text.lower()
            self._value_next = True
        else:
            self._value_next = False
        return found.end()

    def _begin_string(self) -> None:
        self._in_string = True
        self._text = b""
        self._name_open = True
        in_group = self._group_depth is not None and self._value_next
        self._masking = in_group or (self._value_next and self._key in self._keys)

    def _open(self) -> None:
        self._depth += 1
        if self._value_next and self._key in SECRET_GROUPS and self._group_depth is None:
            self._group_depth = self._depth
        self._value_next = False

    def _close(self) -> None:
        if self._group_depth is not None and self._depth <= self._group_depth:
            self._group_depth = None
        self._depth -= 1
        self._value_next = False

    def _string(self, data: bytes, at: int, spans: list[Span]) -> int:
        """From inside a string to its end, or to the end of the data."""
        start = at
        if self._escaped:
            self._escaped = False
            self._name_open = False
            at += 1
            self._mask(spans, start, at)
            return at
        if data[at] == 0x22:
            self._in_string = self._masking = False
            return at + 1
        if data[at] == 0x5C:
            self._escaped = True
            self._mask(spans, at, at + 1)
            return at + 1
        run = _STRING_RUN.match(data, at)
        end = run.end() if run else len(data)
        if self._masking:
            self._mask(spans, at, end)
        else:
            self._name(data, at, end, spans)
        return end

    def _name(self, data: bytes, at: int, end: int, spans: list[Span]) -> None:
        """Collect the string's text; at the `=` of a secret's name, the masking begins."""
        if len(self._text) < NAME_LIMIT:
            self._text += data[at : min(end, at + NAME_LIMIT)]
        if not self._name_open:
            return
        named = _NAME.match(data, at, end)
        after = named.end() if named else at
        if after == end:
            return
        self._name_open = False
        if data[after] == 0x3D and SECRET_NAME.search(self._text.split(b"=")[0]):
            self._masking = True
            self._mask(spans, after + 1, end)

    def _mask(self, spans: list[Span], start: int, end: int) -> None:
        if self._masking and end > start:
            spans.append((start, end))
