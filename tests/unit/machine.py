"""A machine with an engine in memory, on which unit tests type command lines."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent_session.cli import run, wishes
from agent_session.cli.commands import attach, restart, rm, start
from agent_session.cli.context import Invocation
from agent_session.engine.command import ExecResult
from agent_session.host import paths
from agent_session.images import zellij
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from tests.fake_engine import FakeEngine

AGENTS = {
    "claude": (
        "title: Claude\nenvironment: [ANTHROPIC_API_KEY]\ncredentials: "
        "[ANTHROPIC_API_KEY]\nhint: claude setup-token\n"
    ),
    "opencode": "title: OpenCode\n",
    "shell": "title: Shell\nmodels: true\n",
}


class Replaced(BaseException):
    """Stands where the process would have become podman's."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(command)
        self.command = list(command)
        self.environment = environment


@dataclass(frozen=True, kw_only=True)
class Ran:
    """How a command line ended."""

    code: int
    out: str
    err: str


@dataclass(kw_only=True)
class Machine:
    """A machine with an engine in memory, three agents and a current directory that is a project."""

    engine: FakeEngine
    folder: Path
    project: Path
    capsys: pytest.CaptureFixture[str]
    trouble: list[BaseException | ExecResult] = field(default_factory=list)

    def __call__(self, *arguments: str) -> Ran:
        self.capsys.readouterr()
        code = run.run(list(arguments))
        captured = self.capsys.readouterr()
        return Ran(code=code, out=captured.out, err=captured.err)

    def ok(self, *arguments: str) -> str:
        ran = self(*arguments)
        assert ran.code == 0, ran.err
        return ran.out

    def listed(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self.ok("ls", "--json"))
        return found

    def status(self, name: str) -> object:
        return {session["name"]: session["status"] for session in self.listed()}.get(name)

    def directory(self, name: str) -> Path:
        path = self.project.parent / name
        path.mkdir()
        return path


def write_agents(tmp_path: Path, agents: Mapping[str, str]) -> Path:
    """Write folders of agents, by name their agent.yaml, with a base and a Zellij; returns where they are."""
    folder = tmp_path / "images"
    for name, text in agents.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "agent.yaml").write_text(text)
        (folder / name / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    (folder / "base").mkdir()
    (folder / "base" / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN true\n")
    (folder / "versions.yaml").touch()
    (tmp_path / "zellij").touch()
    return folder


def make_machine(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Machine:
    """Make a machine where no image is built, without a terminal."""
    folder = write_agents(tmp_path, AGENTS)
    project = home / "app"
    project.mkdir()
    trouble: list[BaseException | ExecResult] = []

    def commands(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        if not trouble:
            return ExecResult(exit_code=0)
        if isinstance(trouble[0], ExecResult):
            return trouble[0]
        raise trouble[0]

    def replaced(_file: str, command: Sequence[str], environment: Mapping[str, str]) -> None:
        raise Replaced(command, environment)

    engine = FakeEngine(images=[DEFAULT_BASE_IMAGE], commands=commands)
    monkeypatch.setattr(Invocation, "engine", lambda _self, **_how: engine)
    monkeypatch.setattr(paths, "agent_folders", lambda: (folder, home / ".local/share/agent-session/agents"))
    monkeypatch.setattr(zellij, "zellij_binary", lambda *_: tmp_path / "zellij")
    monkeypatch.setattr(os, "execvpe", replaced)
    monkeypatch.chdir(project)
    terminal(monkeypatch, there=False)
    return Machine(engine=engine, folder=folder, project=project, capsys=capsys, trouble=trouble)


def terminal(monkeypatch: pytest.MonkeyPatch, *, there: bool) -> None:
    for verb in (start, wishes, attach, restart, rm):
        monkeypatch.setattr(verb, "on_terminal", lambda: there)


def never(*_: object, **__: object) -> object:
    pytest.fail("a question was asked")
