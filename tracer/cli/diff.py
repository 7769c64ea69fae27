"""`socktrace diff A B`: what changed between two recordings."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from tracer.cli.messages import complain
from tracer.pipeline.comparing import diff


def main(argv: Sequence[str]) -> int:
    """Compare two recordings."""
    parser = argparse.ArgumentParser(
        prog="socktrace diff",
        description="What changed between two recordings, exchange by exchange, without ids, times and other things "
        "that change by nature.",
        allow_abbrev=False,
    )
    parser.add_argument("before", metavar="A", help="a recording")
    parser.add_argument("after", metavar="B", help="another one")
    parser.add_argument("--exit-code", action="store_true", help="end with 1 if there are differences")
    parser.add_argument("--json", action="store_true", help="one JSON object per difference and line")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="as for traces")
    options = parser.parse_args(argv)
    return diff(
        options.before,
        options.after,
        complain,
        exit_code=options.exit_code,
        as_json=options.json,
        color=options.color,
    )
