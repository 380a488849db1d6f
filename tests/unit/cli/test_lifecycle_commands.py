"""The verbs of a session's life beyond start and stop, on an engine in memory:
update, login, export, rm that loses nothing.
"""

import getpass
import json
import shlex
import shutil
import stat
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from agent_session import inside
from agent_session.agents.stored_login import login_secret
from agent_session.cli import questions
from agent_session.cli.commands import login as login_verb
from agent_session.cli.commands import rm
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import ContainerSpec
from agent_session.host import paths
from agent_session.sessions.labels import LABEL_NAME, LABEL_RUNS
from agent_session.sessions.names import importing_name, next_name, volume_names
from tests.unit.machine import Machine, terminal

TOKEN = "sk-ant-oat01-0123456789"
CLAUDE = """
title: Claude
environment: [ANTHROPIC_API_KEY, TOKEN]
credentials: [ANTHROPIC_API_KEY]
login:
  {command: [claude, setup-token], variable: TOKEN, pattern: "sk-ant-oat01-[a-z0-9]+",
  not_shared: ~/.claude/.credentials.json}
private: [.claude.json]
conversations: .claude/*.jsonl
package:
  version: CLAUDE_CODE
  names: {amd64: claude-x64, arm64: claude-arm64}
  integrities: {amd64: CLAUDE_X64, arm64: CLAUDE_ARM64}
"""
NOTHING = {"repositories": [], "files": [], "more_files": 0, "conversations": 0}


@pytest.fixture
def laptop(machine: Machine) -> Machine:
    """A machine whose Claude can log in and is a published package."""
    (machine.folder / "claude" / "agent.yaml").write_text(CLAUDE)
    (machine.folder / "claude" / "Containerfile").write_text(
        "ARG BASE\nARG CLAUDE_CODE\nARG CLAUDE_X64\nFROM ${BASE}\nRUN install\n"
    )
    (machine.folder / "versions.yaml").write_text('CLAUDE_CODE: "2.0.0"\nCLAUDE_X64: "sha512-old"\n')
    machine.ok("build", "claude")
    return machine


def one_offs(machine: Machine, answer: Callable[[OneOff, bytes], ExecResult]) -> None:
    machine.engine.one_offs = answer


def says(value: object, code: int = 0) -> Callable[[OneOff, bytes], ExecResult]:
    return lambda _one_off, _stdin: ExecResult(
        exit_code=code, stdout=json.dumps(value).encode(), stderr=b"npm: no network"
    )


def volume(machine: Machine, name: str) -> Path:
    path = machine.engine.files.volume_path(name)
    assert path
    return path


def change(machine: Machine, agent: str = "shell") -> None:
    with (machine.folder / agent / "Containerfile").open("a") as file:
        file.write("RUN true\n")


# --- update


def test_update_moves_what_is_old_and_says_what_is_not(machine: Machine) -> None:
    for name in ("a", "b"):
        machine.ok("start", "-d", "-a", "shell", "-n", name, "--auto-approve")
    machine.ok("stop", "b")
    before = machine.listed()
    ran = machine("update", "--all")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.count("is up to date") == 2
    change(machine)
    assert machine("update", "a").code == 8
    assert machine.listed() == before
    ran = machine("update", "--build", "a", "b")
    assert (ran.code, ran.out) == (0, "a\nb\n")
    assert "runs again, detached: agent-session attach a" in ran.err
    after = machine.listed()
    assert {session.pop("image") for session in after}.isdisjoint(
        {session.pop("image") for session in before}
    )
    # Of what was stopped there is another container, which never ran.
    before[1]["state"] |= {"since": None}  # type: ignore[operator]
    assert after == before
    assert [session["auto_approve"] for session in after] == [True, True]


