"""Imports run one way, every module is in a room, and help costs nothing."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "src"
PACKAGE = SOURCES / "agent_session"
FILES = sorted(PACKAGE.rglob("*.py"))

FLAT = {"__init__", "__main__", "config", "errors", "inside", "sanitize"}
"""The modules that lie in no room."""

EVERYBODY = {"__init__", "errors", "inside", "sanitize"}
"""What every room may import."""

BELOW_CLI = {
    "activity", "agents", "config", "doctor", "engine", "host", "images", "sessions", "workspace",
}  # fmt: skip
RIGHTS = {
    "__init__": set(),
    "__main__": {"cli"},
    "errors": set(),
    "inside": set(),
    "sanitize": set(),
    "config": {"engine", "host", "images", "workspace"},
    "cli": BELOW_CLI,
    "server": BELOW_CLI,
    "doctor": {"agents", "config", "engine", "engine.podman", "host", "images", "sessions", "workspace"},
    "activity": {"engine", "host", "sessions", "workspace"},
    "sessions": {"agents", "engine", "host", "images", "workspace"},
    "images": {"agents", "engine", "host"},
    "agents": {"engine", "host"},
    "workspace": {"engine", "host"},
    "engine": {"host"},
    "engine.podman": {"engine", "host"},
    "host": set(),
}
"""Which rooms a room may import, beside itself and what everybody may."""

CHOOSES_PODMAN = {"cli.context", "cli.prefetch", "server.app"}
"""Where the command line and the server decide which engine they talk to."""

CALLS_THE_SERVER = {
    f"cli.commands.{verb}" for verb in ("serve", "controller", "token", "share", "db", "keys")
}
"""The verbs that are about the server; they import it inside functions, so that no other verb pays for it."""


def module(file: Path) -> str:
    """A file's dotted name below the package."""
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def room(name: str) -> str:
    """The room of a module: its package, of which only Podman's engine lies in another one."""
    parts = name.split(".")
    if parts[:2] == ["engine", "podman"]:
        return "engine.podman"
    return parts[0]


def imports(file: Path) -> Iterator[str]:
    """The full names of all that a file imports, also inside functions and for types alone."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{name.name}" for name in node.names)


def used(file: Path) -> set[str]:
    """Names below the package of the modules (and what is in them) that a file imports."""
    names = {
        name.removeprefix("agent_session.") for name in imports(file) if name.startswith("agent_session.")
    }
    return names - {"__version__"}


def rights(name: str) -> set[str]:
    """The rooms that a module may import."""
    more = {"engine.podman"} if name in CHOOSES_PODMAN else set()
    if name in CALLS_THE_SERVER:
        more = more | {"server"}
    return RIGHTS[room(name)] | EVERYBODY | {room(name)} | more


@pytest.mark.parametrize("file", FILES, ids=module)
def test_every_module_is_in_a_room(file: Path) -> None:
    name = module(file)
    assert name in FLAT if "." not in name else room(name) in RIGHTS


@pytest.mark.parametrize("file", FILES, ids=module)
def test_a_module_imports_only_what_its_room_may(file: Path) -> None:
    name = module(file)
    forbidden = {other for other in used(file) if room(other) not in rights(name)}
    assert not forbidden, f"{room(name)} may not import {', '.join(sorted(forbidden))}"


def test_the_rights_run_one_way() -> None:
    for name, others in RIGHTS.items():
        for other in others - {"engine.podman"}:
            assert name not in RIGHTS[other], f"{name} and {other} import each other"


def test_a_package_exports_nothing_of_its_modules() -> None:
    for file in FILES:
        if file.name == "__init__.py" and file.parent != PACKAGE:
            assert file.read_text(encoding="utf-8").strip() == "", file


def test_only_one_file_knows_the_bindings() -> None:
    knowing = {
        module(file) for file in FILES if any(name.split(".")[0] == "podman" for name in imports(file))
    }
    assert knowing == {"engine.podman.bindings"}


@pytest.mark.parametrize(
    "name",
    [
        "sessions.plan",
        "sessions.names",
        "sessions.labels",
        "sessions.options",
        "sessions.wish",
        "sessions.request",
        "sessions.steps",
        "sessions.conflicts",
        "sessions.start",
        "agents.agent_yaml",
        "agents.catalog",
        "errors",
        "engine.protocol",
        "engine.container",
        "engine.command",
        "inside",
    ],
)
def test_planning_knows_neither_clock_nor_environment(name: str) -> None:
    file = PACKAGE / f"{name.replace('.', '/')}.py"
    assert not {other.split(".")[0] for other in imports(file)} & {"os", "time", "subprocess", "socket"}


@pytest.mark.parametrize(
    "file", [file for file in FILES if room(module(file)) in {"sessions", "agents"}], ids=module
)
def test_what_makes_sessions_neither_prints_nor_asks_nor_reads_the_environment(file: Path) -> None:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    attributes = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not names & {"print", "input", "Invocation"}
    assert not attributes & {"environ", "getenv"}


HEAVY = {
    "podman",
    "pydantic",
    "requests",
    "urllib3",
    "rich",
    "questionary",
    "prompt_toolkit",
    "yaml",
    "fastapi",
    "sqlalchemy",
    "uvicorn",
}


def loaded_by(*words: str) -> tuple[str, set[str]]:
    """What a command line prints on stdout, and the packages that are imported for it."""
    program = (
        f"import sys; from agent_session.cli.run import run; run({list(words)}); "
        f"print('|', *sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"},
    )
    return done.stdout, {name.split(".")[0] for name in done.stderr.rpartition("|")[2].split()}


def test_help_loads_nothing_heavy() -> None:
    shown, loaded = loaded_by("start", "--help")
    assert "Start a session" in shown
    assert not loaded & HEAVY


@pytest.mark.parametrize(
    "line",
    [
        "ls", "ls --json", "ps -q", "attach web", "status web",
        "stop web", "wait web --timeout 1", "screen web",
        "send web hello", "exec web true",
    ],
)  # fmt: skip
def test_what_is_typed_a_hundred_times_a_day_loads_no_typer(line: str) -> None:
    _, loaded = loaded_by(*line.split())
    assert "agent_session" in loaded
    assert not loaded & {*HEAVY, "typer", "click"}


@pytest.mark.parametrize(
    "file", [file for file in FILES if file.name != "__init__.py" or file.parent == PACKAGE], ids=module
)
def test_every_module_has_a_docstring(file: Path) -> None:
    assert ast.get_docstring(ast.parse(file.read_text(encoding="utf-8")))
