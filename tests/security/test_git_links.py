"""Links and pipes that an agent plants in a git directory do not stay there for git on the host."""

import subprocess
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.waiting import until

pytestmark = pytest.mark.podman
PROGRAM = "/workspace/app/plant_links.py"


@pytest.fixture
def app(account: Account) -> Path:
    app = account.project("app")
    subprocess.run(["git", "init", "-q", "-b", "main", app], check=True)
    (app / ".git" / "mine").symlink_to("description")
    (account.home / "bashrc").touch()
    attacks.place("plant_links.py", app)
    for key in ("name", "email"):
        subprocess.run(["git", "config", f"user.{key}", "you"], cwd=app, check=True)
    commit(app, "one")
    account.ok("start", "-d", "-a", "shell", "-n", "a", app)
    return app


def commit(app: Path, message: str, *, check: bool = True) -> None:
    words = ["git", "commit", "-q", "--allow-empty", "-m", message]
    subprocess.run(words, cwd=app, check=check, stderr=None if check else subprocess.DEVNULL)


def test_they_are_moved_out_of_gits_way_and_told(account: Account, app: Path) -> None:
    done = attacks.run(account, ["python3", PROGRAM, str(account.home / "bashrc"), "0"], session="a")
    assert (done.code, done.out.strip()) == (0, ""), done
    assert (app / ".git" / "mine").readlink() == Path("description")
    assert (app / ".git" / "tABCDEF").is_symlink()
    assert (app / ".git" / "agent-session-links" / "logs%HEAD").is_symlink()
    commit(app, "two")
    assert (account.home / "bashrc").read_text() == ""
    assert "the session's guard has moved it there" in account.ok("review", "a")
    (app / ".git" / "mine").unlink()
    account.inside("a", "ln", "-s", "/etc/passwd", "/workspace/app/.git/mine")
    until(lambda: (app / ".git" / "mine").readlink() == Path("description"), "the link is as it was")
    account.inside("a", "sh", "-c", "cd /workspace/app && git commit -q --allow-empty -m three && git gc -q")


@pytest.mark.parametrize("rounds", [1, pytest.param(20, marks=pytest.mark.long)])
def test_who_plants_them_again_and_again_ends_its_session(account: Account, app: Path, rounds: int) -> None:
    won = commits = 0
    for _ in range(rounds):
        command = ["podman", "exec", "agent_a", "python3", PROGRAM, str(account.home / "bashrc"), "1000000"]
        agent = subprocess.Popen(command, env=account.environment, stdout=subprocess.DEVNULL)
        while agent.poll() is None:
            (account.home / "bashrc").write_text("")
            commit(app, "again", check=False)  # git may meet a name of the agent's, and say so
            commits += 1
            won += (account.home / "bashrc").stat().st_size > 0
        until(lambda: account.sessions() == {"a": "stopped"}, "the session has ended", seconds=30)
        for path in (
            "lfs",
            "index.lock",
            "HEAD.lock",
            "logs/refs/heads/tree",
            "refs/hidden",
            "refs/two",
            "tABCDEF",
        ):
            subprocess.run(["rm", "-rf", app / ".git" / path], check=True)
        account.ok("start", "-d", "-n", "a")
    print(f"{rounds} sessions ended, {commits} commits, written through a link: {won}")
    assert won <= 4 * rounds
