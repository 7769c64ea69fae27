"""`python -m tests`: formatting, lint, types and tests, in this order; stops at the first that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
PURE = ("tests/wire", "tests/test_fuzz.py")
"""These only compute, a third of all the time: on every CPU at once. Where processes are traced, one test at a time."""

STEPS = (
    ["ruff", "format", "--check", "--quiet", "."],
    ["ruff", "check", "--quiet", "."],
    ["mypy"],
    ["pytest", "-n", "auto", *PURE],
    ["pytest", *(f"--ignore={path}" for path in PURE)],
)


def main() -> int:
    for step in STEPS:
        print("+", *step, flush=True)
        status = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, check=False).returncode
        if status:
            return status
    return 0


if __name__ == "__main__":
    sys.exit(main())
