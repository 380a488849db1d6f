"""Which directories an agent gets to see, and under which names."""

import itertools
import os
import shlex
from pathlib import Path

import pytest

from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.private_directories import PROGRAM_DIRECTORIES, SECRET_DIRECTORIES
from agent_session.workspace.projects import resolve_mounts, resolve_projects


def targets(*paths: Path, home: Path) -> dict[str, str]:
    return {str(p.source): str(p.target) for p in resolve_projects(paths, home=home, allow_secrets=False)}


def refusal(path: str | Path, home: Path, *, allow_secrets: bool = False) -> ProjectRefused:
    with pytest.raises(ProjectRefused) as caught:
        resolve_projects([path], home=home, allow_secrets=allow_secrets)
    return caught.value


def folder(*parts: str | Path) -> Path:
    path = Path(*parts)
    path.mkdir(parents=True)
    return path


def test_a_project_is_seen_in_the_workspace_under_its_own_name(home: Path) -> None:
    project = folder(home, "app")
    assert targets(project, home=home) == {str(project): "/workspace/app"}


@pytest.mark.parametrize(
    "name", ["two words", "größe", "项目", "a:b", "a,b", "-dash", "it's", "$HOME", "a=b", "[x]"]
)
def test_an_unusual_name_is_kept(home: Path, name: str) -> None:
    project = folder(home, name)
    assert targets(project, home=home) == {str(project): f"/workspace/{name}"}


def test_a_project_named_twice_is_mounted_once(home: Path) -> None:
    project = folder(home, "app")
    (home / "link").symlink_to(project)
    assert targets(project, home / "app" / ".." / "app", home / "link", home=home) == {
        str(project): "/workspace/app"
    }


def test_a_symbolic_link_stands_for_the_directory_it_names(home: Path) -> None:
    project = folder(home, "real")
    (home / "alias").symlink_to(project)
    assert targets(home / "alias", home=home) == {str(project): "/workspace/real"}


def test_a_tilde_is_the_home_directory(home: Path) -> None:
    project = folder(home, "app")
    assert [p.source for p in resolve_projects(["~/app"], home=home, allow_secrets=False)] == [project]


def test_projects_of_the_same_name_get_their_parents_in_front(home: Path) -> None:
    one, other, third = folder(home, "client", "app"), folder(home, "server", "app"), folder(home, "tools")
    assert targets(one, other, third, home=home) == {
        str(one): "/workspace/client-app",
        str(other): "/workspace/server-app",
        str(third): "/workspace/tools",
    }


def test_targets_do_not_depend_on_the_order_that_projects_are_named_in(home: Path) -> None:
    paths = [
        folder(home, *parts)
        for parts in (("a", "x", "app"), ("b", "x", "app"), ("b", "x-app"), ("c", "app"), ("d",))
    ]
    seen = [targets(*order, home=home) for order in itertools.permutations(paths)]
    assert all(one == seen[0] for one in seen)
    assert len(set(seen[0].values())) == len(paths)


def test_projects_keep_the_order_they_were_named_in(home: Path) -> None:
    b, a = folder(home, "b"), folder(home, "a")
    assert [p.source for p in resolve_projects([b, a], home=home, allow_secrets=False)] == [b, a]


def test_a_missing_directory_is_refused_with_the_one_that_was_perhaps_meant_quoted(home: Path) -> None:
    there = folder(home, 'it\'s $HOME "quoted"')
    error = refusal(home / 'its $HOME "quoted"', home)
    assert "there is no such directory" in error.message
    assert shlex.split(error.hint) == ["agent-session", "start", str(there)]


def test_a_file_is_refused_with_its_directory_as_the_way_on(home: Path) -> None:
    project = folder(home, "a b")
    (project / "file").touch()
    error = refusal(project / "file", home)
    assert "not a directory" in error.message
    assert shlex.split(error.hint) == ["agent-session", "start", str(project)]


def test_a_link_to_nowhere_is_refused(home: Path) -> None:
    (home / "dangling").symlink_to(home / "gone")
    assert "there is no such directory" in refusal(home / "dangling", home).message


def test_a_link_to_itself_is_refused(home: Path) -> None:
    (home / "loop").symlink_to(home / "loop")
    assert "cannot be looked at" in refusal(home / "loop", home).message


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/", "whole machine"), ("/proc", "system"), ("/sys/kernel", "system"), ("/dev", "system")],
)
def test_what_belongs_to_the_machine_is_refused(home: Path, path: str, reason: str) -> None:
    assert reason in refusal(path, home).message
    assert reason in refusal(path, home, allow_secrets=True).message


