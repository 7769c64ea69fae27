"""`python -m tests`: formatting, lint, types and tests, in this order; stops at the first that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
STEPS = (
    ["ruff", "format", "--check", "--quiet", "."],
    ["ruff", "check", "--quiet", "."],
    ["mypy"],
    ["pytest"],
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
