"""What a session's seccomp profile takes from the agent, tried by a program that plays it,
one system call after the other.
"""

import errno
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account
from tests.security import attacks


@pytest.fixture(
    params=[pytest.param("", marks=pytest.mark.podman), pytest.param("root's", marks=pytest.mark.rootful)]
)
def project(account: Account) -> Iterator[Path]:
    """A project with the program in it."""
    project = account.project()
    attacks.place("walls.c", project)
    (project / "made").mkdir()
    yield project
    account.ok("stop")


def with_set_id_bits(folder: Path) -> list[str]:
    """The files that have one of those bits."""
    return sorted(
        path.name for path in folder.iterdir() if path.lstat().st_mode & (stat.S_ISUID | stat.S_ISGID)
    )


def tried(account: Account) -> dict[str, int]:
    return attacks.errors(attacks.run(account, ["/workspace/app/walls", "/workspace/app/made"]).out)


def test_no_namespace_no_mount_no_keyring_and_no_setuid_file_can_be_made(
    account: Account, project: Path
) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=project)
    results = tried(account)
    assert len(results) > 40
    plain = {name: code for name, code in results.items() if name.startswith("plain-")}
    assert set(plain.values()) == {0}, plain
    refused = results.items() - plain.items()
    assert {name: code for name, code in refused if code in {0, -1}} == {}
    allowed_errors = {errno.EPERM, errno.ENOSYS, errno.EINVAL}
    assert {name: code for name, code in refused if code not in allowed_errors} == {}
    assert with_set_id_bits(project / "made") == []
    assert results["chmod"] == errno.EPERM
    assert results["clone3-user"] == errno.ENOSYS


def test_user_namespaces_come_back_by_a_switch_and_setuid_files_do_not(
    account: Account, project: Path
) -> None:
    done = account.run("start", "-d", "-a", "shell", "--allow-user-namespaces", cwd=project)
    assert done.code == 0, done
    assert "the agent can change the protected paths" in done.err
    results = tried(account)
    assert {name for name in ("unshare-user", "clone-user", "clone3-user") if results[name]} == set()
    assert with_set_id_bits(project / "made") == []
    assert '"allow_user_namespaces": true' in account.ok("ls", "--json")
    assert "user namespaces allowed" in account.ok("status", "--explain")


def test_setuid_files_come_back_by_a_switch_and_user_namespaces_do_not(
    account: Account, project: Path
) -> None:
    done = account.run("start", "-d", "-a", "shell", "--allow-setuid", cwd=project)
    assert "other users of this machine can act as you" in done.err
    results = tried(account)
    assert results["chmod"] == 0
    assert "chmod" in with_set_id_bits(project / "made")
    assert {
        name for name in results if name.startswith(("unshare-user", "clone-user")) and not results[name]
    } == set()


@pytest.mark.podman
def test_a_protected_path_is_not_replaced_behind_the_mounts(account: Account) -> None:
    project = account.project()
    subprocess.run(["git", "init", "-q"], cwd=project, check=True, env=account.environment)
    (project / ".envrc").write_text("the user's\n")
    attacks.place("without_mounts.py", project)
    (project / "evil").write_text('[core]\n\tfsmonitor = "touch pwned"\n')
    before = (project / ".git" / "config").read_text()
    account.ok("start", "-d", "-a", "shell", "--protect", "strict", cwd=project)
    for folder, name in (("/workspace/app/.git", "config"), ("/workspace/app", ".envrc")):
        program = ["python3", "/workspace/app/without_mounts.py", folder, name, "/workspace/app/evil"]
        done = attacks.run(account, program)
        assert done.out.count(":") >= 4, done
        assert "replaced" not in done.out, done.out
    account.ok("stop")
    assert (project / ".git" / "config").read_text() == before
    assert (project / ".envrc").read_text() == "the user's\n"


@pytest.mark.podman
def test_the_equivalent_commands_name_the_same_profile(account: Account) -> None:
    told = account.ok("start", "-a", "shell", "--dry-run", cwd=account.project())
    profile = next(word for word in told.split() if "seccomp=" in word)
    assert Path(profile.split("seccomp=")[1].strip("'\"")).name == "session.json"


@pytest.mark.podman
def test_usual_tools_work_without_what_is_taken(account: Account) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", cwd=project)
    for script in (
        (
            'node -e \'new (require("worker_threads").Worker)("1", {eval: '
            'true}).on("exit", () => console.log("done"))\''
        ),
        (
            "python3 -c 'import threading, multiprocessing as m; "
            "t = threading.Thread(target=print, args=(1,)); t.start(); t.join()'"
        ),
        "python3 -m venv v && v/bin/python -c 1",
        (
            "mkdir t && echo x > t/f && chmod 1777 t && tar -cpf t.tar t && "
            "rm -r t && tar -xpf t.tar && cp -a t u"
        ),
        "install -m 755 /bin/true true && ./true",
        (
            "git init -q r && cd r && "
            "git -c user.name=x -c user.email=x@example.org commit -q --allow-empty -m x && git gc -q"
        ),
        "ssh -V && ssh-keygen -q -t ed25519 -N '' -f key",
        "npm --version && echo 'int main(){return 0;}' > m.c && gcc m.c -o m && ./m",
    ):
        done = attacks.run(account, ["sh", "-ec", f"cd $(mktemp -d); {script}"])
        assert done.code == 0, (script, done)
    account.ok("stop")
