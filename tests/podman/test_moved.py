"""A project that is not where it was, the umask and /dev/shm: what a session takes over from where it is."""

import json
import subprocess
from pathlib import Path

from tests.account import Account


def test_a_moved_project_keeps_its_session_and_every_hint_names_the_way(account: Account) -> None:
    old, new = account.project(note="here"), account.home / "projects" / "elsewhere"
    account.ok("start", "-d", "-a", "shell", "-n", "m", old)
    account.inside("m", "sh", "-c", "echo kept >~/talk")
    account.ok("stop", "m")
    old.rename(new)

    for words in (["restart", "-d", "m"], ["start", "-d", "-n", "m"], ["update", "m"]):
        refused = account.run(*words, cwd=account.home)
        assert (refused.code, f"move m {old} NEW-PATH" in refused.err) == (7, True), refused
    refused = account.run("start", "-d", "-n", "m", new)
    assert f"move m {old} {new}" in refused.err, refused
    assert f"move m {old} NEW-PATH" in account.run("doctor").out
    old.symlink_to(new)
    refused = account.run("restart", "-d", "m")
    assert (refused.code, f"move m {old} {new}" in refused.err) == (7, True), refused
    assert f"move m {old} {new}" in account.run("doctor").out

    assert account.ok("move", "m", old, new) == "m\n"
    account.ok("restart", "-d", "m")
    assert account.inside("m", "sh", "-c", "cat ~/talk /workspace/app/note") == "kept\nhere"
    (found,) = json.loads(account.ok("ls", "--json"))
    assert [one["source"] for one in found["projects"]] == [str(new)]
    assert account.run("move", "m", new, old).code == 5  # it runs
    account.ok("stop", "m")
    assert account.run("move", "m", "nothing", new).code == 4
    assert account.run("move", "m", new, account.home / ".ssh").code == 2


def test_a_session_has_the_users_umask_and_room_in_shared_memory(account: Account) -> None:
    project = account.project()
    launcher = ["sh", "-c", 'umask 002 && exec "$@"', "-"]
    with account.window_of(
        *launcher, Path("agent-session"), "start", "-d", "-a", "shell", cwd=project
    ) as window:
        assert window.wait_for_end() == 0
    assert (
        account.ok("exec", "default", "--", "sh", "-c", "umask; touch made; mkdir made.d").strip() == "0002"
    )
    assert oct((project / "made").stat().st_mode)[-3:] == "664"
    account.ok("send", "default", "touch typed")
    account.wait_for(project / "typed")
    assert oct((project / "typed").stat().st_mode)[-3:] == "664"
    assert account.inside("default", "df", "-m", "--output=size", "/dev/shm").split()[-1] == "1024"
    account.ok("stop")
    account.ok("start", "-d", "--shm-size", "128m", cwd=project)
    assert account.inside("default", "df", "-m", "--output=size", "/dev/shm").split()[-1] == "128"
    assert account.run("start", "-d", "-n", "other", "--shm-size", "tiny").code == 2


def test_a_directory_of_a_group_is_worked_in_or_refused_in_one_line(account: Account) -> None:
    shared = account.project("shared")
    subprocess.run(["git", "init", "-q", shared], check=True)
    account.podman("unshare", "chown", "-R", "7:0", str(shared))  # somebody else's, of the user's own group
    account.podman("unshare", "chmod", "-R", "g+rwxs", str(shared))
    for mode in ("review", "strict"):
        account.ok("start", "-d", "-a", "shell", "-n", mode, "--protect", mode, shared)
        account.ok("exec", mode, "--", "touch", f"/workspace/shared/{mode}")
        account.ok("stop", mode)
    assert {"review", "strict"} <= {path.name for path in shared.iterdir()}
    site = account.project("site")
    subprocess.run(["git", "init", "-q", site], check=True)
    account.podman("unshare", "chown", "root:7", str(site))
    site.chmod(0o2750)
    account.ok("start", "-d", "-a", "shell", "-n", "site", site)  # a group that is known in containers
