"""What the terminal views share: colours, symbols, and text made safe to print.

Colours are the terminal's own sixteen, so that they suit light and dark themes alike; nothing depends on colour
alone. Symbols have ASCII stand-ins for terminals that can't show them.
"""

from __future__ import annotations

import re

from msgspec import Struct
from msgspec.structs import astuple

METHOD = "bold cyan"
TARGET = "bold"
QUIET = "dim"
PARTY = "bold magenta"
WORDS = "italic"
WRONG = "bold red"
WARN = "yellow"
GOOD = "green"


class Symbols(Struct, frozen=True):
    """The signs of the timeline."""

    arrow: str
    sent: str
    received: str
    dot: str
    check: str
    cross: str
    ellipsis: str
    note: str

    def fit(self, text: str) -> str:
        """A text of ours with only such signs as the output can show."""
        return text if self.note == UNICODE.note else text.translate(_STAND_INS)


_STAND_INS = str.maketrans({"…": "...", "·": "-", "×": "x", "→": "->"})


UNICODE = Symbols("──▶", "▶", "◀", "·", "✓", "✗", "…", "●")
ASCII = Symbols("-->", ">", "<", "-", "+", "x", "...", "*")


def symbols_for(encoding: str) -> Symbols:
    """The signs that an output of this encoding can show."""
    try:
        "".join(astuple(UNICODE)).encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return UNICODE


_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def visible(text: str) -> str:
    r"""Control characters made visible (`\x1b`), so that no recording can drive the terminal that shows it."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)


def status_style(status: int) -> str:
    """The colour of an HTTP status."""
    if status >= 400:
        return WRONG
    return WARN if 300 <= status < 400 else f"bold {GOOD}"
