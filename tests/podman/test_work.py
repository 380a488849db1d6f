"""rm cannot lose work, and what is saved comes back:
repositories, loose files, archives, also of somebody malicious.
"""

import io
import json
import struct
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from tests.account import Account

pytestmark = pytest.mark.podman

COMMIT = "git -c user.name=a -c user.email=a@b commit -q --allow-empty -m"


@pytest.fixture
def session(account: Account) -> Account:
    """A session "default" of the agent `shell` on the project "app", which is a repository with a change."""
    project = account.project(README="hello")
    for command in (["init", "-q"], ["add", "-A"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    account.ok("start", "-d", "-a", "shell", cwd=project)
    return account


def do(account: Account, script: str, session: str = "default") -> str:
    return account.inside(session, "sh", "-ec", script)


def lost(account: Account) -> list[str]:
    """What `rm -f` of the stopped session says would be lost; [] where it would be removed."""
    account.ok("stop")
    done = account.run("rm", "-f", "default")
    assert done.code in {0, 5}, done.err
    assert done.code == 5 or account.sessions() == {}
    told, _, _ = done.err.partition("\nhint: ")
    return [line.strip() for line in told.splitlines() if line.startswith("  ")]


def test_a_session_with_nothing_of_its_own_goes_and_the_project_stays(session: Account) -> None:
    do(
        session,
        "echo more >> /workspace/app/README; mkdir -p ~/.config/x /workspace/empty; echo 1 > ~/.config/x/y",
    )
    assert lost(session) == []
    assert session.volumes() == []
    assert (session.project() / "README").read_text() == "hellomore\n"


def test_a_clone_that_holds_nothing_new_is_no_reason_to_keep_a_session(session: Account) -> None:
    do(
        session,
        "cd /workspace/app; git init -q --bare up.git; git clone -q up.git /workspace/clone; "
        f"cd /workspace/clone; {COMMIT} x; git push -q origin HEAD",
    )
    do(
        session,
        f"git clone -q /workspace/clone ~/code; mkdir -p ~/.cache; "
        f"git init -q ~/.cache/tool; cd ~/.cache/tool; {COMMIT} x",
    )
    assert lost(session) == []


def test_work_is_listed_by_path_and_branch(session: Account) -> None:
    do(session, f"git init -q -b main ~/code; cd ~/code; {COMMIT} 1; git checkout -q -b feature; {COMMIT} 2")
    do(
        session,
        "cd ~/code; echo 1 > file; git add file; "
        "git -c user.name=a -c user.email=a@b stash -q; echo 2 > other",
    )
    do(
        session,
        f"git clone -q ~/code /workspace/clone; cd /workspace/clone; git checkout -q --detach; {COMMIT} 3",
    )
    do(
        session,
        "git init -q --bare '/workspace/a b.git'; cd ~/code; "
        "git push -q '/workspace/a b.git' main; cd ~; git init -q empty",
    )
    do(session, "mkdir -p /workspace/deep; echo 1 > /workspace/deep/ö; ln -s /etc/passwd /workspace/link")
    assert set(lost(session)) == {
        (
            "/home/agent/code: 2 commits of feature not pushed, "
            "1 commit of main not pushed, 1 uncommitted change, 1 stash"
        ),
        "/workspace/clone: 1 commit of (detached HEAD) not pushed",
        "/workspace/a b.git: 1 commit of main not pushed",
        "2 files in /workspace outside any project: /workspace/deep/ö, /workspace/link",
    }
    assert session.sessions() == {"default": "stopped"}
    assert session.containers() == ["agent_default"]
    assert session.run("rm", "-f", "--discard-work", "default").code == 0
    assert (session.containers(), session.volumes()) == ([], [])


def test_a_worktree_beside_its_project_counts_with_its_changes(session: Account) -> None:
    do(
        session,
        f"cd /workspace/app; {COMMIT} 1; git worktree add -q /workspace/tree; echo 1 > /workspace/tree/new",
    )
    assert lost(session) == ["/workspace/tree: 1 uncommitted change"]


def test_looking_runs_nothing_of_the_agents(session: Account) -> None:
    do(
        session,
        "git init -q ~/evil; cd ~/evil; echo x > f; "
        "git config core.fsmonitor 'touch /home/agent/ran /workspace/app/ran; false'",
    )
    do(
        session,
        "cd ~/evil; git add f; git config filter.e.clean 'touch /home/agent/ran /workspace/app/ran; cat'; "
        "echo '* filter=e' > .gitattributes; echo y > f; rm -f ~/ran /workspace/app/ran",
    )
    do(
        session,
        "mkdir -p ~/bin ~/.local/bin; "
        "printf '#!/bin/sh\\ntouch /workspace/app/ran\\n' > ~/bin/git; "
        "chmod +x ~/bin/git; ln -s ~/bin/git ~/.local/bin/git",
    )
    before = do(session, "ls -la ~")
    assert any("/home/agent/evil" in line for line in lost(session))
    assert not (session.project() / "ran").exists()
    session.ok("start", "-d", "-n", "default")
    assert do(session, "ls -la ~").count("ran") == before.count("ran") == 0


def test_a_repository_that_git_cannot_read_is_work(session: Account) -> None:
    do(session, "mkdir -p ~/broken/.git ~/far; echo 'gitdir: /nowhere' > ~/far/.git")
    assert [line.split(": git cannot tell")[0] for line in sorted(lost(session))] == [
        "/home/agent/broken",
        "/home/agent/far",
    ]


def test_conversations_are_counted_where_it_is_asked(account: Account, claude: str) -> None:  # noqa: ARG001
    account.ok("start", "-d", "-a", "claude", cwd=account.project(), env={"ANTHROPIC_API_KEY": "k"})
    do(account, "mkdir -p ~/.claude/projects/-workspace-app; touch ~/.claude/projects/-workspace-app/1.jsonl")
    account.ok("stop")
    window = account.window("rm", "default")
    window.wait_for("1 conversation", "Remove 'default'")
    window.type("y")
    assert window.wait_for_end() == 0
    assert account.sessions() == {}


def test_to_see_that_a_session_holds_nothing_takes_no_container(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("stop")
    done = account.run("-vv", "rm", "-f", "default")
    assert (done.code, account.sessions()) == (0, {})
    begun = [line.split() for line in done.err.splitlines() if " ms " not in line]
    assert [
        words for words in begun if "podman" in words[0] and {"run", "start", "create"} & set(words)
    ] == []


# --- archives


def test_a_session_comes_back_from_its_archive(session: Account) -> None:
    do(
        session,
        f"git init -q -b main ~/code; cd ~/code; {COMMIT} 1; "
        "mkdir ~/d; echo 'a b' > ~/d/'ü x'; chmod 700 ~/d; ln -s d ~/l; ln ~/d/* ~/hard; mkfifo ~/p",
    )
    do(
        session,
        "echo secret > ~/.netrc; mkdir ~/.ssh; echo secret > ~/.ssh/id; "
        "echo loose > /workspace/loose; touch -d 2001-02-03 ~/d/*",
    )
    file = session.home / "s.tar.zst"
    session.ok("export", "default", file)
    assert file.stat().st_mode & 0o777 == 0o600
    session.ok("stop")
    session.ok("export", "default", file)
    session.ok("rm", "-f", "--discard-work", "default")
    assert session.volumes() == []
    session.ok("start", "-d", "--import", file, "-n", "again", session.home / "projects" / "app")
    assert do(
        session,
        "cat ~/l/*; cat ~/hard /workspace/loose; stat -c '%a %y' ~/d ~/hard | "
        "cut -c1-14; git -C ~/code log --oneline | wc -l",
        "again",
    ) == (f"a b\na b\nloose\n700 {time.strftime('%Y-%m-%d')}\n644 2001-02-03\n1")
    assert do(session, "ls -A ~", "again").split().count("p") == 0
    assert do(session, "find ~ /workspace -name .netrc -o -name .ssh", "again") == ""
    assert do(session, "find ~ /workspace ! -user agent ! -path '/workspace/app*'", "again") == ""


def archive(*members: tarfile.TarInfo, projects: Path, content: bytes = b"evil\n") -> bytes:
    """An archive by hand; files have that content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    packed = subprocess.run(["zstd", "-q"], input=buffer.getvalue(), capture_output=True, check=True).stdout
    said = {"format": 1, "name": "evil", "agent": "shell", "options": {}}
    manifest = json.dumps(
        said | {"projects": [{"source": str(projects), "target": "/workspace/app"}]}
    ).encode()
    return struct.pack("<II", 0x184D2A5E, len(manifest)) + manifest + packed


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", mode: int = 0o644) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, target, mode
    return info


@pytest.mark.parametrize(
    "members",
    [
        [member("../evil")],
        [member("/home/agent/../../tmp/evil")],
        [member("home/agent/../../tmp/evil")],
        [member("/tmp/evil")],
        [member("etc/evil")],
        [member("home/agent/l", tarfile.SYMTYPE, "/workspace"), member("home/agent/l/evil")],
        [member("home/agent/h", tarfile.LNKTYPE, "/etc/passwd")],
        [member("home/agent/h", tarfile.LNKTYPE, "../../etc/passwd")],
        [
            member("home/agent/l", tarfile.SYMTYPE, "/etc/passwd"),
            member("home/agent/h", tarfile.LNKTYPE, "home/agent/l"),
        ],
        [member("home/agent/device", tarfile.CHRTYPE)],
        [member("home/agent/device", tarfile.BLKTYPE)],
    ],
    ids=lambda members: members[-1].name + members[-1].type.decode(),
)
def test_a_malicious_archive_is_refused_and_leaves_nothing(
    account: Account, members: list[tarfile.TarInfo]
) -> None:
    project = account.project()
    file = account.home / "evil.tar.zst"
    file.write_bytes(archive(*members, projects=project))
    done = account.run("start", "-d", "--import", file, project)
    assert done.code == 2, done
    assert "cannot import" in done.err
    assert (account.containers(), account.volumes()) == ([], [])
    assert list(project.iterdir()) == []
    assert not Path("/tmp/evil").exists()


def test_an_archive_brings_no_rights_and_its_links_stay_links(account: Account) -> None:
    project = account.project()
    file = account.home / "odd.tar.zst"
    setuid = member("home/agent/setuid", mode=0o6755)
    file.write_bytes(
        archive(
            setuid,
            member("workspace/app/evil"),
            member("home/agent/l", tarfile.SYMTYPE, "/etc/shadow"),
            projects=project,
        )
    )
    account.ok("start", "-d", "--import", file, project)
    assert do(account, "stat -c %a ~/setuid; readlink ~/l", "evil") == "755\n/etc/shadow"
    # In the volume, below the mount: the project is not what is unpacked into.
    assert not (project / "evil").exists()


@pytest.mark.parametrize("cut", [40, 200, 1_000_000])
def test_half_an_archive_is_refused(session: Account, cut: int) -> None:
    do(session, "head -c 3000000 /dev/urandom > ~/noise")
    file = session.home / "s.tar.zst"
    session.ok("export", "default", file)
    file.write_bytes(file.read_bytes()[:cut])
    done = session.run("start", "-d", "--import", file, "-n", "x", "--no-projects")
    assert done.code == 2, done
    assert session.sessions() == {"default": "running"}
    assert not any("agent_x" in name for name in session.volumes())
