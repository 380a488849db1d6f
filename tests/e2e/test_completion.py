"""Completion in the real shells, at a real prompt: what is typed, Tab, and what is there then."""

import shutil
import time
from dataclasses import dataclass

import pytest

from tests.account import Account
from tests.terminal import Terminal
from tests.waiting import until

pytestmark = pytest.mark.e2e
SESSION = "front.end-1"


@dataclass(frozen=True, kw_only=True)
class Shell:
    """How a shell is started without anybody's settings, and told to complete."""

    command: tuple[str, ...]
    setup: str


SHELLS = {
    "bash": Shell(
        command=("bash", "--norc", "-i"), setup="PS1='$ '; source <(agent-session completion bash)"
    ),
    "zsh": Shell(
        command=("zsh", "-f", "-i"),
        setup="PS1='$ '; autoload -Uz compinit; compinit -u -D; source <(agent-session completion zsh)",
    ),
    "fish": Shell(
        command=("fish", "--no-config", "-i"),
        setup=(
            "function fish_prompt; echo '$ '; end; set -g fish_autosuggestion_enabled 0; "
            "agent-session completion fish | source"
        ),
    ),
}


def prompt(account: Account, name: str) -> Terminal:
    """A prompt of that shell, with completion."""
    if not shutil.which(name):
        pytest.fail(f"completion is tested in {name} itself: sudo apt-get install {name}")
    shell = SHELLS[name]
    window = account.window_of(*shell.command, columns=160)
    window.type(shell.setup, "Enter")
    window.type("echo rea''dy", "Enter")
    window.wait_for("\nready")
    return window


def completed(window: Terminal, typed: str, wanted: str) -> None:
    """Type, press Tab, and wait for what should be there; then clear the line."""
    window.press("C-l")
    window.type(typed, "Tab")
    pressed = time.monotonic()

    def there() -> bool:
        """On a busy machine completion gives up rather than hold the prompt:
        then a person presses Tab again.
        """
        nonlocal pressed
        if any(
            line.startswith("$") and wanted in f"{line.rstrip()} " for line in window.screen().splitlines()
        ):
            return True
        if time.monotonic() - pressed > 5 and window.screen().rstrip().endswith(typed):
            window.press("Tab")
            pressed = time.monotonic()
        return False

    until(there, f"{typed!r} completed to {wanted!r}", told=window.screen)
    window.press("C-e", "C-u")


@pytest.mark.parametrize("name", SHELLS)
def test_a_shell_completes_verbs_options_sessions_and_agents(account: Account, name: str) -> None:
    project = account.project("webapp")
    account.ok("start", "-d", "-a", "shell", "-n", SESSION, project)
    (account.home / "frontispiece").mkdir()
    window = prompt(account, name)
    completed(window, "agent-session exp", "agent-session export ")
    completed(window, "agent-session start --auto", "agent-session start --auto-approve ")
    completed(window, "agent-session stop fr", f"agent-session stop {SESSION} ")
    completed(window, "agent-session stop -- fr", f"agent-session stop -- {SESSION} ")
    completed(window, "agent-session start -dn fro", f"agent-session start -dn {SESSION} ")
    completed(window, "agent-session start -a open", "agent-session start -a opencode ")
    completed(window, "agent-session start --agent=open", "agent-session start --agent=opencode ")
    completed(window, "agent-session start proj", "agent-session start projects/")
    completed(window, "agent-session cp front.", f"agent-session cp {SESSION}:")
    completed(
        window, f"agent-session cp {SESSION}:notes fro", f"agent-session cp {SESSION}:notes frontispiece"
    )
    completed(window, "agent-session send x --key PgD", "agent-session send x --key PgDn ")


@pytest.mark.parametrize("name", SHELLS)
def test_nothing_lands_in_the_prompt_where_podman_is_broken(account: Account, name: str) -> None:
    window = prompt(account, name)
    broken = account.home / ".local" / "bin" / "podman"
    broken.write_text("#!/bin/sh\necho Error: it is broken >&2; echo nonsense; exit 125\n")
    broken.chmod(0o755)
    settings = account.home / ".config" / "agent-session"
    settings.mkdir()
    (settings / "config.yaml").write_text("nonsense: [")
    window.press("C-l")
    window.type("agent-session stop x", "Tab")
    window.type("yz")
    window.wait_for("$ agent-session stop xyz")
    assert not any(word in window.screen().lower() for word in ("error", "nonsense", "traceback", "hint"))
