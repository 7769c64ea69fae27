"""The documents say what is there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_test_that_the_fault_table_names_is_there() -> None:
    text = (ROOT / "docs" / "faults.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len([line for line in text.splitlines() if line.startswith("| ")]) >= 32
    for file, name in named:
        assert f"def {name}(" in (ROOT / "tests" / file).read_text(), (file, name)


def test_ci_calls_the_readmes_test_command() -> None:
    command = "python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' && .venv/bin/python -m tests"
    assert command in (ROOT / "README.md").read_text()
    assert command.replace("python3", '"$python"', 1) in (ROOT / ".ci" / "run").read_text()


def test_every_option_is_in_the_readme() -> None:
    from tracer.cli.run import parser

    text = (ROOT / "README.md").read_text()
    options = re.findall(r"(?m)^  (-\w|--[\w-]+)", parser().format_help())
    for option in set(options) - {"-h", "--version"}:
        assert f"`{option}" in text or f"socktrace {option}" in text, option


def test_links_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), (document.name, target)
