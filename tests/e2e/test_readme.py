"""README and docs/ tell the truth: the commands of their `console` blocks run, and print what is shown.

A page's blocks run in its order, in one account that has ~/projects/webapp and ~/projects/api,
with the agent `shell` where none is named; no block finds sessions of those before it.
Where an agent is given work it is the stub (tests/images/stub), as there is no model here.
What sets up a whole machine is run by .ci/run;
it and all other blocks are only checked for their words (tests/unit/test_docs.py).
"""

import subprocess
from pathlib import Path

import pytest

from tests.account import Account
from tests.documents import PAGES, blocks, commands, outputs
from tests.waiting import COMMAND_SECONDS

pytestmark = pytest.mark.e2e
MACHINES_OWN = (
    "make",
    "sudo",
    "brew",
    "pipx",
    "uv",
    "git clone",
    "podman machine",
    "loginctl",
    "ln ",
    "cd agent-session",
)


def runnable(block: str) -> list[str]:
    """A block's commands, but for those that are for a whole machine."""
    return [command for command in commands(block) if not command.startswith(MACHINES_OWN)]


def shown(page: Path) -> list[str]:
    """The blocks of a page that are run."""
    return [content for language, content in blocks(page) if language == "console" and runnable(content)]


@pytest.mark.parametrize("page", [page for page in PAGES if shown(page)], ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_shows(stub_account: Account, page: Path) -> None:
    account = stub_account
    have_projects(account)
    for block in shown(page):
        agent = "stub" if "agent-session prompt" in block else "shell"
        done = subprocess.run(
            ["bash", "-eu", "-c", "\n".join(runnable(block))],
            env=account.environment | WORK | {"AGENT_SESSION_AGENT": agent},
            cwd=account.home,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=COMMAND_SECONDS,
        )
        assert done.returncode == 0, f"{block}\n{done.stdout}"
        expected = "".join(f"{line}\n" for line in outputs(block))
        if expected:
            assert done.stdout.replace(str(account.home), "/home/you") == expected, block
        if account.sessions():
            account.ok("stop", "--all")
            account.ok("rm", "-f", "--discard-work", "--all")


WORK = {
    "STUB_COMMAND": (
        "echo 'It is tested with make test.' > NOTES.md; echo NOTES.md says it now: with make test."
    )
}
"""What the stub does in its turn: what the page says that the agent did."""


def have_projects(account: Account) -> None:
    """Two projects, the first one a repository with a commit."""
    webapp = account.project("webapp")
    account.project("api")
    git = ["git", "-C", str(webapp), "-c", "user.name=you", "-c", "user.email=you@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "as it was"]):
        subprocess.run([*git, *command], env=account.environment, check=True)
