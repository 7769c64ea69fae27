"""The commands in the documents are run as they stand there, against a real daemon."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon

DOCS = Path(__file__).parent.parent / "docs"


def commands(document: str) -> list[str]:
    """Lines that begin with `$` in the document's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", (DOCS / document).read_text(encoding="utf-8"), re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


@pytest.mark.parametrize(("document", "least"), [("tutorial.md", 12), ("how-to.md", 8)])
def test_the_commands_of_a_document_work(document: str, least: int, daemon: Daemon, tmp_path: Path) -> None:
    daemon.docker("tag", "demo", "alpine")
    programs = tmp_path / "bin"
    programs.mkdir()
    starter = programs / "socktrace"
    starter.write_text(f'#!/bin/sh\nexec {sys.executable} -m tracer "$@"\n')
    starter.chmod(0o755)
    environment = {
        **daemon.environment,
        "PATH": f"{programs}:{os.environ['PATH']}",
        "PYTHONPATH": str(DOCS.parent),
        "COLUMNS": "100",
    }
    found = commands(document)
    assert len(found) >= least
    for command in found:
        done = subprocess.run(
            command, shell=True, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, (command, done.stdout[-500:], done.stderr[-1500:])
        assert "Traceback" not in done.stderr
        if command.startswith(("socktrace docker run", "socktrace replay")):
            assert done.stdout == "hi\n"
