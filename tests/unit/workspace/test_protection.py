"""What is protected, as data: which mounts a tree gets, and what placeholders do to the host."""

import os
import subprocess
import time
from pathlib import Path, PurePosixPath

import pytest

from agent_session.engine.container import Mount
from agent_session.workspace import placeholders, protected_paths, protection, repositories, scan
from agent_session.workspace.errors import CannotProtect, NothingProtected, TooManyRepositories
from agent_session.workspace.mount_plan import MountPlan, Place
from agent_session.workspace.placeholders import Placeholder
from agent_session.workspace.projects import Project
from agent_session.workspace.protected_paths import Entry

TARGET = PurePosixPath("/workspace/app")


def git(directory: Path, *arguments: str) -> str:
    identity = [word for key in ("name", "email") for word in ("-c", f"user.{key}=x")]
    command = ["git", *identity, "-c", "protocol.file.allow=always", *arguments]
    return subprocess.run(command, cwd=directory, check=True, capture_output=True, text=True).stdout


def repository(path: Path) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "-b", "main")
    git(path, "commit", "--quiet", "--allow-empty", "-m", "one")
    return path


@pytest.fixture
def app(tmp_path: Path) -> Path:
    return repository(tmp_path / "app")


def protect(
    *trees: Path, unprotected: tuple[str, ...] = (), mode: str = "strict", insisted: bool = True
) -> protection.Protection:
    return scan.protect(
        [Project(source=tree, target=PurePosixPath("/workspace") / tree.name) for tree in trees],
        unprotected,
        mode=mode,
        insisted=insisted,
    )


def mounts(found: protection.Protection) -> dict[str, str]:
    """Targets below /workspace/app, and rw, ro or tmpfs."""
    return {str(m.target).removeprefix("/workspace/app/"): how(m) for m in found.mounts}


def how(mount: Mount) -> str:
    return "tmpfs" if mount.kind == "tmpfs" else "ro" if mount.read_only else "rw"


def test_a_directory_that_only_another_session_holds_is_held_again_and_not_looked_into(app: Path) -> None:
    first = protect(app)
    with placeholders.made(first.placeholders):
        second = protect(app)
    assert set(second.placeholders) == set(first.placeholders)
    placeholders.clear(first.placeholders, second.placeholders)
    assert (app / ".cargo").is_dir()
    placeholders.clear(second.placeholders, [])
    assert sorted(path.name for path in app.iterdir()) == [".git"]


def test_every_line_of_the_list_says_why() -> None:
    lines = [*protected_paths.entries("git"), *protected_paths.entries("repository")]
    assert all(len(line.why) > 10 and line.kind in {"file", "directory"} for line in lines)
    assert all(line.when in protected_paths.WHEN for line in lines)
    assert len(lines) > 100
    assert len({line.path for line in lines}) == len(lines)


def test_all_of_the_list_is_mounted_whether_it_exists_or_not(app: Path) -> None:
    (app / ".vscode").mkdir()
    found = mounts(protect(app))
    for line in protected_paths.entries("repository"):
        if line.pattern or not line.strict:
            continue
        held = line.path.split("/")[0]  # where its directory is missing, that one
        assert found[held] == ("tmpfs" if line.refuses or held == ".opencode" else "ro")
    for line in protected_paths.entries("git"):
        usage = {"read-only": "ro", "writable": "rw", "own": "tmpfs"}[line.inside]
        assert found[f".git/{line.path}"] == usage
    assert found["/run/agent-session/host/workspace/app/.git/hooks"] == "ro"
    assert found[".git"] == "rw"


def test_every_directory_on_the_way_is_a_mount_point(app: Path) -> None:
    repository(app / "a" / "b" / "c")
    found = mounts(protect(app))
    assert [found[path] for path in ("a", "a/b", "a/b/c", "a/b/c/.git", "a/b/c/.git/hooks")] == [
        "rw",
        "rw",
        "rw",
        "rw",
        "tmpfs",
    ]


def test_submodules_at_any_depth_are_protected_and_can_be_worked_in(app: Path, tmp_path: Path) -> None:
    inner, outer = repository(tmp_path / "inner"), repository(tmp_path / "outer")
    git(outer, "submodule", "add", "--quiet", str(inner), "in")
    git(outer, "commit", "--quiet", "-m", "in")
    git(app, "submodule", "add", "--quiet", str(outer), "deep/out")
    git(app, "submodule", "update", "--quiet", "--init", "--recursive")
    found = mounts(protect(app))
    assert found[".git/modules"] == "rw"
    assert found[".git/modules/deep/out"] == found[".git/modules/deep/out/modules/in"] == "rw"
    assert found[".git/modules/deep/out/modules/in/config"] == "ro"
    assert found["deep/out/in/.git"] == "ro"


