"""What the user has on the host reaches a session:
the ssh-agent of this login, settings of today, a whole archive.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.account import Account
from tests.claude import ENVIRONMENT


@contextmanager
def ssh_agent(socket: Path) -> Iterator[dict[str, str]]:
    agent = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL)
    try:
        while not socket.exists():
            assert agent.poll() is None
        yield {"SSH_AUTH_SOCK": str(socket)}
    finally:
        agent.terminate()
        agent.wait()


def test_an_ssh_agent_of_an_earlier_login_is_said(account: Account) -> None:
    project, first, second = account.project(), account.folder / "a1", account.folder / "a2"
    words = ("start", "-d", "-a", "shell", "--ssh-agent")
    with ssh_agent(first) as login:
        assert "ssh-agent" not in account.run(*words, cwd=project, env=login).err
        assert "ssh-agent" not in account.run(*words, cwd=project, env=login).err
    with ssh_agent(first) as login:  # another one at the same path
        assert "restart default" in account.run(*words, cwd=project, env=login).err
    with ssh_agent(second) as login:
        assert "restart default" in account.run(*words, cwd=project, env=login).err
        account.ok("restart", "-d", "default", env=login)
        assert "ssh-agent" not in account.run(*words, cwd=project, env=login).err
        asked = account.run("exec", "default", "--", "ssh-add", "-l")
        assert (asked.code, "no identities" in asked.out) == (1, True), asked


def test_an_archive_is_whole_and_names_what_it_leaves_out(account: Account) -> None:
    project, file = account.project(), account.home / "s.tar.zst"
    account.ok("start", "-d", "-a", "shell", "-n", "s", project)
    account.inside(
        "s",
        "sh",
        "-c",
        "cd && echo secret >none && mkdir dir && echo in >dir/file && "
        "chmod 0 none && chmod 555 dir && chmod 0 dir/file && "
        "truncate -s 3G sparse && printf end >>sparse && mkdir closed && "
        "echo x >closed/y && chmod 0 closed && "
        "python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"left.sock\")'",
    )
    account.ok("stop", "s")
    saved = account.run("export", "s", file)
    assert (saved.code, "left.sock" in saved.err) == (0, True), saved
    account.ok("rm", "-f", "--discard-work", "s")
    account.ok("start", "-d", "--import", file, project)
    told = account.inside(
        "s",
        "sh",
        "-c",
        "cd && stat -c '%a %n' none dir dir/file closed && stat -c '%s' sparse && du -m sparse",
    )
    assert told.split() == [
        "0",
        "none",
        "555",
        "dir",
        "0",
        "dir/file",
        "0",
        "closed",
        "3221225475",
        "1",
        "sparse",
    ], told
    assert account.inside(
        "s",
        "sh",
        "-c",
        "cd && chmod 600 none && cat none && chmod 700 closed && cat closed/y && tail -c 3 sparse",
    ) == ("secret\nx\nend")


def test_what_the_host_denies_reaches_every_start(account: Account, claude: str) -> None:  # noqa: ARG001
    project, settings = account.project(), account.home / ".claude" / "settings.json"
    settings.parent.mkdir()

    def rules() -> dict[str, list[str]]:
        found = json.loads(account.inside("default", "cat", "/home/agent/.claude/settings.json"))[
            "permissions"
        ]
        return {key: value for key, value in found.items() if isinstance(value, list)}

    account.ok("start", "-d", "-a", "claude", cwd=project, env=ENVIRONMENT)
    assert rules() == {}
    account.inside(
        "default",
        "sh",
        "-c",
        'cd ~/.claude && jq \'.permissions.allow=["Bash(ls:*)"] | '
        '.model="opus"\' settings.json >n && cat n >settings.json',
    )
    settings.write_text(
        json.dumps(
            {
                "permissions": {"deny": ["Bash(curl:*)"], "allow": ["Bash(make:*)"]},
                "model": "haiku",
                "hooks": {},
            }
        )
    )
    again = account.run("restart", "-d", "default", env=ENVIRONMENT)
    assert rules() == {"deny": ["Bash(curl:*)"], "allow": ["Bash(make:*)", "Bash(ls:*)"]}
    assert "model in ~/.claude/settings.json is not used" in again.err
    assert "stay on the host: hooks" in again.err
    settings.write_text(json.dumps({"permissions": {"deny": ["WebFetch"]}, "hooks": {}}))
    again = account.run("restart", "-d", "default", env=ENVIRONMENT)
    assert rules() == {"deny": ["WebFetch"], "allow": ["Bash(ls:*)"]}
    assert "stay on the host" not in again.err
    settings.write_text('{"permissions": {"deny": ["WebFetch"],}}')
    again = account.run("restart", "-d", "default", env=ENVIRONMENT)
    assert rules() == {"deny": ["WebFetch"], "allow": ["Bash(ls:*)"]}
    assert "what it held at the last good start is used" in again.err
