"""The documents say what is there."""

from __future__ import annotations

import doctest
import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest

from docs.make_man import PAGE, page
from docs.make_schema import schema
from tracer import api

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(("document", "rows"), [("docs/faults.md", 32), ("README.md", 12)])
def test_every_test_that_a_table_names_is_there(document: str, rows: int) -> None:
    text = (ROOT / document).read_text()
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", text)
    assert len([line for line in text.splitlines() if line.startswith("| ")]) >= rows
    assert len(named) >= rows
    for file, name in named:
        assert f"def {name or 'test_'}" in (ROOT / "tests" / file).read_text(), (file, name)


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


def test_the_manual_page_is_that_of_the_parser() -> None:
    assert PAGE.read_text(encoding="utf-8") == page()
    groff = shutil.which("groff")
    if groff:
        done = subprocess.run([groff, "-man", "-Tutf8", "-ww", PAGE], capture_output=True, text=True, check=True)
        assert done.stderr == ""
        assert "--all-sockets" in re.sub(r".\x08", "", done.stdout)


def test_links_lead_somewhere() -> None:
    for document in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
            if "://" not in target:
                assert (document.parent / target).exists(), (document.name, target)


def test_the_schema_is_that_of_the_lines() -> None:
    assert json.loads((ROOT / "docs" / "recording.schema.json").read_text()) == schema()


@pytest.mark.parametrize("path", sorted((ROOT / "fixtures").glob("*.jsonl")), ids=lambda path: path.stem)
def test_every_line_of_a_recording_fits_the_schema(path: Path) -> None:
    validator = jsonschema.Draft202012Validator(schema())
    for line in path.read_text().splitlines():
        validator.validate(json.loads(line))


def test_the_examples_of_the_api_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testmod(api)
    assert (result.attempted >= 3, result.failed) == (True, 0)


def test_the_image_has_all_that_the_package_is_built_from() -> None:
    """.dockerignore leaves out everything but what it names; the build would fail without what pyproject.toml wants."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in lines
    kept = {line[1:] for line in lines if line.startswith("!")}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    wanted = {"pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    assert kept == wanted | set(wheel["packages"]) | set(wheel["shared-data"])
    assert all((ROOT / name).exists() for name in kept)
