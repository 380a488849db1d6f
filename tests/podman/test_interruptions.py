"""Whatever interrupts a start, at whatever moment: nothing half-made stays, and the next start works."""

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.account import Account
from tests.waiting import COMMAND_SECONDS, until

pytestmark = pytest.mark.podman


def spawned(_account: Account) -> bool:
    return True


def served(account: Account) -> bool:
    """Its Podman service has begun to listen."""
    return any(account.runtime.rglob("podman-*.sock"))


def volume_made(account: Account) -> bool:
    return (account.storage / "volumes" / "agent_default_home").exists()


def container_made(account: Account) -> bool:
    listing = account.storage / "overlay-containers" / "containers.json"
    return listing.exists() and "agent_default" in listing.read_text()


def container_runs(account: Account) -> bool:
    return "conmon" in account.processes().values()


def seed_on_its_way(account: Account) -> bool:
    return any(
        name == "podman" and b"/usr/local/bin/session-seed" in command for name, command in commands(account)
    )


def commands(account: Account) -> list[tuple[str, bytes]]:
    found = []
    for pid, name in account.processes().items():
        try:
            with Path(f"/proc/{pid}/cmdline").open("rb") as file:
                found.append((name, file.read()))
        except OSError:
            continue
    return found


Moment = Callable[[Account], bool]
MOMENTS: list[Moment] = [spawned, served, volume_made, container_made, container_runs, seed_on_its_way]
HALF_MADE = (volume_made, container_runs)
"""The moments at which all is tried; the kill matrix has each step, for all verbs."""


def at(moment: Moment, account: Account, process: "subprocess.Popen[str]") -> None:
    """Wait for the moment (or for the end, if the machine was faster than the eye)."""
    until(lambda: process.poll() is not None or moment(account), moment.__name__)


@pytest.mark.parametrize(
    "moment",
    [moment if moment in HALF_MADE else pytest.param(moment, marks=pytest.mark.long) for moment in MOMENTS],
)
def test_after_kill_9_the_next_start_works(account: Account, moment: Moment) -> None:
    project = account.project()
    process = account.begin("start", "-d", "-a", "shell", cwd=project)
    at(moment, account, process)
    process.kill()
    process.communicate()
    assert set(account.sessions().items()) <= {("default", "running"), ("default", "stopped")}
    assert account.ok("start", "-d", "-a", "shell", project) == "default\n"
    assert account.sessions() == {"default": "running"}
    assert account.inside("default", "pwd") == "/workspace/app"
    account.ok("stop")
    account.ok("rm", "-f", "default")
    assert account.containers() == []
    assert account.volumes() == []
    account.wait_for_rest()


@pytest.mark.parametrize(
    ("moment", "ending"),
    [
        pytest.param(
            moment,
            ending,
            marks=[]
            if moment in (HALF_MADE if ending != signal.SIGINT else (spawned, *HALF_MADE))
            else [pytest.mark.long],
        )
        for moment in MOMENTS
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    ],
)
def test_a_start_that_is_asked_to_end_leaves_nothing(
    account: Account, moment: Moment, ending: signal.Signals
) -> None:
    process = account.begin("start", "-d", "-a", "shell", cwd=account.project())
    at(moment, account, process)
    with contextlib.suppress(ProcessLookupError):  # it has ended
        os.killpg(process.pid, ending) if ending == signal.SIGINT else process.send_signal(ending)
    out, err = process.communicate(timeout=COMMAND_SECONDS)
    if process.returncode == 0:  # it had done already
        assert account.sessions() == {"default": "running"}
        return
    # Before Python has come to the program's first line, the signal itself ends it.
    assert process.returncode in ({128 + ending} if moment is not spawned else {128 + ending, -ending, 1})
    assert out == ""
    assert moment is spawned or "Traceback" not in err
    assert account.containers() == []
    assert account.volumes() == []
    account.wait_for_rest()
    assert list(account.runtime.rglob("podman-*.sock")) == []