def test_a_worktree_finds_its_main_repository_where_its_pointer_says(app: Path, tmp_path: Path) -> None:
    tree, other = tmp_path / "tree", tmp_path / "other"
    for path in (tree, other):
        git(app, "worktree", "add", "--quiet", str(path))
    found = {str(m.target): how(m) for m in protect(tree).mounts}
    main = str(app / ".git")
    assert (found[main], found[f"{main}/config"], found[f"{main}/worktrees"]) == ("rw", "ro", "rw")
    for name in ("tree", "other"):  # git on the host obeys either, whether it is a project or not
        assert found[f"{main}/worktrees/{name}"] == "rw"
        for part in ("commondir", "gitdir", "config.worktree"):
            assert found[f"{main}/worktrees/{name}/{part}"] == "ro"
    assert found["/workspace/tree/.git"] == "ro"


def test_what_config_names_in_the_git_directory_is_held(app: Path) -> None:
    (app / ".git" / "branchless" / "hooks").mkdir(parents=True)
    (app / ".git" / "branchless" / "config").write_text("")
    git(app, "config", "include.path", "branchless/config")
    git(app, "config", "core.hooksPath", ".git/branchless/hooks")
    found = mounts(protect(app, mode="review"))
    assert found[".git/branchless"] == "rw"
    assert found[".git/branchless/config"] == found[".git/branchless/hooks"] == "ro"


def test_a_worktree_that_a_session_made_can_be_removed_there(app: Path, tmp_path: Path) -> None:
    git(app, "worktree", "add", "--quiet", str(tmp_path / "own"))
    (app / ".git" / "worktrees" / "own" / "gitdir").write_text("/workspace/own/.git\n")
    assert ".git/worktrees/own" not in mounts(protect(app))


@pytest.mark.parametrize("pointer", ["../victim/.git", "../victim/.git/worktrees/tree", "/etc"])
def test_a_pointer_is_not_believed_by_itself(app: Path, tmp_path: Path, pointer: str) -> None:
    victim = repository(tmp_path / "victim")
    git(victim, "worktree", "add", "--quiet", str(tmp_path / "tree"))
    (app / "planted").mkdir()
    (app / "planted" / ".git").write_text(
        f"gitdir: ../{pointer}\n" if pointer.startswith(".") else f"gitdir: {pointer}\n"
    )
    found = protect(app)
    assert all(Path(m.source).is_relative_to(app) for m in found.mounts if m.kind == "bind")
    assert "does not know of it and is not mounted" in found.notes[0]
    assert "AGENT_SESSION_KOB" not in found.notes[0]


def test_a_bare_repository_is_read_only_but_for_its_data(app: Path) -> None:
    git(app, "clone", "--quiet", "--bare", ".", "bare.git")
    found = mounts(protect(app))
    assert (found["bare.git"], found["bare.git/objects"], found["bare.git/refs"]) == ("ro", "rw", "rw")
    assert "bare.git/commondir" not in found


def test_what_git_config_names_in_the_tree_is_protected(app: Path) -> None:
    (app / "tools" / "hooks").mkdir(parents=True)
    (app / "tools" / "clean.sh").touch()
    (app / "team.gitconfig").touch()
    git(app, "config", "core.hooksPath", "tools/hooks")
    git(app, "config", "filter.x.clean", "sh 'tools/clean.sh' %f")
    git(app, "config", "include.path", "../team.gitconfig")
    git(app, "config", "core.excludesFile", "ignored")
    found = mounts(protect(app))
    assert (found["tools"], found["tools/hooks"], found["tools/clean.sh"], found["team.gitconfig"]) == (
        "rw",
        "ro",
        "ro",
        "ro",
    )
    assert "ignored" not in found


def test_a_directory_that_is_no_repository_may_become_one_unless_it_is_strictly_protected(
    tmp_path: Path,
) -> None:
    (tmp_path / "app").mkdir()
    strict = mounts(protect(tmp_path / "app"))
    assert (strict[".git"], strict["HEAD"], strict[".vscode"]) == ("ro", "ro", "ro")
    assert mounts(protect(tmp_path / "app", mode="review")) == {}


@pytest.mark.parametrize("mode", ["review", "off"])
def test_nothing_in_the_working_tree_is_masked_unless_strictly(app: Path, mode: str) -> None:
    (app / "tools").mkdir()
    (app / "tools" / "clean.sh").touch()
    git(app, "config", "filter.x.clean", "sh 'tools/clean.sh' %f")
    found = protect(app, mode=mode)
    assert {path.partition("/")[0] for path in mounts(found) if not path.startswith("/run/")} == {".git"}
    assert all(".git" in placeholder.path.parts for placeholder in found.placeholders)
    (watched,) = found.watched
    assert (watched.roots, watched.named) == ((".",), (("tools/clean.sh", "filter.x.clean"),))


