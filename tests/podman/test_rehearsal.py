"""`start --dry-run`: it changes nothing, and what it prints is a script that makes the same session."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman
SECRET = "sk-ant-not-to-be-seen"


def everything(folder: Path) -> dict[str, tuple[int, str]]:
    """All files of a directory, with times and contents."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_text() if path.is_file() else "")
        for path in folder.rglob("*")
    }


def state(account: Account) -> tuple[object, ...]:
    """What a start could change."""
    locks = sorted((account.runtime / "agent-session").glob("*"))
    return (
        account.containers(),
        account.volumes(),
        account.images(),
        everything(account.home / "projects"),
        locks,
    )


def specification(account: Account) -> dict[str, Any]:
    """What matters of a container, without its id, times and process."""
    found = account.inspect("web")
    mounts = {
        (mount["Destination"], mount["Type"], mount["Source"].replace("//", "/"), mount["RW"])
        for mount in found["Mounts"]
    }
    configuration = found["Config"]
    environment = {line for line in configuration["Env"] if line.startswith("AGENT_SESSION_")}
    labels = {
        key: value for key, value in configuration["Labels"].items() if key.startswith("agent-session.")
    }
    return {
        "mounts": mounts,
        "tmpfs": set(found["HostConfig"]["Tmpfs"]),
        "environment": environment,
        "labels": labels,
        "user": (configuration["User"], found["HostConfig"]["UsernsMode"], configuration["WorkingDir"]),
        "rights": (
            found["EffectiveCaps"],
            found["BoundingCaps"],
            "no-new-privileges" in found["HostConfig"]["SecurityOpt"],
        ),
        "image": found["ImageName"],
        "limits": [found["HostConfig"][name] for name in ("Memory", "CpuQuota", "PidsLimit", "Ulimits")],
        "stop": (configuration["StopTimeout"], found["HostConfig"]["RestartPolicy"]["Name"]),
    }


def test_a_dry_run_changes_nothing_and_tells_no_secret(account: Account) -> None:
    project = account.project("webapp", main__py="print()")
    subprocess.run(["git", "init", "-q", project], check=True)
    claude = account.home / ".claude.json"
    claude.write_text(json.dumps({"apiKey": SECRET}))
    claude.chmod(0o600)
    before = state(account)
    for agent in ("shell", "claude"):
        done = account.run(
            "start", "--dry-run", "-a", agent, "-n", "web", project, env={"ANTHROPIC_API_KEY": SECRET}
        )
        assert done.code == 0, done.err
        assert SECRET not in done.out + done.err
        assert ("ANTHROPIC_API_KEY" in done.out, "claude.json" in done.out) == (
            agent == "claude",
            agent == "claude",
        )
    assert state(account) == before


def test_what_a_dry_run_prints_makes_the_same_session(account: Account) -> None:
    project = account.project("my, app", main__py="print()")
    subprocess.run(["git", "init", "-q", project], check=True)
    wanted = ["-a", "shell", "-n", "web", str(project)]
    script = account.ok("start", "--dry-run", *wanted)
    assert "podman run" in script
    without_terminal = script.rsplit("\n", 2)[0]
    done = subprocess.run(
        ["sh", "-eu", "-c", without_terminal],
        env=account.environment,
        cwd=account.home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert account.sessions() == {"web": "running"}
    assert account.inside("web", "pwd") == "/workspace/my, app"
    by_hand = specification(account)
    told = json.loads(account.ok("start", "--dry-run", "--json", *wanted))
    assert (told["action"], told["built"]) == ("attach", True)
    assert "/usr/local/bin/session-attach" in told["commands"][0]
    account.ok("stop", "web")
    assert not (project / ".git" / "commondir").exists()  # what the script put there was known for ours
    told = json.loads(account.ok("start", "--dry-run", "--json", *wanted))
    assert told["action"] == "start"
    account.ok("rm", "-f", "--discard-work", "web")
    account.ok("start", "-d", *wanted)
    assert specification(account) == by_hand


def test_a_stopped_sessions_dry_run_starts_it_again(account: Account) -> None:
    project = account.project("webapp")
    account.ok("start", "-d", "-a", "shell", "-n", "web", project)
    account.ok("stop", "web")
    script = account.ok("start", "--dry-run", "-n", "web").rsplit("\n", 2)[0]
    assert account.sessions() == {"web": "stopped"}
    subprocess.run(
        ["sh", "-eu", "-c", script],
        env=account.environment,
        cwd=account.home,
        capture_output=True,
        check=True,
    )
    assert account.sessions() == {"web": "running"}
    again = json.loads(account.ok("start", "--dry-run", "--json", "-n", "web"))
    assert again["action"] == "attach"


def test_another_choice_needs_another_container(account: Account) -> None:
    project = account.project("webapp")
    account.ok("start", "-d", "-a", "shell", "-n", "web", project)
    account.ok("stop", "web")
    told = json.loads(account.ok("start", "--dry-run", "--json", "-n", "web", "--auto-approve"))
    assert told["action"] == "replace"
    assert any(command.endswith("podman rm agent_web") for command in told["commands"])


def test_an_image_that_is_not_there_would_be_built_first(account: Account) -> None:
    account.agent("mine")
    told = json.loads(account.ok("start", "--dry-run", "--json", "-a", "mine", account.project("webapp")))
    assert not told["built"]
    assert told["commands"][0] == "agent-session build mine"


def test_what_a_start_would_refuse_a_dry_run_refuses(account: Account) -> None:
    assert account.run("start", "--dry-run", "-a", "shell", account.home).code == 2
    assert account.run("start", "--dry-run", "-a", "nobody", account.project("webapp")).code == 4
