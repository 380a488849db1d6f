"""Clones of repositories elsewhere: by https with and without a token, by ssh with a lent agent."""

import getpass
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import git_server
from tests.account import Account
from tests.host_git import Host
from tests.storage import Storage

pytestmark = [
    pytest.mark.podman,
    pytest.mark.skipif(not git_server.address(), reason="this machine is in no network"),
]
TOKEN = "token-of-the-test"


@pytest.fixture(scope="module")
def house(storage: Storage, shell: str) -> Iterator[Host]:  # noqa: ARG001
    """An account with a repository that has a branch."""
    host = Host(account=Account(storage.path, storage.driver))
    try:
        app = host.repository(host.account.home / "served" / "private" / "app")
        host.git(app, "branch", "feature")
        host.git(app, "commit", "-q", "--allow-empty", "-m", "two")
        host.git(app.parent, "clone", "-q", "--bare", "app", "app.git")
        shutil.copytree(app.parent / "app.git", app.parent.parent / "public" / "app.git")
        yield host
    finally:
        host.account.close()


def counted(host: Host, session: str) -> str:
    done = host.inside(session, "git rev-list --count HEAD; git status --short --branch; cat .git/config")
    assert done.code == 0, done
    return done.out


def test_public_and_private_urls_are_cloned_by_https(house: Host, tmp_path: Path) -> None:
    account = house.account
    start = ["start", "-d", "-a", "shell", "-n"]
    with git_server.github(house.account.home / "served", tmp_path, TOKEN) as (way, logins):
        account.ok(*start, "open", "https://github.com/public/app.git#feature", env=way)
        assert counted(house, "open").splitlines()[:2] == ["1", "## agent/open"]
        assert set(logins) == {""}
        before = (account.containers(), account.volumes())
        url = "https://github.com/private/app.git"
        refused = account.run(*start, "mine", url, env=way)
        assert (refused.code, f"--github-token {url}" in refused.err) == (2, True), refused
        wrong = account.run(*start, "mine", "--github-token", url, env=way | {"GH_TOKEN": "wrong"})
        assert (wrong.code, "wrong" in wrong.err) == (2, False), wrong
        assert (account.containers(), account.volumes()) == before
        account.ok(*start, "mine", "--github-token", url, env=way | {"GH_TOKEN": TOKEN})
        assert "2\n## agent/mine" in counted(house, "mine")
    held = house.inside("mine", "grep -rl token-of-the-test /workspace /home/agent || true").out
    assert (held, TOKEN in account.podman("inspect", "agent_mine")) == ("", False)
    house.inside("mine", "git commit -q --allow-empty -m three")
    into = account.home / "served" / "private" / "app"
    assert account.run("fetch", "mine").code == 2
    assert account.ok("fetch", "mine", "--into", into) == "agent/mine\n"


@pytest.mark.skipif(not git_server.SSHD, reason="there is no sshd")
def test_a_private_url_is_cloned_by_ssh_with_the_lent_agent(house: Host, tmp_path: Path) -> None:
    account, key = house.account, tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    agent = {"SSH_AUTH_SOCK": str(tmp_path / "agent.sock")}
    known = account.home / ".ssh" / "known_hosts"
    # ssh itself looks in the home of the user who runs the tests, whatever HOME says.
    shim = account.home / ".local" / "bin" / "ssh"
    shim.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -o UserKnownHostsFile={known} "$@"\n')
    shim.chmod(0o755)
    running = subprocess.Popen(["ssh-agent", "-D", "-a", agent["SSH_AUTH_SOCK"]], stdout=subprocess.DEVNULL)
    try:
        with git_server.ssh_server(tmp_path, key.with_suffix(".pub")) as (port, line):
            path = account.home / "served" / "private" / "app.git"
            url = f"ssh://{getpass.getuser()}@{git_server.address()}:{port}{path}"
            start = ["start", "-d", "-a", "shell", "-n", "far", url]
            unknown = account.run(*start, env=agent)
            assert (unknown.code, "ssh -T" in unknown.err) == (2, True), unknown
            known.parent.mkdir(exist_ok=True)
            known.write_text(line)
            unlent = account.run(*start, env=agent)
            assert (unlent.code, "--ssh-agent" in unlent.err) == (2, True), unlent
            empty = account.run(*start, "--ssh-agent", env=agent)
            assert (empty.code, "ssh-add -l" in empty.err) == (2, True), empty
            subprocess.run(["ssh-add", "-q", str(key)], check=True, env=account.environment | agent)
            account.ok(*start, "--ssh-agent", env=agent)
            assert "2\n## agent/far" in counted(house, "far")
    finally:
        running.terminate()
        running.wait()
