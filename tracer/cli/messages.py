"""What the command line says when something is wrong."""

from __future__ import annotations

import sys


def complain(message: str) -> None:
    """One sentence about what went wrong, on stderr."""
    try:
        sys.stderr.write(f"socktrace: {message}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody reads it any more
