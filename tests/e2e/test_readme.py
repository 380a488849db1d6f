"""README.md tells the truth: its commands run, print what it shows, and it names every command and option there is.

Console blocks run in order of the document, each in an account of its own that has ~/projects/webapp and ~/projects/api,
with the agent `shell` where none is named; where an agent is given work, it is the stub (tests/images/stub), for a model there is none
here. What sets up a whole machine is run by .ci/run; of that only the names are checked here.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.account import REPOSITORY, Account
from tests.waiting import COMMAND_SECONDS

pytestmark = pytest.mark.e2e
README = (REPOSITORY / "README.md").read_text(encoding="utf-8") if (REPOSITORY / "README.md").exists() else ""
BLOCKS = re.findall(r"^```(?:console|sh|bash)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MACHINES_OWN = (
    "make",
    "sudo",
    "brew",
    "pipx",
    "uv",
    "git clone",
    "podman machine",
    "loginctl",
    "scripts/setup",
    "scripts/test",
)
VERBS = (
    "start",
    "attach",
    "stop",
    "restart",
    "ls",
    "rm",
    "build",
    "agents",
    "exec",
    "cp",
    "send",
    "screen",
    "logs",
    "status",
    "wait",
    "watch",
    "update",
    "export",
    "login",
    "logout",
    "completion",
    "doctor",
    "prompt",
    "answer",
    "chat",
    "models",
    "uninstall",
)


def commands(block: str) -> list[str]:
    """The commands of a console block: what follows `$ `, with here-documents."""
    found: list[str] = []
    closing = None
    for line in block.splitlines():
        if closing is not None:
            found[-1] += f"\n{line}"
            closing = None if line == closing else closing
        elif line.startswith("$ "):
            found.append(line.removeprefix("$ "))
            if begun := re.search(r"<<-?\s*'?(\w+)'?", line):
                closing = begun[1]
    return found


def for_the_machine(command: str) -> bool:
    return command.startswith(MACHINES_OWN)


def test_readme_has_commands_to_show() -> None:
    assert [command for block in BLOCKS for command in commands(block) if command.startswith("agent-session")]


@pytest.mark.parametrize("block", BLOCKS, ids=[f"block {number}" for number in range(1, len(BLOCKS) + 1)])
def test_a_block_of_commands_does_what_it_shows(
    request: pytest.FixtureRequest, account: Account, block: str
) -> None:
    for name in ("webapp", "api"):
        account.project(name)
    for command in commands(block):
        if for_the_machine(command):
            check_names(command)
    runnable = [command for command in commands(block) if not for_the_machine(command)]
    if not runnable:
        return
    agent = {"AGENT_SESSION_AGENT": "shell"}
    if "agent-session prompt" in block:
        agent = worker(request.getfixturevalue("stub_account"))
    done = subprocess.run(
        ["bash", "-eu", "-c", "\n".join(runnable)],
        env=account.environment | agent, cwd=account.home, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=COMMAND_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    shown = "".join(f"{line}\n" for line in outputs(block))
    if shown:
        assert done.stdout.replace(str(account.home), "/home/you") == shown


def worker(account: Account) -> dict[str, str]:
    """For a block that gives an agent work: webapp is a repository, and the stub does what its README says that the agent did."""
    repository = account.home / "projects" / "webapp"
    git = ["git", "-C", str(repository), "-c", "user.name=you", "-c", "user.email=you@example.org"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "as it was"]):
        subprocess.run([*git, *command], env=account.environment, check=True)
    work = "echo 'It is tested with make test.' > NOTES.md; echo NOTES.md says it now: with make test."
    return {"AGENT_SESSION_AGENT": "stub", "STUB_COMMAND": work}


def outputs(block: str) -> list[str]:
    told = block
    for command in commands(block):
        told = told.replace(f"$ {command}\n", "", 1)
    return told.splitlines()


def check_names(command: str) -> None:
    words = command.split()
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (REPOSITORY / "Makefile").read_text(), re.MULTILINE), command
    for word in words:
        if word.startswith("scripts/"):
            assert (REPOSITORY / word).exists(), command


def verbs(account: Account) -> list[str]:
    """All there are."""
    return re.findall(r"^  ([a-z]+)  ", account.ok("--help").partition("Commands:")[2], re.MULTILINE)


def test_every_option_and_variable_it_mentions_exists(account: Account) -> None:
    helps = {verb: account.ok(verb, "--help") for verb in verbs(account)}
    everything = account.ok("--help") + "".join(helps.values())
    for verb, rest in re.findall(
        r"(?:`|^\$ |: )(?:\./)?agent-session ([a-z]+)([^`\n]*)", README, re.MULTILINE
    ):
        assert verb in helps, f"agent-session {verb}"
        for option in re.findall(
            r"(?<![\w-])(--?[a-z][a-z-]*)", re.split(r"[|&;#]|   ", rest.replace("\\|", " "))[0]
        ):
            assert re.search(rf"(?<![\w-]){option}(?![\w-])", helps[verb]), f"agent-session {verb} {option}"
    for variable in set(re.findall(r"AGENT_SESSION_[A-Z_]+[A-Z]", README)):
        assert variable in everything or mentioned_in_the_source(variable), variable


def mentioned_in_the_source(variable: str) -> bool:
    field = variable.removeprefix("AGENT_SESSION_").lower()
    return any(
        re.search(rf"\b{field}\b|{variable}", file.read_text()) for file in (REPOSITORY / "src").rglob("*.py")
    )


def test_every_command_option_and_exit_code_there_is_is_in_it(account: Account) -> None:
    for verb in verbs(account):
        assert f"agent-session {verb}" in README, verb
        for option in re.findall(
            r"(?<![\w-])--[a-z][a-z-]+", account.ok(verb, "--help").partition("Options:")[2]
        ):
            assert option in README or option == "--help", f"agent-session {verb} {option}"
    for code in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 124, 130):
        assert re.search(rf"^\| {code} \|", README, re.MULTILINE), code


def test_its_pictures_are_there_and_small_and_fetch_nothing() -> None:
    pictures = re.findall(r"^!\[[^\]]+\]\((docs/pictures/\w+\.svg)\)$", README, re.MULTILINE)
    assert pictures == [f"docs/pictures/{name}.svg" for name in ("session", "ls", "picker")]
    for path in pictures:
        drawn = (REPOSITORY / path).read_text(encoding="utf-8")
        assert drawn.startswith("<svg ")
        assert len(drawn) < 40_000
        assert not re.search(r"href|url\((?!#)|@import|<script", drawn)


def test_every_path_of_the_repository_it_mentions_exists() -> None:
    for path in set(re.findall(r"`((?:scripts|images|tests|src|\.ci)/[\w./-]*\w)`", README)):
        assert Path(REPOSITORY, path).exists(), path
