"""`socktrace doctor`: can this machine trace, which endpoint would docker use, is it reachable."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from tracer.pipeline.examining import examine
from tracer.words import language


def main(argv: Sequence[str]) -> int:
    """Examine the machine; 0 only if all is well."""
    parser = argparse.ArgumentParser(
        prog="socktrace doctor",
        description="Can this machine trace, which endpoint would docker use, is it reachable? Ends 0 if all is well.",
        allow_abbrev=False,
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--lang", choices=("en", "vi"), help="the language (default: by LANG)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="as for traces")
    options = parser.parse_args(argv)
    return examine(language(options.lang, os.environ), as_json=options.json, color=options.color)
