"""Copies, pictures and exports follow no link that an agent made, in the projects of whatever session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks
from tests.storage import Storage

pytestmark = pytest.mark.podman
SECRET = "the key that no session may have"


@pytest.fixture(scope="module")
def crowd(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """An account with the sessions "a" and "b", each on a project of its own, "c", which is stopped,
    and a private key.
    """
    account = Account(storage.path, storage.driver)
    try:
        (work(account) / "private").mkdir(parents=True)
        (work(account) / "private" / "key").write_text(SECRET)
        for name in ("c", "a", "b"):
            (work(account) / f"p{name}" / "inbox").mkdir(parents=True)
            account.ok("start", "-d", "-a", "shell", "-n", name, work(account) / f"p{name}")
        plant(account, "c", "ln -s ../private planted")
        account.ok("stop", "c")
        attacks.run(account, ["sh", "-c", "echo evil > ~/evil; mkdir ~/d; echo evil > ~/d/key"], session="a")
        yield account
    finally:
        account.close()


def work(account: Account) -> Path:
    """The directory of the projects, and of the private one beside them."""
    return account.home / "work"


def plant(account: Account, session: str, script: str) -> None:
    done = attacks.run(account, ["sh", "-ec", f"cd /workspace/p{session}; {script}"], session=session)
    assert done.code == 0, done


def sees_the_secret(account: Account, session: str) -> bool:
    found = account.podman_done(
        "exec", f"agent_{session}", "grep", "-rls", SECRET, "/home/agent", "/tmp", "/workspace"
    )
    return bool(found.out.strip())


@pytest.mark.parametrize(
    ("planted", "copied"),
    [
        ("ln -s {home}/private/key notes.md", "notes.md"),
        ("ln -s ../private/key notes2.md", "notes2.md"),
        ("ln -s {home}/private folder", "folder"),
        ("ln -s ../private folder2", "folder2/."),
        ("mkdir in; ln -s ../../private in/deeper", "in/deeper/key"),
    ],
)
@pytest.mark.parametrize("session", ["a", "c"])
def test_no_link_of_an_agent_is_copied_in(crowd: Account, planted: str, copied: str, session: str) -> None:
    """Neither into the session that planted it nor into a stopped one."""
    if session == "a":
        plant(crowd, "a", planted.format(home=work(crowd)))
    done = crowd.run("cp", f"{work(crowd)}/pa/{copied}", f"{session}:~/leak")
    assert done.code == 5, done
    assert "agent writes" in done.err
    assert session == "c" or not sees_the_secret(crowd, session)


def test_a_file_that_is_toggled_with_a_link_is_not_copied_in(crowd: Account) -> None:
    plant(
        crowd,
        "b",
        "mkdir toggled; for i in 1 2 3; do echo harmless > toggled/$i; done; ln -s ../../private/key link",
    )
    toggle = (
        "import ctypes, os; libc = ctypes.CDLL(None)\n"
        "while True:\n for i in b'123':\n  libc.renameat2(-100, b'toggled/%c' % i, -100, b'link', 2)"
    )
    crowd.podman("exec", "-d", "-w", "/workspace/pb", "agent_b", "python3", "-c", toggle)
    for round_ in range(10):
        crowd.run("cp", work(crowd) / "pb" / "toggled", f"a:~/toggled{round_}")
    attacks.run(crowd, ["pkill", "python3"], session="b")
    assert not sees_the_secret(crowd, "a")


@pytest.mark.parametrize(
    "target", ["pb/planted/", "pb/planted/key", "pb/inbox/../planted/", "pc/planted/", "mine/planted/key"]
)
@pytest.mark.parametrize("verb", ["cp", "screen", "export", "folder"])
def test_nothing_is_written_through_a_link_of_another_sessions_agent(
    crowd: Account, target: str, verb: str
) -> None:
    if not (work(crowd) / "mine").is_symlink():
        (work(crowd) / "mine").symlink_to("pb")
        plant(crowd, "b", "ln -s ../private planted")
    file = f"{work(crowd)}/{target}" + ("evil" if target.endswith("/") else "")
    before = sorted((work(crowd) / "private").iterdir())
    done = {
        "cp": lambda: crowd.run("cp", "a:~/evil", f"{work(crowd)}/{target}"),
        "folder": lambda: crowd.run("cp", "a:~/d/.", f"{work(crowd)}/{target.removesuffix('key')}"),
        "screen": lambda: crowd.run("screen", "a", "--svg", f"{file}.svg"),
        "export": lambda: crowd.run("export", "a", f"{file}.tar.zst"),
    }[verb]()
    assert done.code in {3, 5}, done
    assert sorted((work(crowd) / "private").iterdir()) == before
    assert (work(crowd) / "private" / "key").read_text() == SECRET


def test_a_link_in_a_project_that_stays_there_is_copied_in_as_usual(crowd: Account) -> None:
    plant(crowd, "b", "echo words > AGENTS.md; ln -s AGENTS.md CLAUDE.md")
    crowd.ok("cp", work(crowd) / "pb" / "CLAUDE.md", "a:~/got.md")
    assert attacks.run(crowd, ["cat", "/home/agent/got.md"], session="a").out == "words\n"


def test_a_copy_into_a_stopped_session_goes_where_its_project_was(crowd: Account) -> None:
    """Another session's agent has put a link in the place of a stopped session's project."""
    inner = work(crowd) / "pb" / "packages" / "x"
    inner.mkdir(parents=True)
    crowd.ok("start", "-d", "-a", "shell", "-n", "inner", inner)
    crowd.ok("stop", "inner")
    plant(crowd, "b", "cd packages; mv x y; ln -s ../../private x")
    before = sorted((work(crowd) / "private").iterdir())
    (work(crowd) / "authorized").write_text("evil")
    into = crowd.run("cp", work(crowd) / "authorized", "inner:authorized")
    assert into.code == 7, into
    out = crowd.run("cp", "inner:key", work(crowd) / "got")
    assert out.code == 7, out
    assert sorted((work(crowd) / "private").iterdir()) == before
    assert not (work(crowd) / "got").exists()
    plant(crowd, "b", "cd packages; rm x; mv y x")
    crowd.ok("cp", work(crowd) / "authorized", "inner:authorized")
    assert (inner / "authorized").read_text() == "evil"