def test_a_file_in_two_projects_is_guarded_by_both_ways_in_strict_mode(app: Path) -> None:
    (app / "pkg").mkdir()
    both = [app, app / "pkg"]
    targets = {str(m.target) for m in protect(*both).mounts if m.read_only}
    assert {"/workspace/app/pkg/.vscode", "/workspace/pkg/.vscode"} <= targets
    assert [one.roots for one in protect(*both, mode="review").watched] == [(".", "pkg"), (".",)]


def test_a_path_in_a_directory_that_is_missing_is_held_by_that_directory(app: Path) -> None:
    deep = Entry(path="deep/er/hooks", kind="directory", why="a test")
    plan = MountPlan(mode="strict", opted_out=())
    top = Place(source=app, target=TARGET, name=".")
    plan.guard(top, top.below(deep.path), deep)
    assert {str(target): mount.read_only for target, mount in plan.mounts.items()} == {f"{TARGET}/deep": True}


def test_a_directory_inside_a_repository_may_not_become_one(app: Path) -> None:
    (app / "part").mkdir()
    found = protect(app / "part")
    assert PurePosixPath("/workspace/part/.git") in {m.target for m in found.mounts if m.read_only}
    (json,) = [p for p in found.placeholders if p.path.name == "opencode.json"]
    assert (json.exclude, json.pattern) == (app / ".git/info/exclude", "/part/opencode.json")


@pytest.mark.parametrize("path", [".vscode", ".git", ".git/config", ".git/hooks"])
def test_a_link_cannot_be_protected_and_is_refused_until_it_is_opted_out(app: Path, path: str) -> None:
    subprocess.run(["rm", "-rf", app / f"{path}.kept"], check=True)
    if (app / path).exists():
        (app / path).rename(app / f"{path}.kept")
    (app / path).symlink_to(f"{Path(path).name}.kept")
    with pytest.raises(CannotProtect) as refused:
        protect(app)
    assert f"--unprotected {path}" in refused.value.hint
    protect(app, unprotected=(path,))


def test_single_paths_are_opted_out(app: Path) -> None:
    repository(app / "in")
    found = protect(app, unprotected=(".vscode/", "in/.git", "./.git/hooks"))
    assert not mounts(found).keys() & {".vscode", "in/.git", "in/.git/config", ".git/hooks"}
    assert mounts(found)["in/.vscode"] == "ro"
    assert [str(path) for path in found.git] == ["/workspace/app/.git"]
    assert found.digest != protect(app).digest


def test_an_unknown_path_is_told_with_all_that_are_known(app: Path) -> None:
    with pytest.raises(NothingProtected) as refused:
        protect(app, unprotected=("src",))
    assert ".vscode" in refused.value.message
    protect(app, unprotected=("src",), insisted=False)


def test_links_out_of_the_tree_are_not_followed(app: Path, tmp_path: Path) -> None:
    repository(tmp_path / "secret")
    (app / "link").symlink_to(tmp_path / "secret")
    assert repositories.find(app).roots == (app,)


def test_a_tree_of_ten_thousand_files_is_looked_at_whole(app: Path) -> None:
    for number in range(100):
        (app / f"d{number}").mkdir()
        for file in range(100):
            (app / f"d{number}" / str(file)).touch()
    assert repositories.find(app).complete


def test_an_endless_tree_is_not_looked_at_for_ever(app: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repositories, "ENTRIES", 50)
    for number in range(100):
        (app / f"d{number}" / "x").mkdir(parents=True)
    assert "very large" in protect(app).notes[0]


def test_the_label_gives_back_what_it_was_made_of(app: Path) -> None:
    found = protect(app)
    assert protection.read_label(found.label()) == (found.digest, found.placeholders)
    assert protection.read_label("[]") == protection.read_label('{"digest": 1}') == ("", ())


def test_placeholders_do_not_change_the_digest(app: Path) -> None:
    before = protect(app)
    (app / ".vscode").mkdir()
    assert protect(app).digest == before.digest


def listing(top: Path) -> dict[str, tuple[str, int]]:
    return {
        str(path.relative_to(top)): (
            path.read_text(errors="replace") if path.is_file() else "",
            path.stat().st_mtime_ns if ".git" not in path.parts else 0,
        )
        for path in top.rglob("*")
        if path.name != "info"
    }


@pytest.mark.parametrize("exclude", ["", "*.log", "*.log\n", None, "no directory"])
def test_placeholders_come_and_go_without_a_trace(app: Path, exclude: str | None) -> None:
    file = app / ".git" / "info" / "exclude"
    file.unlink(missing_ok=True)
    if exclude == "no directory":
        file.parent.rmdir()
    elif exclude is not None:
        file.write_text(exclude)
    before = listing(app)
    made = protect(app).placeholders
    with placeholders.made(made):
        assert (app / ".idea").is_dir()
        assert (app / ".mcp.json").is_file()
        assert git(app, "status", "--short") == ""
    with placeholders.made(made):
        pass
    assert placeholders.any_left(made)
    placeholders.clear(made, needed=())
    assert listing(app) == before
    assert file.parent.exists() is (exclude != "no directory")