def test_update_that_fails_leaves_the_session_as_it_was(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell")
    before = machine.listed()
    change(machine)
    machine.ok("build", "shell")
    machine.trouble.append(ExecResult(exit_code=1, stderr=b"no terminal"))
    assert machine("update").code == 9
    machine.trouble.clear()
    assert machine.listed() == before


def killed_update(machine: Machine, name: str) -> None:
    """As an update leaves a session that is killed between stopping what runs and starting what was made for
    it.
    """
    machine.ok("start", "-d", "-a", "shell", "-n", name)
    change(machine)
    machine.ok("build", "shell")
    container = machine.engine.container(f"agent_{name}")
    assert container
    labels = {**container.labels, LABEL_RUNS: "true"}
    spec = ContainerSpec(
        name=next_name(name),
        image=str(machine.listed()[0]["image"]),
        hostname="next",
        workdir=inside.HOME,
        labels=labels,
        environment={},
        mounts=(),
    )
    machine.engine.create(spec)
    machine.engine.stop(f"agent_{name}")


def test_update_brings_up_again_what_a_killed_one_had_stopped(machine: Machine) -> None:
    killed_update(machine, "a")
    assert [(session["status"], session["container"]) for session in machine.listed()] == [
        ("stopped", "agent_a")
    ]
    assert machine.ok("update", "a") == "a\n"
    assert [session["status"] for session in machine.listed()] == ["running"]
    assert machine.engine.container("agent-next_a") is None
    machine.ok("stop", "a")
    change(machine)
    machine.ok("update", "--build", "a")
    assert [session["status"] for session in machine.listed()] == ["stopped"]


def test_update_leaves_stopped_what_was_stopped_after_a_killed_one(machine: Machine) -> None:
    killed_update(machine, "a")
    machine.ok("stop", "a")
    machine.ok("update", "a")
    assert [session["status"] for session in machine.listed()] == ["stopped"]


def test_update_of_what_is_not_there_moves_nothing(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "a")
    change(machine)
    machine.ok("build", "shell")
    before = machine.listed()
    assert machine("update", "a", "missing").code == 4
    assert machine("update", "--all", "a").code == 2
    assert machine.listed() == before


# --- login and logout


def test_a_token_from_standard_input_is_kept_and_never_shown(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", _Lines(f"{TOKEN}\nmore\n"))
    ran = laptop("login", "--token-stdin")
    assert ran.code == 0
    secret = laptop.engine.secret_content(login_secret("claude"))
    assert json.loads(secret) == {"environment": {"TOKEN": TOKEN}}
    claude = json.loads(laptop.ok("agents", "--json"))[0]
    assert {
        "name": "TOKEN",
        "kind": "login",
        "source": "agent-session login claude",
        "found": True,
    } in claude["crosses"]
    everything = [
        ran,
        laptop("agents", "--json"),
        laptop("start", "-d"),
        laptop("ls", "--json"),
        laptop("agents"),
    ]
    assert not any(TOKEN in said.out + said.err for said in everything)
    container = laptop.engine.container("agent_default")
    assert container
    assert TOKEN not in json.dumps(dict(container.labels))


class _Lines:
    def __init__(self, text: str) -> None:
        self._lines = text.splitlines(keepends=True)

    def readline(self) -> str:
        return self._lines.pop(0)

    def isatty(self) -> bool:
        return False


def test_a_session_from_before_a_login_gets_it_at_its_next_start(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    laptop.ok("start", "-d")
    without = _container(laptop)
    monkeypatch.setattr("sys.stdin", _Lines(f"{TOKEN}\n"))
    assert (
        "agent-session stop default && agent-session restart default" in laptop("login", "--token-stdin").err
    )
    laptop.ok("start", "-d")
    assert _container(laptop) == without
    laptop.ok("stop")
    laptop.ok("start", "-d")
    with_login = _container(laptop)
    assert with_login != without
    laptop.ok("stop")
    laptop.ok("restart", "-d")
    assert _container(laptop) == with_login
    laptop.ok("stop")
    laptop.ok("logout")
    laptop.ok("start", "-d")
    assert _container(laptop) not in {with_login, without}
    assert "there is no stored login" in laptop("logout").err


def _container(machine: Machine) -> str:
    container = machine.engine.container("agent_default")
    assert container
    return container.id


def test_a_login_counts_where_readiness_is_told(laptop: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "no login for Claude: " in laptop("start", "-d", "-n", "a").err
    monkeypatch.setattr("sys.stdin", _Lines(f"{TOKEN}\n"))
    laptop.ok("login", "--token-stdin")
    assert "no login" not in laptop("start", "-d", "-n", "b").err
    assert laptop.ok("agents").splitlines()[1].split() == ["claude", "Claude", "built", "found"]


def test_a_login_that_cannot_be_copied_is_named_with_the_command(laptop: Machine, home: Path) -> None:
    (home / ".claude").mkdir()
    (home / ".claude" / ".credentials.json").write_text('{"claudeAiOauth": {"refreshToken": "rotates"}}')
    ran = laptop("start", "-d")
    assert "~/.claude/.credentials.json" in ran.err
    assert "agent-session login claude" in ran.err
    assert "rotates" not in ran.err


def test_login_without_a_terminal_or_a_way_says_what_to_do(laptop: Machine) -> None:
    ran = laptop("login")
    assert ran.code == 2
    assert "--token-stdin" in ran.err
    assert laptop("login", "shell").code == 2
    assert laptop("login", "nobody").code == 4


def test_login_on_a_terminal_takes_the_token_from_what_was_printed(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []

    def run(one_off: OneOff) -> int:
        assert "claude setup-token" in one_off.command
        folder = next(paths.runtime_folder().glob("login-*"))
        folders.append(folder)
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        (folder / "typescript").write_text(f"token:\r\n\r\n{TOKEN}\r\n\r\nStore it.\r\n")
        return 0

    monkeypatch.setattr(login_verb, "on_terminal", lambda: True)
    laptop.engine.on_terminal = run
    assert "Ctrl-C twice cancels the login\n" in laptop("login").err
    assert TOKEN.encode() in laptop.engine.secret_content(login_secret("claude"))
    assert not folders[0].exists()


def test_login_asks_for_a_token_that_cannot_be_made_out(
    laptop: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_verb, "on_terminal", lambda: True)
    monkeypatch.setattr(getpass, "getpass", lambda *_, **__: TOKEN)
    laptop.ok("login")
    laptop.engine.on_terminal = lambda _one_off: 130
    assert laptop("login").code == 1


def test_a_login_that_is_cancelled_stores_nothing(laptop: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(_one_off: OneOff) -> int:
        (next(paths.runtime_folder().glob("login-*")) / "typed").write_bytes(b"abc\x03\x03")
        return 137

    monkeypatch.setattr(login_verb, "on_terminal", lambda: True)
    laptop.engine.on_terminal = run
    ran = laptop("login")
    assert ran.code == 130
    assert "was cancelled; nothing is stored" in ran.err
    assert laptop.engine.secret_id(login_secret("claude")) is None
    assert not list(paths.runtime_folder().glob("login-*"))


# --- rm


@pytest.fixture
def stopped(laptop: Machine) -> Machine:
    laptop.ok("start", "-d", "-a", "shell")
    laptop.ok("stop")
    return laptop


def test_rm_by_force_of_nothing_to_lose_runs_no_container(stopped: Machine) -> None:
    (volume(stopped, "agent_default_home") / ".config").mkdir()
    (volume(stopped, "agent_default_workspace") / "app").mkdir()

    def never(_one_off: OneOff, _stdin: bytes) -> ExecResult:
        pytest.fail("a container was run")

    one_offs(stopped, never)
    stopped.ok("rm", "-f", "default")
    assert stopped.listed() == []
    assert stopped.engine.volume_labels("agent_default_workspace") is None


@pytest.mark.parametrize(
    ("where", "name"),
    [
        ("home", "code/.git/HEAD"),
        ("home", "bare/HEAD"),
        ("workspace", "notes.txt"),
        ("workspace", "app/.git"),
    ],
)
def test_rm_by_force_of_work_that_exists_nowhere_else_stops_and_names_the_two_ways_on(
    stopped: Machine, where: str, name: str
) -> None:
    file = volume(stopped, f"agent_default_{where}") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    for folder in ("objects", "refs"):
        (file.parent / folder).mkdir()
    work = {
        "repositories": [
            {
                "path": "/home/agent/code",
                "changes": 1,
                "stashes": 2,
                "branches": [{"name": "main", "commits": 3}],
                "problem": "",
            }
        ],
        "files": ["/workspace/notes.txt"],
        "more_files": 4,
        "conversations": 2,
    }
    one_offs(stopped, says(work))
    ran = stopped("rm", "-f", "default")
    assert ran.code == 5
    assert "/home/agent/code: 3 commits of main not pushed, 1 uncommitted change, 2 stashes" in ran.err
    assert "5 files in /workspace outside any project: /workspace/notes.txt and 4 more" in ran.err
    assert "agent-session rm -f --discard-work default" in ran.err
    assert "agent-session export default default.tar.zst" in ran.err
    assert stopped.status("default") == "stopped"
    one_offs(stopped, says(NOTHING | {"conversations": 7}))
    stopped.ok("rm", "-f", "default")
    assert stopped.listed() == []


def test_rm_discards_work_only_when_told_to(stopped: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    (volume(stopped, "agent_default_workspace") / "notes").touch()
    one_offs(stopped, says({}, code=1))
    ran = stopped("rm", "-f", "default")
    assert ran.code == 5
    assert "cannot be seen" in ran.err
    monkeypatch.setenv("AGENT_SESSION_DISCARD_WORK", "1")
    stopped.ok("rm", "-f", "default")
    assert stopped.listed() == []


def test_rm_shows_what_would_be_lost_before_it_asks(
    stopped: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rm, "on_terminal", lambda: True)
    monkeypatch.setattr(questions, "confirm", lambda _question, *, default: default)
    one_offs(stopped, says(NOTHING | {"files": ["/workspace/n"], "conversations": 1}))
    ran = stopped("rm", "default")
    assert ran.code == 1
    assert "1 file in /workspace outside any project: /workspace/n" in ran.err
    assert "1 conversation\n" in ran.err


def test_rm_of_one_with_work_removes_none(stopped: Machine) -> None:
    stopped.ok("start", "-d", "-a", "shell", "-n", "other")
    stopped.ok("stop", "other")
    (volume(stopped, "agent_other_workspace") / "notes").touch()
    one_offs(stopped, says(NOTHING | {"files": ["/workspace/notes"]}))
    assert stopped("rm", "-f", "default", "other").code == 5
    assert [session["name"] for session in stopped.listed()] == ["default", "other"]


# --- export and import


def packed(one_off: OneOff, stdin: bytes) -> ExecResult:
    """A container that packs or unpacks: its tar is one word."""
    if one_off.command[0].endswith("/pack"):
        return ExecResult(exit_code=0, stdout=b"left out: " + stdin)
    return ExecResult(exit_code=0)


@pytest.fixture
def saved(laptop: Machine, tmp_path: Path) -> Path:
    one_offs(laptop, packed)
    laptop.ok("start", "-d", "-a", "claude", "-n", "web", "--auto-approve")
    file = tmp_path / "web.tar.zst"
    ran = laptop("export", "web", str(file))
    assert (ran.code, ran.out) == (0, f"{file}\n")
    assert "~/.claude.json" in ran.err
    return file


def test_an_archive_is_private_whole_and_leaves_out_logins(saved: Path) -> None:
    assert stat.S_IMODE(saved.stat().st_mode) == 0o600
    assert b".claude.json" in saved.read_bytes()
    assert list(saved.parent.glob(".*")) == []


def test_an_export_that_fails_leaves_the_file_that_was_there(laptop: Machine, saved: Path) -> None:
    before = saved.read_bytes()
    one_offs(laptop, lambda *_: ExecResult(exit_code=2, stdout=b"half", stderr=b"tar: no"))
    assert laptop("export", "web", str(saved)).code == 7
    assert saved.read_bytes() == before
    assert list(saved.parent.glob(".*")) == []
    assert laptop("export", "web", str(saved.parent)).code == 2
    assert laptop("export", "web", str(saved.parent / "missing" / "x")).code == 2
    assert laptop("export", "nobody", str(saved)).code == 4


@pytest.mark.parametrize(
    "name", ["web.tgz", "web.tar", "web.tar.gz", "web.zip", "web", "web.zst", "my file.tar.xz"]
)
def test_an_archive_is_written_under_no_name_that_says_it_is_another_kind(
    laptop: Machine, saved: Path, name: str
) -> None:
    ran = laptop("export", "web", str(saved.parent / name))
    assert (ran.code, ran.out) == (2, "")
    assert "must end with .tar.zst" in ran.err
    hint = ran.err.splitlines()[-1].removeprefix("hint: agent-session ")
    assert shlex.split(hint)[-1].endswith(".tar.zst")
    laptop.ok(*shlex.split(hint))
    assert not (saved.parent / name).exists()


def test_a_file_that_is_no_archive_is_called_that(machine: Machine, tmp_path: Path) -> None:
    for content in (b"", b"# README\n", b"x" * 100, b"\x28\xb5\x2f\xfd" + b"x" * 100):
        file = tmp_path / "README.md"
        file.write_bytes(content)
        ran = machine("start", "--import", str(file))
        assert ran.code == 2
        assert f"cannot import '{file}': it is not an archive made by agent-session export\n" in ran.err


def test_an_archive_becomes_a_session_under_any_name(laptop: Machine, saved: Path) -> None:
    project = str(laptop.project)
    assert laptop("start", "-d", "--import", str(saved), project).code == 5  # web is there
    ran = laptop("start", "-d", "--import", str(saved), "-n", "again", project)
    assert (ran.code, ran.out) == (0, "again\n")
    assert "not taken over from the archive: auto_approve" in ran.err
    again, web = laptop.listed()
    assert (again["agent"], again["projects"], again["auto_approve"]) == (
        web["agent"],
        web["projects"],
        False,
    )
    laptop.ok("stop", "--all")
    laptop.ok("rm", "-f", "web")
    laptop.ok("start", "-d", "--import", str(saved), "--auto-approve", project)
    assert laptop.status("web") == "running"


def test_projects_that_are_not_here_are_refused_unless_others_are_given(laptop: Machine, saved: Path) -> None:
    elsewhere = laptop.directory("elsewhere")
    shutil.rmtree(laptop.project)
    ran = laptop("start", "-d", "--import", str(saved), "-n", "x")
    assert ran.code == 2
    assert str(laptop.project) in ran.err
    assert f"hint: agent-session start --import {saved} -n x PROJECT..." in ran.err
    laptop.ok("start", "-d", "--import", str(saved), "-n", "x", str(elsewhere))
    # Where it was in the container: there its conversations are about.
    assert laptop.listed()[1]["projects"] == [
        {"source": str(elsewhere), "target": "/workspace/app", "read_only": False}
    ]


def test_an_import_that_is_refused_leaves_nothing(laptop: Machine, saved: Path) -> None:
    one_offs(laptop, lambda *_: ExecResult(exit_code=3, stderr=b"refused: '../x' is outside a session"))
    ran = laptop("start", "-d", "--import", str(saved), "-n", "x", str(laptop.project))
    assert ran.code == 2
    assert "'../x' is outside a session" in ran.err
    assert laptop.engine.volume_labels("agent_x_home") is None
    one_offs(laptop, packed)
    laptop.trouble.append(ExecResult(exit_code=1))
    assert laptop("start", "-d", "--import", str(saved), "-n", "x", str(laptop.project)).code == 9
    assert laptop.engine.volume_labels("agent_x_home") is None


def manifest(**changes: object) -> bytes:
    said = {"format": 1, "name": "x", "agent": "shell", "projects": [], "options": {}} | changes
    content = json.dumps(said).encode()
    return struct.pack("<II", 0x184D2A5E, len(content)) + content


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x28\xb5\x2f\xfd",
        b"x" * 100,
        struct.pack("<II", 0x184D2A5E, 0xFFFFFFFF),
        struct.pack("<II", 0x184D2A5E, 100) + b"{",
        struct.pack("<II", 0x184D2A5E, 2) + b"[]",
        struct.pack("<II", 0x184D2A5E, 200_000) + b"[" * 200_000,
        manifest(format=2),
        manifest(agent=["shell"]),
        manifest(name="../x"),
        manifest(options=[]),
        manifest(projects=[{"source": "relative", "target": "/workspace/x"}]),
        manifest(projects=[{"source": "/tmp", "target": "/workspace/.."}]),
        manifest(projects=[{"source": "/tmp", "target": "/etc"}]),
        manifest(projects=[{"source": "/tmp", "target": "/workspace/a/b"}]),
        manifest(projects=[{"source": "/tmp"}]),
    ],
)
def test_what_is_no_archive_is_refused(machine: Machine, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "evil.tar.zst"
    file.write_bytes(content)
    ran = machine("start", "-d", "--import", str(file))
    assert ran.code == 2
    assert "cannot import" in ran.err
    assert machine.listed() == []


def test_an_archive_cannot_have_a_secret_directory_mounted(
    machine: Machine, tmp_path: Path, home: Path
) -> None:
    (home / ".ssh").mkdir()
    file = tmp_path / "evil.tar.zst"
    file.write_bytes(manifest(projects=[{"source": str(home / ".ssh"), "target": "/workspace/x"}]))
    assert machine("start", "-d", "--import", str(file)).code == 2
    assert machine.listed() == []


def written(tmp_path: Path, **changes: object) -> str:
    file = tmp_path / "evil.tar.zst"
    file.write_bytes(manifest(**changes))
    return str(file)


def entries(*sources: Path | str) -> list[dict[str, str]]:
    return [{"source": str(path), "target": f"/workspace/p{i}"} for i, path in enumerate(sources)]


def test_projects_of_an_archive_are_only_a_suggestion(machine: Machine, tmp_path: Path) -> None:
    private = machine.directory("pri vate")
    file = written(tmp_path, projects=entries(private))
    words = ("start", "-d", "--import", file, "--memory", "512m")
    assert machine(*words, "--dry-run").code == 2
    ran = machine(*words)
    assert (ran.code, ran.out) == (2, "")
    assert f"\n  {private}\n" in ran.err
    assert machine.listed() == []
    typed, without = (shlex.split(line[6:])[1:] for line in ran.err.splitlines()[-2:])
    assert typed == ["start", "--import", file, "-n", "x", "--memory", "512m", str(private)]
    machine.ok(*typed)
    assert machine.listed()[0]["projects"] == [
        {"source": str(private), "target": "/workspace/p0", "read_only": False}
    ]
    machine.ok("stop", "x")
    machine.ok("rm", "-f", "x")
    machine.ok(*without[: without.index("--no-projects") + 1])
    assert machine.listed()[0]["projects"] == []


@pytest.mark.parametrize("yes", [True, False])
def test_on_a_terminal_projects_of_an_archive_are_shown_and_asked_about(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    one, two = machine.directory("one"), machine.directory("t\u202ewo")
    file = written(tmp_path, projects=entries(one, two))
    asked: list[bool] = []

    def confirm(question: str, *, default: bool) -> bool:
        assert question == "Mount these directories read-write?"
        asked.append(default)
        return yes

    terminal(monkeypatch, there=True)
    monkeypatch.setattr(questions, "confirm", confirm)
    ran = machine("start", "-d", "--import", file)
    assert asked == [False]
    assert f"  {one}\n  {str(two).replace(chr(0x202E), chr(0xFFFD))}\n" in ran.err
    assert ran.code == (0 if yes else 1)
    assert len(machine.listed()) == yes
    if not yes:
        assert f"hint: agent-session start --import {file} -n x {one} " in ran.err


def test_an_archive_without_projects_gets_no_directory(machine: Machine, tmp_path: Path) -> None:
    machine.ok("start", "-d", "--import", written(tmp_path, projects=[]))
    assert machine.listed()[0]["projects"] == []
    mounts = machine.engine.specification("agent_x").mounts
    assert not any(mount.source == str(machine.project) for mount in mounts)
    machine.ok("stop", "x")
    machine.ok("start", "-d", "-n", "x")
    assert machine.listed()[0]["projects"] == []


@pytest.mark.parametrize(
    "place", ["/proc/self/cwd", "/proc/self/cwd/.local/bin", "{home}/.local/bin", "{home}"]
)
def test_no_archive_is_asked_about_what_nobody_may_choose(
    machine: Machine, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (home / ".local" / "bin").mkdir(parents=True)
    (machine.project / ".local" / "bin").mkdir(parents=True)
    terminal(monkeypatch, there=True)
    ran = machine("start", "-d", "--import", written(tmp_path, projects=entries(place.format(home=home))))
    assert ran.code == 2
    assert "cannot use" in ran.err
    assert "--no-projects" in ran.err
    assert machine.listed() == []


def test_nothing_of_a_manifest_is_obeyed_by_the_terminal(machine: Machine, tmp_path: Path) -> None:
    evil = "\x1b]0;PWN\x07\x1b[2J\x1b[1A\u202e\n"
    file = written(tmp_path, options={evil: evil, "x" * 10_000: 1} | {f"{i}": evil for i in range(1000)})
    ran = machine("start", "-d", "--import", file)
    assert ran.code == 0
    assert "not taken over" in ran.err
    assert ran.err.replace("\n", "").isprintable()
    assert len(ran.err) < 10_000
    machine.ok("stop", "x")
    for changes in (
        {"agent": evil},
        {"name": evil},
        {"projects": entries("/" + evil)},
        {"agent": "a" * 5000},
    ):
        ran = machine("start", "-d", "-n", "y", "--import", written(tmp_path, **changes))
        assert ran.code == 2
        assert ran.err.replace("\n", "").isprintable()
        assert len(ran.err) < 2000


def test_the_options_of_an_import_need_one(machine: Machine, tmp_path: Path) -> None:
    for option in ("--logins", "--no-projects"):
        ran = machine("start", "-d", option)
        assert (ran.code, machine.listed()) == (2, [])
        assert f"hint: agent-session start --import FILE {option}" in ran.err
    ran = machine("start", "-d", "--import", written(tmp_path), "--no-projects", str(machine.project))
    assert (ran.code, machine.listed()) == (2, [])


def test_no_login_crosses_before_an_imported_session_is_started_again(
    laptop: Machine, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-SECRETKEY")
    monkeypatch.setenv("GH_TOKEN", "SECRETKEY")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:SECRETKEY@proxy:1")
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:1")
    sent: list[bytes] = []

    def commands(_name: str, _command: Sequence[str], stdin: bytes) -> ExecResult:
        sent.append(stdin)
        return ExecResult(exit_code=0)

    laptop.engine.commands = commands
    laptop.engine.put_secret(
        login_secret("claude"), b'{"environment": {"CLAUDE_CODE_OAUTH_TOKEN": "SECRETKEY-stored"}}'
    )
    words = ("start", "-d", "-n", "again", "--import", str(saved), str(laptop.project))
    ran = laptop(*words, "--github-token")
    assert ran.code == 0
    assert (
        "no login was given to the imported session; "
        "after you have looked at it: agent-session restart again\n"
    ) in ran.err
    assert "--github-token needs --logins at an import" in ran.err
    laptop.ok("start", "-d", "-n", "again")  # attaching is not looking
    assert any(b"http://proxy:1" in seed for seed in sent)
    assert not any(b"SECRETKEY" in seed for seed in sent)
    laptop.ok("restart", "again")
    assert any(b"sk-ant-SECRETKEY" in seed for seed in sent)
    assert any(b"SECRETKEY-stored" in seed for seed in sent)


def test_logins_cross_at_an_import_when_somebody_says_so(
    laptop: Machine, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-SECRETKEY")
    sent: list[bytes] = []

    def commands(_name: str, _command: Sequence[str], stdin: bytes) -> ExecResult:
        sent.append(stdin)
        return ExecResult(exit_code=0)

    laptop.engine.commands = commands
    ran = laptop("start", "-d", "-n", "again", "--logins", "--import", str(saved), str(laptop.project))
    assert ran.code == 0
    assert "no login was given" not in ran.err
    assert any(b"sk-ant-SECRETKEY" in seed for seed in sent)


# --- build --latest


def npm(version: str) -> Callable[[OneOff, bytes], ExecResult]:
    def answer(one_off: OneOff, _stdin: bytes) -> ExecResult:
        name = one_off.command[3]
        if "arm64" in name:
            return ExecResult(exit_code=1, stderr=b"E404")
        return ExecResult(
            exit_code=0, stdout=json.dumps({"version": version, "dist.integrity": "sha512-abc="}).encode()
        )

    return answer


def test_the_newest_version_is_built_and_kept_in_a_file_of_its_own(laptop: Machine) -> None:
    own = paths.config_file()
    own.parent.mkdir(parents=True)
    own.write_text("# mine\nagent: claude\n")
    one_offs(laptop, npm("2.1.0"))
    before = laptop.ok("build")
    ran = laptop("build", "--latest")
    assert ran.code == 0
    assert "2.1.0 is the newest published version; 2.0.0 was used" in ran.err
    assert ran.out != before
    assert laptop.ok("build") == ran.out
    pins = paths.pins_file().read_text()
    assert pins.splitlines()[1:] == ['CLAUDE_CODE: "2.1.0"', 'CLAUDE_X64: "sha512-abc="']
    assert own.read_text() == "# mine\nagent: claude\n"
    assert "it is used" in laptop("build", "--latest").err
    assert paths.pins_file().read_text() == pins


def test_a_build_that_fails_leaves_the_versions_that_there_were(laptop: Machine) -> None:
    one_offs(laptop, npm("2.1.0"))
    before = laptop.ok("build")
    laptop.trouble.append(ExecResult(exit_code=1, stderr=b"not what was pinned"))
    assert laptop("build", "--latest").code == 8
    assert not paths.pins_file().exists()
    assert laptop.ok("build") == before


def test_an_older_newest_version_is_not_gone_back_to(laptop: Machine) -> None:
    one_offs(laptop, npm("1.9.9"))
    before = laptop.ok("build")
    ran = laptop("build", "--latest")
    assert (ran.code, ran.out) == (0, before)
    assert "it stays" in ran.err
    assert not paths.pins_file().exists()


@pytest.mark.parametrize(
    "said",
    [
        says({}, code=1),
        says({}),
        says("x"),
        says({"version": "$(id)", "dist.integrity": "sha512-abc="}),
        says({"version": "1.2.3", "dist.integrity": "sha1-x"}),
    ],
)
def test_what_npm_says_is_not_believed_blindly(
    laptop: Machine, said: Callable[[OneOff, bytes], ExecResult]
) -> None:
    one_offs(laptop, said)
    assert laptop("build", "--latest").code == 8
    assert not paths.pins_file().exists()


def test_what_is_no_package_has_no_newest_version(laptop: Machine) -> None:
    assert laptop("build", "--latest", "shell").code == 2
    one_offs(laptop, npm("2.0.0"))
    assert laptop("build", "--latest", "--all").code == 0


# --- what start is told


def test_the_agent_is_told_how_it_was_asked_for_and_only_then(machine: Machine) -> None:
    seeds: list[bytes] = []

    def commands(_name: str, _command: object, stdin: bytes) -> ExecResult:
        seeds.append(stdin)
        return ExecResult(exit_code=0)

    machine.engine.commands = commands
    machine.ok("start", "-d", "-a", "shell", "--fresh", "--auto-approve")
    machine.ok("stop")
    machine.ok("start", "-d")
    assert b"AGENT_SESSION_FRESH=1" in seeds[0]
    assert b"AGENT_SESSION_FRESH" not in seeds[1]
    assert all(b"AGENT_SESSION_AUTO_APPROVE=1" in seed for seed in seeds)
    machine.ok("stop")
    machine.ok("start", "-d", "--no-auto-approve")
    assert b"AGENT_SESSION_AUTO_APPROVE" not in seeds[2]


def test_what_runs_is_not_changed_silently(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SESSION_AUTO_APPROVE", "1")
    machine.ok("start", "-d", "-a", "shell")
    monkeypatch.delenv("AGENT_SESSION_AUTO_APPROVE")
    ran = machine("start", "-d", "--no-auto-approve")
    assert ran.code == 5
    assert "agent-session stop default && agent-session start -n default --no-auto-approve" in ran.err
    machine.ok("start", "-d")
    assert "auto-approve" in machine.ok("ls").splitlines()[1]


def test_what_a_killed_import_left_is_no_ones_home(laptop: Machine, saved: Path) -> None:
    labels = {LABEL_NAME: "again"}
    for volume in (importing_name("again"), *volume_names("again")):
        laptop.engine.create_volume(volume, labels)
    laptop.ok("start", "-d", "-n", "again", "--import", str(saved), str(laptop.project))
    assert laptop.engine.volume_labels(importing_name("again")) is None


def test_an_import_that_was_killed_once_it_had_a_container_is_a_session_like_another(
    laptop: Machine, saved: Path
) -> None:
    laptop.ok("start", "-d", "-n", "again", "--import", str(saved), str(laptop.project))
    assert laptop.engine.volume_labels(importing_name("again")) is None
    laptop.ok("stop", "again")
    laptop.engine.create_volume(importing_name("again"), {LABEL_NAME: "again"})
    laptop.engine.edit("agent_again", started=None)
    home = volume(laptop, volume_names("again")[0])
    (home / "kept").touch()
    laptop.ok("start", "-d", "-n", "again")
    laptop.ok("stop", "again")
    laptop.engine.remove("agent_again")
    laptop.ok("start", "-d", "-a", "claude", "-n", "again")
    assert (home / "kept").exists(), "it is no half of an import"


def test_a_home_that_is_still_there_is_not_written_over_by_an_import(laptop: Machine, saved: Path) -> None:
    laptop.engine.create_volume(volume_names("again")[1], {LABEL_NAME: "again"})
    ran = laptop("start", "-d", "-n", "again", "--import", str(saved), str(laptop.project))
    assert ran.code == 5
    assert "agent-session rm again" in ran.err
    assert [laptop.engine.volume_labels(v) is None for v in volume_names("again")] == [True, False]
    assert laptop.engine.volume_labels(importing_name("again")) is None
