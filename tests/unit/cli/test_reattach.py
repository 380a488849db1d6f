"""Coming back to a session that runs: one question to Podman, and little read of the program."""

import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[3] / "src"
FAKE = """#!/bin/sh
printf '%s\\n' "$*" >>"$LOG"
case "$*" in *"ps --all"*) cat "$ANSWER" ;; esac
"""
PROGRAM = """
import os, sys
become = os.execvpe
def noted(*words):
    with open(os.environ["MODULES"], "w") as file:
        print(*sys.modules, file=file)
    become(*words)
os.execvpe = noted
from agent_session.cli.main import main
main()
"""
NOT_READ = {
    "agent_session.agents.catalog",
    "agent_session.agents.seed",
    "agent_session.cli.output",
    "agent_session.cli.questions",
    "agent_session.images.build",
    "agent_session.sessions.archive",
    "agent_session.sessions.lifecycle",
    "agent_session.sessions.plan",
    "asyncio",
    "pydantic",
    "questionary",
    "rich",
    "tarfile",
    "yaml",
}


def container(project: Path) -> dict[str, object]:
    """What `podman ps` says of a session that has been running for two years."""
    projects = json.dumps([{"source": str(project), "target": "/workspace/app"}])
    return {
        "Created": 1732700000,
        "Exited": False,
        "ExitedAt": -62135596800,
        "ExitCode": 0,
        "Id": "a" * 64,
        "Image": "localhost/agent-session-shell:1",
        "Labels": {
            "agent-session.name": "web",
            "agent-session.agent": "shell",
            "agent-session.projects": projects,
        },
        "Names": ["agent_web"],
        "Networks": [],
        "Pid": 4242,
        "Ports": None,
        "StartedAt": 1732700000,
        "State": "running",
        "Status": "Up 2 years",
    }


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Podman is in a virtual machine")
@pytest.mark.parametrize("arguments", [["start"], ["start", "-n", "web"], ["start", "-a", "shell", "."]])
def test_a_reattach_asks_podman_one_question_and_reads_little_of_the_program(
    tmp_path: Path, home: Path, arguments: list[str]
) -> None:
    project = home / "app"
    project.mkdir()
    podman = tmp_path / "bin" / "podman"
    podman.parent.mkdir()
    podman.write_text(FAKE)
    podman.chmod(0o755)
    (tmp_path / "answer").write_text(json.dumps([container(project)]))
    environment = {
        **os.environ,
        "PATH": f"{podman.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCES),
        "PYTHONDONTWRITEBYTECODE": "1",
        "LOG": str(tmp_path / "log"),
        "ANSWER": str(tmp_path / "answer"),
        "MODULES": str(tmp_path / "modules"),
    }
    words = arguments if "." not in arguments else [*arguments, "-n", "web"]
    master, slave = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, *words],
            env=environment,
            cwd=project,
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 0, done.stderr
    asked, attached = (tmp_path / "log").read_text().splitlines()
    assert "ps --all" in asked
    assert "exec" in shlex.split(attached)
    assert "agent_web" in attached
    assert not NOT_READ & set((tmp_path / "modules").read_text().split())
