"""What the host rewrites by renaming, its git config above all, is the agent's for a moment and no longer."""

import subprocess
import threading
import time
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.waiting import until

pytestmark = pytest.mark.podman


@pytest.fixture
def app(account: Account) -> Path:
    app = account.project("app")
    subprocess.run(["git", "init", "-q", "-b", "main", app], check=True)
    attacks.place("grab.py", app)
    account.ok("start", "-d", "-a", "shell", "-n", "a", app)
    return app


def rewrite(app: Path, times: int) -> None:
    """Do what `git push -u` and its like do to the config."""
    for number in range(times):
        subprocess.run(["git", "config", "a.b", str(number)], cwd=app, check=True)


def is_closed(account: Account) -> bool:
    script = "mountpoint -q .git/config && ! echo evil >>.git/config"
    done = account.podman_done("exec", "--workdir=/workspace/app", "agent_a", "sh", "-c", script)
    return done.code == 0


@pytest.mark.parametrize("rounds", [3, pytest.param(60, marks=pytest.mark.long)])
def test_quick_rewrites_never_take_the_protection_away_for_good(
    account: Account, app: Path, rounds: int
) -> None:
    for number in range(rounds):
        rewrite(app, 4 + 7 * number % 21)
        until(lambda: is_closed(account), "config is read-only again", seconds=10)
    print(f"{rounds} rounds of 4 to 24 rewrites, lost for good: 0")
    assert "evil" not in (app / ".git" / "config").read_text()


@pytest.mark.parametrize("rounds", [3, pytest.param(100, marks=pytest.mark.long)])
def test_who_opened_it_in_that_moment_writes_to_nothing_afterwards(
    account: Account, app: Path, rounds: int
) -> None:
    late = early = 0
    config = app / ".git" / "config"
    before = config.read_text()
    for _ in range(rounds):
        config.write_text(before)
        script = ["python3", "/workspace/app/grab.py", "/workspace/app/.git/config", "1.5"]
        agent = threading.Thread(target=lambda: attacks.run(account, script, session="a"))  # noqa: B023
        agent.start()
        time.sleep(0.5)  # the program is at it; there is nothing to poll for
        rewrite(app, 1)
        agent.join()
        early += "[early]" in config.read_text()
        late += "[late]" in config.read_text()
    print(f"{rounds} rewrites: written in the gap {early}, after it {late}")
    assert late == 0
