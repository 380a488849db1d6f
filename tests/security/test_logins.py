"""Logins are in memory: no disk has them in clear, whoever wrote them,
and `logout` takes them from every session.
"""

import json
import subprocess
from pathlib import Path

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.podman
KEY, TOKEN, OWN = "sk-ant-api03-the-stored-key", "oauth-token-of-the-session", "own-login-of-the-session"
FILE = "/home/agent/.local/share/opencode/auth.json"
STORED = {"anthropic": {"type": "api", "key": KEY}}
RENEW = f"""import json, os
login = json.load(open("{FILE}"))
login["renewed"] = {{"type": "oauth", "refresh": "{TOKEN}"}}
json.dump(login, open("{FILE}.new", "w"))
os.replace("{FILE}.new", "{FILE}")
"""


def on_disk(account: Account, *texts: str) -> list[str]:
    """Files of the engine's storage and the account's home that have one of the texts;
    the engine's secrets apart.
    """
    info = account.podman("info", "--format", "{{.Store.GraphRoot}} {{.Store.VolumePath}}").split()
    root = Path(info[0])
    places = [
        root / "overlay-containers",
        root / "vfs-containers",
        root / "libpod",
        Path(info[1]),
        account.home,
    ]
    patterns = [word for text in texts for word in ("-e", text)]
    done = subprocess.run(
        ["grep", "-rlsaF", *patterns, *(place for place in places if place.exists())],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.splitlines()


def login(account: Account, session: str) -> dict[str, object]:
    done = account.podman_done("exec", f"agent_{session}", "cat", FILE)
    found: dict[str, object] = json.loads(done.out) if done.code == 0 else {}
    return found


@pytest.mark.usefixtures("opencode")
def test_no_login_is_on_a_disk_and_logout_takes_it_from_every_session(account: Account) -> None:
    done = account.run("login", "opencode", "--token-stdin", stdin=json.dumps(STORED))
    assert done.code == 0, done
    for name in ("rests", "runs"):
        account.ok("start", "-d", "-a", "opencode", "-n", name, account.project())
    assert login(account, "rests") == STORED
    assert on_disk(account, KEY) == [], "while it runs"
    account.inside("rests", "python3", "-c", RENEW)
    account.inside("rests", "sh", "-c", f"echo {OWN} >~/.local/share/opencode/mcp-auth.json")
    account.ok("stop", "rests")
    assert on_disk(account, KEY, TOKEN, OWN) == [], "once it is stopped"

    account.ok("restart", "-d", "rests")
    assert login(account, "rests") == STORED | {"renewed": {"type": "oauth", "refresh": TOKEN}}
    assert account.inside("rests", "cat", "/home/agent/.local/share/opencode/mcp-auth.json") == OWN
    account.inside("rests", "rm", "/home/agent/.local/share/opencode/mcp-auth.json")
    account.podman("kill", "agent_rests")
    account.ok("restart", "-d", "rests")
    assert TOKEN in json.dumps(login(account, "rests")), "a kill loses none that is older than a moment"
    account.ok("stop", "rests")

    done = account.run("logout", "opencode")
    assert done.code == 0, done
    assert "session 'runs' runs: its agent has what it has read until: agent-session restart runs" in done.err
    assert account.podman("secret", "ls", "-q") == ""
    memory = "cat $(find /run/agent-session -type f) /dev/null | grep -ac -e " + KEY
    until(
        lambda: account.podman_done("exec", "agent_runs", "sh", "-c", memory).out.strip() == "0",
        "no key in its memory",
    )
    for name in ("rests", "runs"):
        account.ok("restart", "-d", name)
        assert login(account, name) == {}
    assert on_disk(account, KEY, TOKEN, OWN) == []


@pytest.mark.usefixtures("opencode")
def test_a_login_that_an_older_version_left_on_the_disk_goes_with_the_next_start_or_a_logout(
    account: Account,
) -> None:
    for name in ("starts", "rests"):
        account.ok("start", "-d", "-a", "opencode", "-n", name, account.project())
        account.inside(name, "sh", "-c", f"rm -f {FILE}; echo '{json.dumps(STORED)}' >{FILE}.x")
        account.podman("kill", f"agent_{name}")
        account.podman(
            "unshare", "sh", "-c", f"mv {volume(account, name)}/auth.json.x {volume(account, name)}/auth.json"
        )
    assert len(on_disk(account, KEY)) == 2
    account.ok("restart", "-d", "starts")
    assert login(account, "starts") == STORED
    assert len(on_disk(account, KEY)) == 1
    account.ok("stop", "--all")
    account.ok("logout", "opencode")
    assert on_disk(account, KEY) == []


def volume(account: Account, name: str) -> str:
    mounted = account.podman("volume", "inspect", "--format", "{{.Mountpoint}}", f"agent_{name}_home")
    return f"{mounted.strip()}/.local/share/opencode"