def test_two_starts_at_once_make_one_session(account: Account) -> None:
    project = account.project()
    both = [account.begin("start", "--json", "-a", "shell", cwd=project) for _ in range(2)]
    told = [process.communicate(timeout=COMMAND_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert [json.loads(out)["name"] for out, _ in told] == ["default", "default"]
    assert account.containers() == ["agent_default"]
    assert account.sessions() == {"default": "running"}


def test_starts_of_different_sessions_do_not_wait_for_each_other(account: Account) -> None:
    project = account.project()
    several = [
        account.begin("start", "-d", "-a", "shell", "-n", f"s{number}", cwd=project) for number in range(3)
    ]
    told = [process.communicate(timeout=COMMAND_SECONDS) for process in several]
    assert [(process.returncode, out) for process, (out, _) in zip(several, told, strict=True)] == [
        (0, "s0\n"),
        (0, "s1\n"),
        (0, "s2\n"),
    ]
    assert "waiting" not in "".join(err for _, err in told)


def test_a_second_start_waits_while_the_first_builds(account: Account) -> None:
    account.agent(
        "slow",
        f"RUN while [ ! -e /proc/{os.getpid()} ] && [ $((n=${{n:-0}}+1)) -lt 40 ]; do sleep 0.05; done",
    )
    project = account.project()
    first = account.begin("start", "-d", "--build", "-a", "slow", "-n", "first", cwd=project)
    until(
        lambda: (account.home / ".local" / "state" / "agent-session" / "build-slow.log").exists(),
        "the build's log",
    )
    second = account.begin("start", "-d", "--build", "-a", "slow", "-n", "second", cwd=project)
    told = [process.communicate(timeout=COMMAND_SECONDS) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], told
    assert f"another build is running (process {first.pid}); waiting for it" in told[1][1]
    assert told[0][1].count("STEP 2") + told[1][1].count("STEP 2") <= 2
    assert account.sessions() == {"first": "running", "second": "running"}


def test_a_build_that_was_killed_is_built_by_the_next_one(account: Account) -> None:
    folder = account.agent("slow", "RUN echo begun && sleep 61.9")
    process = account.begin("build", "slow")
    log = account.home / ".local" / "state" / "agent-session" / "build-slow.log"
    until(lambda: log.exists() and "\nbegun\n" in log.read_text(), "the build's step")
    process.kill()
    process.communicate()
    account.wait_for_rest()
    # Of nothing: to copy the base for sessions takes seconds, and what is built is no matter here.
    (folder / "Containerfile").write_text('FROM scratch\nCOPY Containerfile /\nCMD ["x"]\n')
    assert account.ok("build", "slow").startswith("localhost/agent-session-slow:")
    assert account.podman("ps", "--all", "--external", "--quiet") == ""


@pytest.mark.parametrize("clearing", [["doctor", "--fix"], ["build", "shell"]])
def test_what_a_killed_build_left_is_cleared_away_and_what_a_strangers_left_is_not(
    account: Account, clearing: list[str]
) -> None:
    temporary = account.folder / "tmp"
    temporary.mkdir()
    account.environment["TMPDIR"] = str(temporary)
    recipe = "FROM {}\nENV ONE=two\nCOPY Containerfile /\nRUN echo begun && sleep 61.8\n"
    base = account.podman(
        "images", "--filter", "reference=agent-session-base", "--format", "{{.Repository}}:{{.Tag}}"
    )
    folder = account.home / "strangers"
    folder.mkdir()
    (folder / "Containerfile").write_text(recipe.format(base.split()[0]))
    with (account.folder / "strangers.log").open("wb") as log:
        stranger = subprocess.Popen(
            ["podman", "build", "--layers", folder], env=account.environment, stdout=log, stderr=log
        )
    until(
        lambda: b"\nbegun\n" in (account.folder / "strangers.log").read_bytes(),
        "a stranger's step",
    )
    stranger.kill()
    stranger.wait()
    theirs = set(account.podman("ps", "--all", "--external", "--quiet").split())
    assert len(theirs) == 3

    (account.agent("slow") / "Containerfile").write_text("ARG BASE\n" + recipe.format("${BASE}"))
    process = account.begin("build", "slow")
    log_file = account.home / ".local" / "state" / "agent-session" / "build-slow.log"
    until(lambda: log_file.exists() and "\nbegun\n" in log_file.read_text(), "the build's step")
    process.kill()
    process.communicate()
    assert len(account.podman("ps", "--all", "--external", "--quiet").split()) > len(theirs)
    assert list(temporary.glob("agent-session-build-*/*")) != []
    account.run(*clearing)
    assert set(account.podman("ps", "--all", "--external", "--quiet").split()) == theirs
    assert list(temporary.glob("agent-session-*")) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_build_that_is_asked_to_end_leaves_no_container_and_no_temporary_file(
    account: Account, ending: signal.Signals
) -> None:
    temporary = account.folder / "tmp"
    temporary.mkdir()
    account.environment["TMPDIR"] = str(temporary)
    account.agent("slow", "ENV ONE=two\nCOPY Containerfile /\nRUN echo begun && sleep 61.7")
    process = account.begin("build", "slow")
    log = account.home / ".local" / "state" / "agent-session" / "build-slow.log"
    until(lambda: log.exists() and "\nbegun\n" in log.read_text(), "the build's step")
    process.send_signal(ending)
    process.communicate(timeout=COMMAND_SECONDS)
    assert process.returncode == 128 + ending
    assert account.podman("ps", "--all", "--external", "--quiet") == ""
    assert list(temporary.iterdir()) == []


def test_a_failed_build_says_why_where_the_log_is_and_leaves_nothing(account: Account) -> None:
    account.agent("broken", "RUN echo the reason >&2; exit 3")
    done = account.run("start", "-d", "--build", "-a", "broken", cwd=account.project())
    log = account.home / ".local" / "state" / "agent-session" / "build-broken.log"
    assert (done.code, done.out) == (8, "")
    assert str(log) in done.err
    assert "the reason" in log.read_text()
    assert account.podman("ps", "--all", "--external", "--quiet") == ""
    assert account.volumes() == []


def test_an_image_that_could_run_nothing_is_refused_each_time_and_leaves_nothing(account: Account) -> None:
    file = account.agent("idle") / "Containerfile"
    file.write_text("FROM scratch\nCOPY agent.yaml /\n")
    before = account.images()
    for _ in range(2):
        done = account.run("build", "idle")
        assert (done.code, done.out) == (8, "")
        assert "it has no command to run" in done.err
        assert f"hint: $EDITOR {file}" in done.err
        assert account.images() == before
        assert account.containers() == []


def test_an_agent_that_cannot_start_leaves_nothing_and_is_explained(account: Account) -> None:
    account.agent("dead", 'ENTRYPOINT ["sh", "-c", "echo cannot go on >&2; exit 7"]')
    done = account.run("start", "-d", "--build", "-a", "dead", cwd=account.project())
    assert (done.code, done.out) == (9, "")
    assert "did not become ready" in done.err
    assert "cannot go on" in done.err
    assert account.containers() == []
    assert account.volumes() == []
