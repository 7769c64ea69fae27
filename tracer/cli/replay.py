"""`socktrace replay FILE [-- COMMAND]`: be the daemon of a recording."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.pipeline.replaying import Play, replay
from tracer.replay import faults
from tracer.replay.matching import MATCHERS


def main(argv: Sequence[str]) -> int:
    """Serve a recording to a command, or until Ctrl-C."""
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    options = _parser().parse_args(words[:at])
    play = Play(
        options.match, options.listen, options.speed, options.fault, repeat=options.repeat, strict=options.strict
    )
    return replay(options.file, words[at + 1 :], play, complain)


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="socktrace replay",
        usage="socktrace replay [OPTIONS] FILE [-- COMMAND [ARG...]]",
        description="Be the daemon of a recording. With COMMAND, run it with DOCKER_HOST set and end with its status; "
        "without, print a DOCKER_HOST line to eval and serve until Ctrl-C.",
        allow_abbrev=False,
    )
    made.add_argument("file", metavar="FILE", help="a recording made with -w")
    made.add_argument("--listen", metavar="ADDRESS", type=_address, help="unix://PATH or tcp://127.0.0.1:PORT")
    made.add_argument(
        "--match",
        metavar="PARTS",
        type=_match,
        default=tuple(MATCHERS),
        help="what must be as recorded: method,path,query,body (default: all)",
    )
    made.add_argument(
        "--speed", metavar="N", type=_speed, default=0.0, help="1 as recorded, 2 twice as fast, 0 at once"
    )
    made.add_argument("--repeat", action="store_true", help="give recorded answers again and again")
    made.add_argument("--strict", action="store_true", help="exchanges that were never asked for are a failure")
    made.add_argument(
        "--fault",
        metavar="FAULT",
        type=_fault,
        action="append",
        default=[],
        help="'POST /containers/*/start=500', '/images/json=delay:2', '/events=cut:100' (repeatable)",
    )
    return made


def _address(text: str) -> str:
    if not text.startswith(("unix://", "tcp://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address: unix://PATH or tcp://127.0.0.1:PORT")
    return text


def _match(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    unknown = [name for name in names if name not in MATCHERS]
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} can't be matched: choose from {', '.join(MATCHERS)}")
    return names


def _speed(text: str) -> float:
    try:
        speed = float(text)
    except ValueError:
        speed = -1.0
    if speed < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a speed: 0 is at once, 1 as recorded, 2 twice as fast")
    return speed


def _fault(text: str) -> faults.Fault:
    try:
        return faults.parse(text)
    except faults.FaultError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
