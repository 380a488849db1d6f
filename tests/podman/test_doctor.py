"""Doctor on real Podman: a healthy machine, and each way of breaking one,
with the promised words and exit code.
"""

import json
import os
import re
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from agent_session.sessions.labels import LABEL_AGENT, LABEL_NAME, LABEL_PROJECTS
from tests.account import Account, Done
from tests.waiting import COMMAND_SECONDS, until

pytestmark = pytest.mark.podman


def found(done: Done) -> dict[str, dict[str, Any]]:
    """What is not fine, by subject."""
    return {item["subject"]: item for item in json.loads(done.out) if item["level"] != "ok"}


def errors(account: Account, *, code: int, **environment: str) -> dict[str, dict[str, Any]]:
    """Errors that doctor found, by subject; it ended with this exit code and without a traceback."""
    done = account.run("doctor", "--json", env=environment)
    assert (done.code, done.err) == (code, ""), done
    return {subject: item for subject, item in found(done).items() if item["level"] == "error"}


def test_a_healthy_machine_with_healthy_sessions_can_start_more(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project("one"))
    account.ok("start", "-d", "-a", "shell", "-n", "two", cwd=account.project("two"))
    account.ok("stop", "two")
    everything = account.ok("doctor", "--all")
    assert "ok       session default: running" in everything
    assert "ok       trial: a test container starts and ends" in everything
    assert "ok       session two: stopped" in everything
    assert account.ok("doctor").splitlines()[-1].startswith("sessions can be started: ")
    assert account.containers() == ["agent_default", "agent_two"] or account.containers() == [
        "agent_two",
        "agent_default",
    ]


def test_without_podman_the_command_that_installs_it_is_named(bare: Account, tmp_path: Path) -> None:
    for program in ("readlink", "newuidmap", "newgidmap"):
        (tmp_path / program).symlink_to(f"/usr/bin/{program}")
    (podman,) = errors(bare, code=6, PATH=str(tmp_path)).values()
    assert podman["words"].startswith("podman: command not found")
    assert "install podman" in podman["fix"]


def test_a_socket_where_nobody_listens_is_named(bare: Account) -> None:
    url = f"unix://{bare.runtime}/gone.sock"
    (podman,) = errors(bare, code=6, CONTAINER_HOST=url).values()
    assert url in podman["words"]
    assert podman["fix"] == "unset CONTAINER_HOST"


def test_a_socket_that_never_answers_is_given_up(bare: Account) -> None:
    path = bare.runtime / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(50)
        (podman,) = errors(bare, code=6, CONTAINER_HOST=f"unix://{path}").values()
    assert "no answer within" in podman["words"]