def test_sockets_of_the_host_are_refused(home: Path) -> None:
    assert "system" in refusal("/run", home).message


def test_the_home_directory_is_refused_whatever_one_insists_on(home: Path) -> None:
    assert "it is your home directory" in refusal(home, home).message
    assert "it is your home directory" in refusal("~", home, allow_secrets=True).message


def test_a_link_to_the_home_directory_is_the_home_directory(home: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(home)
    assert "it is your home directory" in refusal(tmp_path / "link", home).message
    assert "it is your home directory" in refusal(home, tmp_path / "link").message


def test_what_is_above_the_home_directory_is_refused(home: Path) -> None:
    assert "your home directory is inside it" in refusal(home.parent, home).message


@pytest.mark.parametrize("name", SECRET_DIRECTORIES | PROGRAM_DIRECTORIES)
def test_a_directory_of_secrets_is_refused_with_the_flag_that_insists(home: Path, name: str) -> None:
    secret = folder(home, name)
    inside = folder(secret, "in side")
    for path in (secret, inside):
        error = refusal(path, home)
        assert f"~/{name}" in error.message
        assert shlex.split(error.hint) == ["agent-session", "start", "--allow-secret-directories", str(path)]
        assert resolve_projects([path], home=home, allow_secrets=True)[0].source == path


@pytest.mark.parametrize(
    "path",
    [
        "/proc/self/cwd/code",
        "//proc/self/cwd/code",
        "/tmp/../proc/self/cwd/code",
        "/proc/self/root{code}",
        "{home}/link",
        "{home}/relative",
        "{home}/twice/code",
        "{home}/link/../code",
    ],
)
def test_a_path_that_leads_through_a_system_directory_is_refused_wherever_it_ends(
    home: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    code = folder(home, "code")
    monkeypatch.chdir(home)
    (home / "link").symlink_to("/proc/self/cwd/code")
    (home / "relative").symlink_to("/".join([".."] * 30) + "/proc/self/cwd/code")
    (home / "cwd").symlink_to("/proc/self/cwd")
    (home / "twice").symlink_to("cwd")
    typed = path.format(home=home, code=code)
    assert Path(typed).is_dir(), "it does lead to a directory"
    assert "/proc belongs to the system" in refusal(typed, home).message


def test_links_that_go_round_are_refused_and_ordinary_links_are_not(home: Path) -> None:
    (home / "round").symlink_to("round")
    assert "cannot be looked at" in refusal(home / "round", home).message
    (home / "link").symlink_to(folder(home, "code"))
    assert targets(home / "link", home=home) == {str(home / "code"): "/workspace/code"}


@pytest.mark.parametrize("path", [".local", ".local/share", "Library"])
def test_a_parent_of_secrets_is_refused(home: Path, path: str) -> None:
    assert "--allow-secret-directories" in refusal(folder(home, path), home).hint


def test_secrets_behind_a_link_are_secrets(home: Path) -> None:
    vault = folder(home, "dotfiles", "ssh")
    (home / ".ssh").symlink_to(vault)
    assert "SSH keys" in refusal(vault, home).message
    assert "SSH keys" in refusal(home / "dotfiles", home).message


def test_a_directory_beside_secrets_is_fine(home: Path) -> None:
    project = folder(home, ".sshfs")
    assert targets(project, home=home) == {str(project): "/workspace/.sshfs"}


@pytest.mark.parametrize("name", ["new\nline", "bell\a", "escape\x1b[2J", "tab\t"])
def test_control_characters_are_refused(home: Path, name: str) -> None:
    error = refusal(folder(home, name), home)
    assert "control character" in error.message
    assert error.message.isprintable()


def test_control_characters_behind_a_link_are_refused(home: Path) -> None:
    (home / "nice").symlink_to(folder(home, "new\nline"))
    assert "control character" in refusal(home / "nice", home).message


def test_a_name_that_is_not_utf_8_is_refused(home: Path) -> None:
    path = os.fsdecode(bytes(home) + b"/caf\xe9")
    Path(path).mkdir()
    error = refusal(path, home)
    assert "not UTF-8" in error.message
    error.message.encode()


def test_a_real_path_that_is_not_utf_8_is_refused(home: Path) -> None:
    path = Path(os.fsdecode(bytes(home) + b"/caf\xe9"))
    path.mkdir()
    (home / "nice").symlink_to(path)
    refusal(home / "nice", home).message.encode()


def test_an_empty_path_is_refused(home: Path) -> None:
    assert "empty" in refusal("", home).message


def test_nobodys_home_is_refused(home: Path) -> None:
    assert "cannot be looked at" in refusal("~nobody-of-that-name/x", home).message


def test_a_directory_that_may_not_be_read_is_refused(ordinary_folder: Path) -> None:
    locked = folder(ordinary_folder, "locked")
    inside = folder(locked, "inside")
    locked.chmod(0)
    assert "you may not read it" in refusal(locked, Path("/nonexistent/home")).message
    assert "cannot be looked at: Permission denied" in refusal(inside, Path("/nonexistent/home")).message


def test_a_mount_keeps_its_path_links_and_all(home: Path) -> None:
    real = folder(home, "real")
    (home / "alias").symlink_to(real)
    file = home / "notes.txt"
    file.touch()
    assert resolve_mounts([home / "alias", file, file], home=home, allow_secrets=False) == (
        home / "alias",
        file,
    )


@pytest.mark.parametrize("path", ["/usr/bin", "/etc", "/usr", "/run"])
def test_a_mount_that_would_hide_the_containers_own_is_refused(home: Path, path: str) -> None:
    with pytest.raises(ProjectRefused, match=r"hide|system"):
        resolve_mounts([path], home=home, allow_secrets=True)


def test_a_mount_above_the_agents_home_is_refused(home: Path) -> None:
    with pytest.raises(ProjectRefused, match="hide"):
        resolve_mounts(["/home"], home=home, allow_secrets=False)


def test_mounts_are_refused_like_projects(home: Path) -> None:
    folder(home, ".ssh")
    for path in ("~", "~/.ssh", "~/missing", "/"):
        with pytest.raises(ProjectRefused):
            resolve_mounts([path], home=home, allow_secrets=False)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("projects/webap", "projects/webapp"),
        ("project/webapp", "projects/webapp"),
        ("projets/wepapp/scr", "projects/webapp/src"),
        ("Projects/WebApp", "projects/webapp"),
    ],
)
def test_a_typing_error_gets_the_directory_that_was_perhaps_meant(home: Path, typed: str, meant: str) -> None:
    folder(home, "projects", "webapp", "src")
    folder(home, "projects", "api")
    assert refusal(home / typed, home).hint == f"agent-session start {home / meant}"


