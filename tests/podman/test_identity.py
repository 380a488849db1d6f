"""Name, token, ssh-agent and signatures in a session: the first always, the others only on request."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman
TOKEN = "ghp_0123456789abcdef"


@pytest.fixture
def lent(account: Account) -> Iterator[dict[str, str]]:
    """Variables of a user with a name, an ssh-agent with one key that signs, and a GitHub token."""
    key = account.home / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "me", "-f", key], check=True)
    (account.home / ".gitconfig").write_text(
        f"[user]\n\tname = Ada\n\temail = ada@example.org\n\tsigningkey = {key}\n[gpg]\n"
        f"\tformat = ssh\n[commit]\n\tgpgsign = true\n"
    )
    socket = account.runtime / "ssh"
    with subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL) as agent:
        environment = {"SSH_AUTH_SOCK": str(socket), "GITHUB_TOKEN": TOKEN}
        while subprocess.run(
            ["ssh-add", "-q", key], env=os.environ | environment, stderr=subprocess.DEVNULL, check=False
        ).returncode:
            assert agent.poll() is None
        key.unlink()
        yield environment
        agent.terminate()


def test_a_session_is_lent_nothing_but_a_name(account: Account, lent: dict[str, str]) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project(), env=lent)
    assert account.inside("default", "git", "config", "user.email") == "ada@example.org"
    assert account.podman_done("exec", "agent_default", "git", "config", "commit.gpgsign").out == ""
    everything = account.inside("default", "sh", "-c", ". /run/agent-session/seed/environment; env; mount")
    assert not [word for word in (TOKEN, "SSH_AUTH_SOCK", "ssh-agent") if word in everything]


def test_on_request_it_signs_and_has_the_token_and_nothing_tells_it(
    account: Account, lent: dict[str, str]
) -> None:
    project: Path = account.project()
    subprocess.run(["git", "init", "-q", project], check=True)
    account.ok("start", "-d", "-a", "shell", "--git-signing", "--github-token", cwd=project, env=lent)
    script = (
        ". /run/agent-session/seed/environment; ssh-add -l; echo $GH_TOKEN; "
        "git commit -q --allow-empty -m x; git cat-file commit HEAD"
    )
    said = account.inside("default", "sh", "-c", script)
    assert "ED25519" in said
    assert TOKEN in said
    assert "BEGIN SSH SIGNATURE" in said
    asked = "printf 'protocol=https\\nhost=github.com\\n\\n' | git credential fill"
    assert f"password={TOKEN}" in account.inside("default", "sh", "-c", asked)
    assert TOKEN not in json.dumps(account.inspect())
    (session,) = json.loads(account.ok("ls", "--json"))
    assert [session[key] for key in ("git_signing", "ssh_agent", "github_token")] == [True, True, True]

    account.ok("stop", cwd=project)
    done = account.run("start", "-d", cwd=project)
    assert done.code == 0
    assert "no ssh-agent runs here" in done.err
    assert "no GitHub token found" in done.err
    account.ok("stop", cwd=project)
    account.ok(
        "start", "-d", "--no-git-signing", "--no-ssh-agent", "--no-github-token", cwd=project, env=lent
    )
    assert account.podman_done("exec", "agent_default", "git", "config", "user.signingkey").out == ""
