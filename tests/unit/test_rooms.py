"""Imports run one way, and help costs nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
PACKAGE = SOURCES / "agent_session"
FILES = sorted(PACKAGE.rglob("*.py"))

STOREYS = ("cli", "sessions", "images", "plan", "agents", "engine", "errors")
"""From the top down: a room may use those below it."""

BESIDE = {"images": {"plan"}, "plan": {"images"}}
PURE = ("plan", "agents", "errors", "engine", "troubleshooting")


def imports(file: Path) -> Iterator[str]:
    """The full names of all that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def room(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_used(file: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(file) if name.startswith("agent_session.") and name.count(".")}


@pytest.mark.parametrize(
    "file", [file for file in FILES if room(file) in STOREYS], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_imports_run_one_way(file: Path) -> None:
    here = room(file)
    forbidden = set(STOREYS[: STOREYS.index(here)]) | BESIDE.get(here, set())
    assert not rooms_used(file) & forbidden


@pytest.mark.parametrize(
    "file", [file for file in FILES if room(file) != "__main__"], ids=lambda file: str(file.relative_to(PACKAGE))
)
def test_nobody_below_the_command_line_uses_it(file: Path) -> None:
    assert room(file) == "cli" or "cli" not in rooms_used(file)


def test_only_one_file_knows_the_bindings() -> None:
    assert {room(file) for file in FILES if any(name.split(".")[0] == "podman" for name in imports(file))} == {
        "podman_bindings"
    }


def test_only_composition_roots_choose_podman() -> None:
    assert {room(file) for file in FILES if "podman_engine" in rooms_used(file)} == {"cli"}


def test_only_the_engines_neighbours_share_its_connection() -> None:
    users = {room(file) for file in FILES if "podman_connection" in rooms_used(file)}
    assert users
    assert all(user.startswith("podman_") for user in users)


@pytest.mark.parametrize("name", PURE)
def test_the_pure_know_neither_clock_nor_environment(name: str) -> None:
    assert not {used.split(".")[0] for used in imports(PACKAGE / f"{name}.py")} & {"os", "time", "subprocess", "socket"}
    assert "engine" in name or not rooms_used(PACKAGE / f"{name}.py") & {"podman_engine", "podman_service", "places"}


def test_help_loads_nothing_heavy() -> None:
    program = "import sys; from agent_session.cli.main import run; run(['start', '--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"},
    )
    loaded = {name.split(".")[0] for name in done.stderr.split()}
    assert "Start a session" in done.stdout
    assert not loaded & {"podman", "pydantic", "requests", "urllib3", "rich", "questionary", "prompt_toolkit", "yaml"}


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_every_module_has_a_docstring_that_is_its_place_on_the_map(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
