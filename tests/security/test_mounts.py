"""A session mounts what was looked at, whatever another session's agent puts in its place meanwhile."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.waiting import until

ENGINES = [pytest.param("ours", marks=pytest.mark.podman), pytest.param("root's", marks=pytest.mark.rootful)]
SECRET = "the secret of another directory"


@pytest.fixture(params=ENGINES)
def mono(account: Account) -> Iterator[Path]:
    """A project with a package in it, in which session "a" runs;
    and a directory beside it that is nobody's project.
    """
    mono = account.project("mono")
    (mono / "packages" / "x").mkdir(parents=True)
    attacks.place("swap.py", mono)
    (account.home / "private").mkdir()
    (account.home / "private" / "key").write_text(SECRET)
    account.ok("start", "-d", "-a", "shell", "-n", "a", mono)
    yield mono
    for name, status in account.sessions().items():
        if status == "running":
            account.ok("stop", name)


def agent_does(account: Account, script: str) -> None:
    done = attacks.run(account, ["sh", "-ec", f"cd /workspace/mono; {script}"], session="a")
    assert done.code == 0, done


def sees_the_secret(account: Account, session: str) -> bool:
    found = account.podman_done("exec", f"agent_{session}", "grep", "-rls", SECRET, "/workspace")
    return bool(found.out.strip())


@pytest.mark.parametrize("moved", ["packages/x", "packages"])
def test_a_stopped_session_is_not_led_elsewhere(account: Account, mono: Path, moved: str) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "b", mono / "packages" / "x")
    account.ok("stop", "b")
    target = account.home / "private"
    (target / "x").mkdir()
    (target / "x" / "key").write_text(SECRET)
    before = sorted(str(path) for path in target.rglob("*"))
    agent_does(account, f"mv {moved} moved; ln -s {target} {moved}")
    done = account.run("start", "-d", "-n", "b")
    assert done.code == 7, done
    assert f"{mono}/packages/x, a project of session 'b', is not what it was" in done.err
    assert account.sessions()["b"] == "stopped"
    assert sorted(str(path) for path in target.rglob("*")) == before, "nothing was made there"
    agent_does(account, f"rm {moved}; mv moved {moved}")
    account.ok("start", "-d", "-n", "b")
    assert not sees_the_secret(account, "b")


def test_a_link_that_appears_while_a_session_is_made_is_not_followed(account: Account, mono: Path) -> None:
    plant = "git init -q --bare sub.git; mkdir -p sub.git/lfs; git init -q sig"
    agent_does(account, plant)
    command = ["podman", "exec", "-i", "agent_a", "python3", "/workspace/mono/swap.py"]
    command += ["/workspace/mono/sig/.claude", "/workspace/mono/sub.git/lfs", str(account.home / "private")]
    account.ok("stop", "a")
    account.ok("start", "-d", "-n", "a")
    # The first session holds the names already: what the second one adds is the sign.
    other = mono
    with subprocess.Popen(
        command, env=account.environment, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    ) as agent:
        assert agent.stdout
        assert agent.stdout.readline() == "ready\n"
        done = account.run("start", "-d", "-a", "shell", "-n", "b", other)
        if done.code == 0:
            assert not sees_the_secret(account, "b"), done
        else:
            assert (done.code, "is not what it was" in done.err) == (7, True), done
            assert "b" not in account.sessions()
        agent.kill()


@pytest.mark.usefixtures("mono")
def test_an_update_does_not_follow_what_the_agent_made_of_its_project(account: Account) -> None:
    agent_does(account, "git init -q --bare sub.git; mkdir -p sub.git/lfs; git init -q sig")
    script = (
        f"i=0; while [ $i -lt 4000 ]; do i=$((i+1)); mv -T sub.git/lfs sub.git/real; "
        f"ln -sT {account.home}/private sub.git/lfs; "
        "rm -f sub.git/lfs; mv -T sub.git/real sub.git/lfs; done"
    )
    with subprocess.Popen(
        ["podman", "exec", "-w", "/workspace/mono", "agent_a", "sh", "-c", script], env=account.environment
    ) as agent:
        done = account.run("restart", "-d", "a", seconds=120)
        agent.kill()
    assert done.code in {0, 7}, done
    if account.sessions()["a"] == "running":
        assert not sees_the_secret(account, "a")


def test_a_start_takes_back_what_could_not_be_started(account: Account, mono: Path) -> None:
    """A new session whose project has become a link before its container starts leaves nothing behind."""
    inner = mono / "packages" / "x"
    account.ok("start", "-d", "-a", "shell", "-n", "b", inner)
    account.ok("stop", "b")
    agent_does(account, "mv packages/x packages/y; ln -s y packages/x")
    assert account.run("start", "-d", "-n", "b").code == 7
    until(lambda: account.sessions() == {"a": "running", "b": "stopped"}, "b to be stopped")
    account.ok("rm", "-f", "--discard-work", "b")
