"""The rules that keep the rooms apart, checked on the import statements."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TRACER = Path(__file__).parent.parent / "tracer"
MODULES = sorted(TRACER.rglob("*.py"))

MAY_IMPORT = {
    "events": set(),
    "capture": {"events"},
    "wire": {"events"},
    "recording": {"events", "wire"},
    "exchanges": {"events", "wire"},
    "words": set(),
    "engine": {"events", "wire", "exchanges", "words"},
    "proof": {"events", "exchanges", "engine", "words"},
    "doctor": {"events", "engine", "words"},
    "views": {"events", "wire", "exchanges", "engine", "recording", "proof", "doctor", "replay", "words", "version"},
    "replay": {"events", "recording", "wire", "exchanges", "engine"},
    "pipeline": {
        "events",
        "capture",
        "recording",
        "wire",
        "exchanges",
        "engine",
        "proof",
        "doctor",
        "views",
        "words",
        "replay",
        "version",
    },
    "cli": {"pipeline", "events", "recording", "wire", "exchanges", "engine", "views", "words", "replay", "version"},
}
SANS_IO = {
    "time",
    "socket",
    "select",
    "selectors",
    "os",
    "io",
    "pathlib",
    "tempfile",
    "subprocess",
    "asyncio",
    "datetime",
}


def room(path: Path) -> str:
    part = path.relative_to(TRACER).parts[0]
    return part.removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def rooms_of(path: Path) -> set[str]:
    names = {name.split(".")[1] for name in imports(path) if name.startswith("tracer.")}
    return {"version" if name == "__version__" else name for name in names} - {room(path)}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TRACER)))
def test_a_room_imports_only_what_it_may(path: Path) -> None:
    if room(path) in MAY_IMPORT:
        assert rooms_of(path) <= MAY_IMPORT[room(path)]


def test_libraries_stay_in_their_rooms() -> None:
    for path in MODULES:
        libraries = {name.split(".")[0] for name in imports(path)}
        if "ptrace" in libraries:
            assert room(path) == "capture"
        if "rich" in libraries and room(path) != "pipeline":  # there for a type only, under TYPE_CHECKING
            assert room(path) in ("views", "cli")
        if "docker" in libraries:
            assert path.name == "sdk_ps.py", "the SDK is a client in a process of its own"


def test_wire_knows_no_clock_no_socket_and_no_file() -> None:
    for path in (TRACER / "wire").rglob("*.py"):
        assert not SANS_IO & {name.split(".")[0] for name in imports(path)}, path


def test_there_is_no_import_cycle() -> None:
    names = {".".join(("tracer", *path.relative_to(TRACER).with_suffix("").parts)): path for path in MODULES}
    modules = {name.removesuffix(".__init__"): path for name, path in names.items()}
    edges = {name: {_module(found, modules) for found in _at_import(path)} for name, path in modules.items()}
    state: dict[str, int] = {}

    def visit(name: str, trail: list[str]) -> None:
        assert state.get(name) != 1, " -> ".join([*trail, name])
        if state.get(name) == 2:
            return
        state[name] = 1
        for target in edges.get(name, ()):
            if target in edges:
                visit(target, [*trail, name])
        state[name] = 2

    for name in edges:
        visit(name, [])


def _at_import(path: Path) -> Iterator[str]:
    """What a module imports when it is imported itself."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _module(name: str, modules: dict[str, Path]) -> str:
    return name if name in modules else name.rpartition(".")[0]


def test_no_room_is_named_like_a_library() -> None:
    assert not {room(path) for path in MODULES} & {"http", "docker", "ptrace", "rich", "json", "socket"}
