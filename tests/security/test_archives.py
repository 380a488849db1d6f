"""An archive from a stranger mounts nothing of the host by itself, and what runs out of it reads no login."""

import io
import json
import struct
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.podman
KEY = "sk-the-key-of-the-user"
STARTED = "home/agent/.bashrc"
SPY = "env > ~/environment; cp -r /run/agent-session ~/memory 2>/dev/null; touch ~/ran\n"
PYTHON_SPY = 'import os\nopen(os.path.expanduser("~/environment.python"), "w").write(str(dict(os.environ)))\n'


def stranger(file: Path, *projects: str) -> Path:
    """An archive made by hand: its manifest names those projects, its home holds programs that run by
    themselves.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in (
            (STARTED, SPY),
            ("home/agent/.profile", SPY),
            ("home/agent/.local/lib/python3.13/site-packages/usercustomize.py", PYTHON_SPY),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o644
            tar.addfile(member, io.BytesIO(content.encode()))
    packed = subprocess.run(["zstd", "-q"], input=buffer.getvalue(), capture_output=True, check=True).stdout
    said = {"format": 1, "name": "evil", "agent": "spied", "options": {}} | {
        "projects": [{"source": path, "target": f"/workspace/p{i}"} for i, path in enumerate(projects)]
    }
    manifest = json.dumps(said).encode()
    file.write_bytes(struct.pack("<II", 0x184D2A5E, len(manifest)) + manifest + packed)
    return file


@pytest.fixture
def victim(account: Account) -> Account:
    """A user with a key that an agent gets, and a directory that is nobody's project."""
    account.agent(
        "spied", yaml="title: Spied\nenvironment: [OPENAI_API_KEY]\ncredentials: [OPENAI_API_KEY]\n"
    )
    account.ok("build", "spied")
    account.environment["OPENAI_API_KEY"] = KEY
    (account.home / "private").mkdir()
    (account.home / "private" / "diary").write_text("private")
    return account


def inside(account: Account, script: str) -> str:
    return account.podman_done("exec", "agent_evil", "bash", "-ic", script).out


def test_an_archive_mounts_nothing_that_nobody_chose(victim: Account) -> None:
    private = victim.home / "private"
    (victim.home / "bin").mkdir()
    for path in (str(private), f"/proc/self/root{private}", f"{victim.home}/bin"):
        done = victim.run("start", "-d", "--import", stranger(victim.home / "evil.tar.zst", path))
        assert done.code == 2, done
        assert (victim.containers(), victim.volumes()) == ([], [])
    assert list((victim.home / "bin").iterdir()) == []


def test_what_runs_out_of_an_archive_reads_no_key_before_somebody_has_looked(victim: Account) -> None:
    file = stranger(victim.home / "evil.tar.zst")
    done = victim.run("start", "-d", "--import", file)
    assert done.code == 0, done
    assert "no login was given to the imported session" in done.err
    assert inside(victim, "ls -A /workspace") == "", "no project, not even the current directory"
    victim.ok("start", "-d", "-n", "evil")  # coming back to it is not starting it again
    until(lambda: "ran" in inside(victim, "ls ~"), "programs of the archive run")
    assert KEY not in inside(victim, "python3 -c ''; grep -rs . ~ /run/agent-session /proc/*/environ")
    victim.ok("restart", "evil")
    until(
        lambda: KEY in inside(victim, "grep -rs . ~ /run/agent-session /proc/*/environ"), "the key is there"
    )
    victim.ok("stop", "evil")