def test_an_account_without_subordinate_ids_is_told_how_to_get_some(account: Account, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    hidden = f"mount --bind {tmp_path}/empty /etc/subuid && exec setpriv --inh-caps=-all --ambient-caps=-all"
    window = account.window_of(
        "unshare", "--user", "--map-current-user", "--mount", "--keep-caps",
        "sh", "-c", f"{hidden} agent-session doctor; sleep 60", columns=200,
    )  # fmt: skip
    window.wait_for(
        "error    subordinate ids: ", "fix: sudo apt-get install uidmap", "not everything can be started"
    )


def test_a_removed_project_is_told_as_a_start_would(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    account.ok("stop")
    project.rename(project.with_name("elsewhere"))
    (problem,) = errors(account, code=7).values()
    assert problem["subject"] == "session default"
    assert str(project) in problem["words"]
    assert account.run("start", "-d", "-n", "default").code == 7


def test_a_project_replaced_while_its_session_runs_is_told(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    project.rename(project.with_name("old"))
    account.project()
    (problem,) = errors(account, code=5).values()
    assert "has been replaced since it started" in problem["words"]


def test_a_label_edited_by_hand_and_a_foreign_container_are_told_apart(account: Account, shell: str) -> None:
    account.podman("create", "--name", "agent_taken", shell)
    done = account.run("doctor", "--json")
    assert done.code == 0, "a name that is taken hinders no other session"
    assert "'agent_taken' exists already and is not a session" in found(done)["names"]["words"]
    account.podman(
        "create", "--name", "agent_web", "--label", f"{LABEL_NAME}=web", "--label", f"{LABEL_AGENT}=shell",
        "--label", f"{LABEL_PROJECTS}=/home/you/app", shell,
    )  # fmt: skip
    done = account.run("doctor")
    assert done.code == 5
    assert LABEL_PROJECTS in done.out


def test_a_terminal_that_does_not_answer_is_told(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.inside("default", "pkill", "-STOP", "-x", "zellij")
    (problem,) = errors(account, code=9).values()
    assert "its terminal does not answer" in problem["words"]
    assert problem["fix"] == "agent-session stop default && agent-session start -n default"


def test_what_a_killed_session_left_is_removed_when_it_is_told_to(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", "--protect", "strict", cwd=project)
    before = sorted(path.name for path in project.iterdir())
    assert before, "placeholders"
    account.podman("kill", "agent_default")
    until(lambda: account.podman("ps", "--quiet") == "", "its end")
    done = account.run("doctor", "--json")
    assert done.code == 0
    assert "left in projects of sessions that ended" in found(done)["placeholders"]["words"]
    assert sorted(path.name for path in project.iterdir()) == before
    done = account.run("doctor", "--fix")
    assert (done.code, "placeholders: fixed: removed" in done.err) == (0, True)
    assert list(project.iterdir()) == []


def test_what_a_killed_build_left_is_removed_when_it_is_told_to(account: Account) -> None:
    account.agent("slow", "RUN echo begun && sleep 61.9")
    process = account.begin("build", "slow")
    log = account.home / ".local" / "state" / "agent-session" / "build-slow.log"
    until(lambda: log.exists() and "\nbegun\n" in log.read_text(), "the build's step")
    assert "builds: a build is running" in account.ok("doctor", "--all")
    process.kill()
    process.communicate()
    account.wait_for_rest()
    assert account.podman("ps", "--all", "--external", "--quiet") != ""
    assert (
        "left behind by builds that were killed" in found(account.run("doctor", "--json"))["builds"]["words"]
    )
    fixed = account.run("doctor", "--fix").err
    # Its directory may be removed already: a build of another test, which has the same /var/tmp,
    # has cleared up first.
    assert re.search(r"builds: fixed: removed [12] containers and directories", fixed), fixed
    assert account.podman("ps", "--all", "--external", "--quiet") == ""


def test_what_a_killed_copy_left_is_removed_when_it_is_told_to_and_what_is_in_use_is_not(
    account: Account, shell: str
) -> None:
    dead, running, used = (f"agent-one-off-{pid}-0123456789ab" for pid in (4194304, 4194305, os.getpid()))
    for name in (dead, running, used):
        account.podman("create", "--name", name, "--network=none", "--entrypoint", "sleep", shell, "100")
    account.podman("start", running)
    done = account.run("doctor", "--json")
    assert (done.code, found(done)["one-off containers"]["fix"]) == (0, "agent-session doctor --fix")
    assert "one-off containers: fixed: removed 2 throw-away containers" in account.run("doctor", "--fix").err
    assert account.containers() == [used]
    account.podman("rm", used)


def test_a_killed_commands_socket_is_gone_afterwards(account: Account) -> None:
    account.project()
    folder = account.runtime / "agent-session"
    account.ok("agents")  # makes the folder: it asks more of Podman than one command can
    dead = folder / "podman-4194304-ab.sock"
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(dead))
    account.ok("doctor", "--fix")
    assert not dead.exists()


def test_a_configuration_that_cannot_be_followed_is_one_finding_of_many(account: Account) -> None:
    file = account.home / ".config" / "agent-session" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("agnet: shell\n")
    (problem,) = errors(account, code=3).values()
    assert problem["subject"] == "configuration"
    assert "unknown key 'agnet'" in problem["words"]
    assert problem["fix"] == f"$EDITOR {file}"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_look_leaves_nothing(bare: Account, ending: signal.Signals) -> None:
    process = bare.begin("doctor")
    until(lambda: bare.workers(), "it runs")
    os.kill(process.pid, ending)
    process.communicate(timeout=COMMAND_SECONDS)
    bare.wait_for_rest()