def test_a_path_that_is_like_nothing_gets_no_directory_and_no_mkdir(home: Path) -> None:
    folder(home, "projects", "webapp")
    refused = refusal(home / "quite-something-else", home)
    assert "there is no such directory" in refused.message
    assert str(home) not in refused.hint
    assert "mkdir" not in refused.hint


@pytest.mark.parametrize("suffix", ["rw", "z", "Z,ro"])
def test_a_mounts_suffix_is_told_what_there_is_in_its_place(home: Path, suffix: str) -> None:
    app = folder(home, "app")
    refused = refusal(f"{app}:{suffix}", home)
    assert f":{suffix} is not known" in refused.message
    assert refused.hint == f"agent-session start {app}, or: agent-session start {app}:ro"


def test_a_project_is_read_only_where_that_is_typed(home: Path) -> None:
    app, api = folder(home, "app"), folder(home, "api")
    found = resolve_projects([f"{app}:ro", api, app], home=home, allow_secrets=False)
    assert [(one.source, str(one.target), one.read_only) for one in found] == [
        (app, "/workspace/app", True),
        (api, "/workspace/api", False),
    ]
    assert list(map(str, found)) == [f"{app}:ro", str(api)]


def test_a_directory_whose_name_ends_so_is_itself(home: Path) -> None:
    odd = folder(home, "app:ro")
    folder(home, "app")
    (found,) = resolve_projects([odd], home=home, allow_secrets=False)
    assert (found.source, found.read_only) == (odd, False)


def test_a_read_only_project_is_refused_as_any_other(home: Path) -> None:
    folder(home, ".ssh")
    folder(home, "projects", "webapp")
    assert "your SSH keys are there" in refusal(f"{home}/.ssh:ro", home).message
    assert "no such directory" in refusal(f"{home}/projects/webap:ro", home).message
