"""`python -m benchmarks [commands|recordings|servers|starts]...`: tables in Markdown of all, or of the named ones.

Needs root, dockerd and strace. socktrace is installed in an environment of its own first, as a user has it.
"""

from __future__ import annotations

import platform
import sys
import tempfile
from pathlib import Path

from benchmarks import commands, recordings, servers, starts
from benchmarks.timing import installed
from fixtures.private_daemon import missing

PARTS = {"starts": starts, "commands": commands, "recordings": recordings, "servers": servers}


def main() -> None:
    """Print the tables as they come."""
    why = missing()
    if why:
        sys.exit(f"the benchmarks need a daemon: {why}")
    print(f"Python {platform.python_version()}, Linux {platform.release().split('-')[0]}, {platform.machine()}\n")
    with tempfile.TemporaryDirectory() as folder:
        programs = installed(Path(folder))
        for name in sys.argv[1:] or PARTS:
            print(f"### {name}\n")
            for row in PARTS[name].table(programs):
                print(row, flush=True)
            print()


if __name__ == "__main__":
    main()