def test_what_another_session_needs_is_kept(app: Path) -> None:
    made = protect(app).placeholders
    with placeholders.made(made):
        pass
    needed = [p for p in made if p.path.name in {".mcp.json", ".idea"}]
    placeholders.clear(made, needed=needed)
    assert sorted(path.name for path in app.iterdir()) == [".git", ".idea", ".mcp.json"]
    assert git(app, "status", "--short") == ""
    placeholders.clear(needed, needed=())
    assert sorted(path.name for path in app.iterdir()) == [".git"]


def test_the_users_own_is_not_removed(app: Path) -> None:
    (app / ".idea").mkdir()
    (app / "opencode.json").write_text("{}")
    made = protect(app).placeholders
    with placeholders.made(made):
        (app / ".vscode" / "mine").touch()
        (app / ".mcp.json").write_text('{"mcpServers": {} }')
    placeholders.clear(made, needed=())
    assert sorted(path.name for path in app.iterdir()) == [
        ".git",
        ".idea",
        ".mcp.json",
        ".vscode",
        "opencode.json",
    ]


def test_nothing_is_written_through_a_link_of_the_agents(app: Path, tmp_path: Path) -> None:
    made = protect(app).placeholders
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "exclude").write_text("mine\n")
    (app / ".git" / "info" / "exclude").unlink()
    (app / ".git" / "info" / "exclude").symlink_to(outside / "exclude")
    placeholder = Placeholder(path=app / "link" / ".vscode")
    (app / "link").symlink_to(outside)
    with placeholders.made([*made, placeholder]):
        pass
    placeholders.clear([*made, placeholder], needed=())
    assert os.listdir(outside) == ["exclude"]  # noqa: PTH208
    assert (outside / "exclude").read_text() == "mine\n"


@pytest.mark.parametrize("line", [placeholders.BEGIN, placeholders.BEGIN + " (new file)", placeholders.END])
def test_an_exclude_file_full_of_our_own_words_makes_nobody_wait_and_loses_no_line(
    app: Path, line: str
) -> None:
    file = app / ".git" / "info" / "exclude"
    flood = f"*.log\n{line}\n" * (900_000 // (len(line) + 7)) + "mine\n"
    file.write_text(flood)
    found = protect(app)
    begun = time.monotonic()
    with placeholders.made(found.placeholders):
        assert "/.mcp.json\n" in file.read_text()
    placeholders.clear(found.placeholders, [])
    assert time.monotonic() - begun < 2
    assert file.read_text() == flood


def decoys(app: Path, count: int) -> None:
    for number in range(count):
        (app / f"a{number}" / ".git").mkdir(parents=True, exist_ok=True)


def test_decoys_do_not_take_protection_away_from_a_repository(app: Path) -> None:
    lib = repository(app / "packages" / "lib")
    decoys(app, 60)
    assert mounts(protect(app, mode="review"))["packages/lib/.git/config"] == "ro"
    decoys(app, 300)
    with pytest.raises(TooManyRepositories) as refused:
        protect(app, mode="review")
    assert refused.value.exit_code == 2
    assert "--unprotected a" in refused.value.hint
    assert lib.is_dir()


def test_what_was_protected_before_is_so_whatever_is_put_in_front_of_it(
    app: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(app / "deep" / "lib")
    (app / "link").symlink_to(app / "deep")
    monkeypatch.setattr(repositories, "ENTRIES", 3)
    project = Project(source=app, target=TARGET)
    known = {TARGET: [".", "deep/lib", "gone", "link/lib", "../other"]}
    found = scan.protect([project], mode="review", known=known)
    assert mounts(found)["deep/lib/.git/config"] == "ro"
    assert not [path for path in mounts(found) if path.startswith(("link", "gone", ".."))]
    assert "deep/lib/.git/config" not in mounts(scan.protect([project], mode="review"))


def test_a_repository_that_the_user_leaves_out_counts_for_nothing(app: Path) -> None:
    (app / "vendor").mkdir()
    decoys(app / "vendor", 300)
    assert protect(app, mode="review", unprotected=("vendor",)).notes == ()


def test_this_file_system_tells_case_apart(app: Path, tmp_path: Path) -> None:
    (app / "README").touch()
    os.link(app / "README", app / "readme")
    assert not scan.ignores_case(app)
    (tmp_path / "empty").mkdir()
    assert not scan.ignores_case(tmp_path / "empty")
