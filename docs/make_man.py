"""Writes the manual page from the parser: `python -m docs.make_man`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

from tracer import __version__
from tracer.cli.main import VARIABLE
from tracer.cli.run import EXAMPLES, parser
from tracer.views.exports import FORMATS

PAGE = Path(__file__).parent / "socktrace.1"

VERBS = (
    ("show FILE", "the timeline of a recording; takes the options about what to see, --pace and --step"),
    ("replay FILE [-- COMMAND]", "answer any client from a recording, in the place of a daemon"),
    ("diff A B", "what changed between two recordings"),
    ("export FILE -f FORMAT", f"a recording for another tool: {', '.join(FORMATS)}"),
    (
        "view FILE",
        "look through a recording in the terminal: a list, details, a search; also while it is written",
    ),
    ("demo [NAME]", "lessons that need no Docker"),
    ("doctor", "whether this machine can trace, which daemon docker would use, and whether you may use it"),
    ("completion SHELL", "the script that completes socktrace in bash, zsh or fish"),
)
STATUS = (
    ("that of COMMAND", "it ended by itself; socktrace dies by the signal that killed it, if one did"),
    ("2", "the options are wrong"),
    ("120", "socktrace itself failed"),
    ("121", "a claim of --prove does not hold, though COMMAND succeeded"),
    ("126, 127", "COMMAND can't be executed, or is not there"),
)
VARIABLES = (
    ("DOCKER_HOST, DOCKER_CONTEXT, DOCKER_CONFIG", "as for docker: they say which daemon is followed"),
    (VARIABLE, "options for every run, quoted as in a shell"),
    ("NO_COLOR, FORCE_COLOR, COLUMNS", "colour and width of what is shown"),
    ("LANG, LC_ALL, LC_MESSAGES", "the language of --explain and --prove"),
)


def page() -> str:
    """The page, in the macros of man(7)."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    made = parser()
    yield f'.TH SOCKTRACE 1 "" "socktrace {__version__}" "User Commands"'
    yield ".SH NAME"
    yield "socktrace \\- show and prove what a command says to the Docker daemon"
    yield ".SH SYNOPSIS"
    yield ".B socktrace\n[\\fIOPTIONS\\fR] [\\fB\\-\\-\\fR] \\fICOMMAND\\fR [\\fIARG\\fR...]\n.br"
    yield ".B socktrace\n\\fIVERB\\fR ..."
    yield ".SH DESCRIPTION"
    yield _safe(
        "Runs COMMAND under ptrace(2), captures what it and its children write to and read from the Docker daemon, "
        "decodes the HTTP in it, and shows each request and response with what it means. The command keeps its "
        "terminal, its output, its signals and its exit status. Options stop at the name of the command."
    )
    for group in made._action_groups:
        actions = [action for action in group._group_actions if action.option_strings]
        if actions:
            yield f".SS {_safe((group.title or 'options').capitalize())}"
            for action in actions:
                yield from _option(action)
    yield from _table("VERBS", VERBS, "B")
    yield from _table("EXIT STATUS", STATUS, "B")
    yield from _table("ENVIRONMENT", VARIABLES, "B")
    yield ".SH EXAMPLES\n.EX"
    yield from (_safe(line) for line in EXAMPLES.splitlines()[1:] if line.startswith("  "))
    yield ".EE"
    yield ".SH SEE ALSO\n.BR docker (1),\n.BR strace (1),\n.BR ptrace (2),\n.BR unix (7)"


def _option(action: argparse.Action) -> Iterator[str]:
    value = f" \\fI{_safe(_metavar(action))}\\fR" if action.nargs != 0 else ""
    names = ", ".join(f"\\fB{_safe(name)}\\fR" for name in action.option_strings)
    yield f".TP\n{names}{value}\n{_safe(action.help or '')}"


def _metavar(action: argparse.Action) -> str:
    if action.choices:
        return "|".join(action.choices)
    return str(action.metavar or "VALUE")


def _table(title: str, rows: tuple[tuple[str, str], ...], font: str) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in rows:
        yield f".TP\n.{font} {_safe(name)}\n{_safe(text)}"


def _safe(text: str) -> str:
    """Text as roff wants it: hyphens that can be copied, and no line that begins as a request."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{text}" if text[:1] in (".", "'") else text


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
