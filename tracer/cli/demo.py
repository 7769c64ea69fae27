"""`socktrace demo [NAME]`: lessons that need no Docker, each a bundled recording with its explanation."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import textwrap
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.cli.options import add_display_options, add_pace_options, show_of
from tracer.pipeline.lessons import LIVE_LESSON, demonstrate, lessons, recorded_lesson
from tracer.pipeline.settings import Trace
from tracer.words import language, say


def main(argv: Sequence[str]) -> int:
    """List the lessons, or give one."""
    names = lessons()
    parser = argparse.ArgumentParser(
        prog="socktrace demo",
        description="Lessons that need no Docker: bundled recordings, explained. Without a name, lists them.",
        allow_abbrev=False,
    )
    parser.add_argument("name", nargs="?", help=f"the lesson: {', '.join(names)}")
    add_display_options(parser)
    add_pace_options(parser)
    options = parser.parse_args(argv)
    speech = language(options.lang, os.environ)
    if options.name is None:
        return _list(names, speech)
    if options.name not in names:
        complain(f"there is no lesson {options.name!r}: choose one of {', '.join(names)}")
        return 2
    options.explain = not options.verbosity and not options.json
    show = show_of(options)
    if not options.json:
        _introduce(options.name, speech)
    if options.name != LIVE_LESSON:
        return recorded_lesson(options.name, show, complain)
    sys.stderr.write(f" {say(speech, 'lessons.live')}\n\n")
    return demonstrate(options.name, Trace(argv=_client()), show, complain)


def _introduce(name: str, speech: str) -> None:
    """The lesson's title, and in a few words what it is about."""
    width = min(shutil.get_terminal_size((100, 24)).columns, 120) - 1
    intro = textwrap.fill(say(speech, f"lessons.{name}.intro"), width, initial_indent=" ", subsequent_indent=" ")
    print(f"\n {say(speech, f'lessons.{name}.title')}\n\n{intro}", flush=True)


def _list(names: list[str], speech: str) -> int:
    print(say(speech, "lessons.choose"))
    print()
    for name in names:
        print(f"  {name:<10}{say(speech, f'lessons.{name}.title')}")
    return 0


def _client() -> list[str]:
    """The docker CLI where there is one, else the docker SDK for Python."""
    if shutil.which("docker"):
        return ["docker", "ps", "-a"]
    return [sys.executable, "-m", "tracer.replay.sdk_ps"]
