"""What users of command lines expect: versions for a report, options that are always on, completion in three shells."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from fixtures.private_daemon import Daemon
from tests.needs import program
from tests.runs import ROOT, Socktrace
from tracer import __version__
from tracer.cli.completion import script
from tracer.cli.main import VERBS
from tracer.cli.versions import LIBRARIES, installed
from tracer.views.exports import FORMATS

PS = Path(__file__).parents[2] / "fixtures" / "ps.jsonl"


def test_the_version_says_what_a_report_needs(socktrace: Socktrace) -> None:
    done = socktrace.plain("--version")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert lines[0] == f"socktrace {__version__}"
    assert lines[1].startswith("Python 3.")
    assert "Linux" in lines[1]
    assert "python-ptrace 0." in lines[2]


def test_the_versions_are_those_of_the_installer() -> None:
    found = installed()
    for name in LIBRARIES:
        assert found[name] == metadata.version(name)


HEAVY = {
    "cryptography",
    "docker",
    "email",
    "hashlib",
    "http",
    "importlib.metadata",
    "logging",
    "rich",
    "shutil",
    "subprocess",
    "tempfile",
    "traceback",
}
"""Each costs milliseconds; none is needed to begin with, or to show what `docker ps` says."""


FOR_OPTIONS = {"argparse", "gettext"}
"""Not needed for a command without options."""


@pytest.mark.parametrize("argv", [["--version"], ["--help"], ["-v", "docker", "ps"], ["docker", "ps"]], ids=str)
def test_nothing_heavy_is_imported(daemon: Daemon, socktrace: Socktrace, argv: list[str]) -> None:
    """By none of the processes."""
    done = socktrace.plain(*argv, env={**daemon.environment, "PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "tracer.pipeline.live" in imported
    assert not imported & HEAVY
    assert bool(imported & FOR_OPTIONS) == argv[0].startswith("-")


def test_what_stood_in_for_a_module_is_gone() -> None:
    look = "import tracer.capture.kernel as _, ctypes.util, logging, traceback; import ptrace.logging_tools as tools; "
    look += "print(logging.ERROR, traceback.format_exc, ctypes.util.find_library, tools.getLogFunc)"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.startswith("40 <function")
    assert "lambda" not in done.stdout


def test_options_from_the_environment(socktrace: Socktrace, tmp_path: Path) -> None:
    log = tmp_path / "log"
    done = socktrace.plain("true", env={**os.environ, "SOCKTRACE_OPTIONS": f"--json -o '{log}'"})
    assert (done.returncode, done.stderr) == (0, "")
    assert log.exists()
    wrong = socktrace.plain("true", env={**os.environ, "SOCKTRACE_OPTIONS": "'"})
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
    shown = socktrace.plain("show", str(PS), env={**os.environ, "SOCKTRACE_OPTIONS": "--nonsense"})
    assert shown.returncode == 0


def test_the_waterfall(socktrace: Socktrace) -> None:
    shown = socktrace.plain("show", "--waterfall", str(PS)).stdout
    assert "HEAD /_ping" in shown
    assert "2 exchanges in" in shown


def completed(line: str) -> list[str]:
    """What bash offers at the end of a line."""
    words = line.split(" ")
    setting = " ".join(f"'{word}'" for word in words)
    code = f"""
        eval "$(cat)"
        COMP_WORDS=({setting}) COMP_CWORD={len(words) - 1} COMPREPLY=()
        _socktrace
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        [program("bash"), "--norc", "-c", code], input=script("bash"), capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_completion_in_bash() -> None:
    assert {"--prove", "--json", "-w"} <= set(completed("socktrace -"))
    assert completed("socktrace --pro") == ["--prove"]
    assert set(completed("socktrace ")) >= set(VERBS)
    assert "replay" in completed("socktrace rep")
    assert set(completed("socktrace export x.jsonl -f ")) == set(FORMATS)
    assert completed("socktrace export x.jsonl -f pc") == ["pcapng"]
    assert str(PS) in completed(f"socktrace show {str(PS)[:-2]}")
    assert "bash" in completed("socktrace -v bas")


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_completion_in_other_shells(shell: str, socktrace: Socktrace) -> None:
    made = socktrace.plain("completion", shell).stdout
    for name in ("--prove", "--socket"):
        assert name.lstrip("-") in made
    for verb in VERBS:
        assert verb in made
    found = subprocess.run(["which", shell], capture_output=True, text=True, check=False).stdout.strip()
    if found:
        subprocess.run([found, "-n", "-c", made], check=True)
