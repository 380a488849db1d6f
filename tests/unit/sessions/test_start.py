"""From a wish to a session without a command line, as a server does it: decide, gather the seed, perform."""

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from agent_session.agents.errors import AgentNotFound
from agent_session.engine.command import ExecResult
from agent_session.errors import AgentSessionError, ConflictError, Interrupted, UsageError
from agent_session.host import paths
from agent_session.images import build, zellij
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.images.errors import ImageMissing
from agent_session.sessions import archive, find, lifecycle, start, steps
from agent_session.sessions.errors import BadName, SessionConflict
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_RUNS
from agent_session.sessions.names import container_name, next_name
from agent_session.sessions.options import OF_A_START, Options, flags
from agent_session.sessions.session import Session
from agent_session.sessions.wish import Wish
from agent_session.workspace.errors import ProjectRefused
from tests.fake_engine import FakeEngine
from tests.unit.machine import AGENTS

OTHER = Options(
    auto_approve=True,
    protect="strict",
    unprotected=(".vscode",),
    model="opus",
    user_config=False,
    git_signing=True,
    github_token=True,
    ssh_agent="lent",
    memory=1 << 30,
    cpus=2.0,
    pids=100,
    shm_size=2 << 30,
    allow_user_namespaces=True,
    allow_setuid=True,
    publish=("8080:3000",),
    network="none",
    label=("team=web",),
)
"""Of each option another value than the usual one."""
TOGETHER = replace(OTHER, publish=())
"""Those of them that one session can have."""


class House:
    """A machine on which sessions are started by a program."""

    def __init__(self, engine: FakeEngine, installation: Installation, folder: Path, project: Path) -> None:
        self.engine = engine
        self.installation = installation
        self.folder = folder
        self.project = project
        self.reported: list[str] = []

    def wish(self, name: str = "web", **more: Any) -> Wish:
        return replace(Wish(name=name, agent="shell", directory=self.project), **more)

    def decide(self, wish: Wish) -> steps.Step:
        return start.decide(self.engine, wish, self.installation)

    def fulfil(self, wish: Wish) -> Session:
        """What a server does."""
        with self.installation.locked(wish.name, waiting=lambda _holder: None):
            step = self.decide(wish)
            seed = start.seed_for(self.engine, step, wish, self.installation)
            return start.perform(self.engine, step, seed, self.reported.append)

    def build(self, agent: str = "shell") -> None:
        workshop = self.installation.workshop()
        build.ensure_image(self.engine, workshop, self.installation.agents()[agent], tell=lambda _line: None)

    def change_image(self) -> None:
        with (self.folder / "shell" / "Containerfile").open("a") as file:
            file.write("RUN true\n")
        self.build()

    def stop(self, name: str = "web") -> None:
        lifecycle.stop(self.engine, [find.get(self.engine, name)])

    def state(self) -> object:
        """All that a start could change."""
        return [*self.engine.containers("")], dict(self.engine.volumes("")), self.engine.images.references()


@pytest.fixture
def house(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    folder = tmp_path / "images"
    for name, text in {**AGENTS, "base": ""}.items():
        (folder / name).mkdir(parents=True)
        if name != "base":
            (folder / name / "agent.yaml").write_text(text)
        (folder / name / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    (folder / "versions.yaml").touch()
    (tmp_path / "zellij").touch()
    project = home / "app"
    project.mkdir()
    monkeypatch.setattr(paths, "agent_folders", lambda: (folder, home / "agents"))
    monkeypatch.setattr(zellij, "zellij_binary", lambda *_: tmp_path / "zellij")
    installation = Installation(environment={"HOME": str(home), "PATH": "/usr/bin:/bin"}, home=home)
    house = House(FakeEngine(images=[DEFAULT_BASE_IMAGE]), installation, folder, project)
    house.build()
    return house


def test_a_wish_becomes_a_session_without_a_command_line(
    house: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AGENT_SESSION_NAME", "from-the-environment")
    monkeypatch.setenv("AGENT_SESSION_AUTO_APPROVE", "1")
    session = house.fulfil(house.wish(options=Options(memory=1 << 30)))
    assert (session.name, session.agent, session.running) == ("web", "shell", True)
    assert [project.source for project in session.projects] == [house.project]
    assert session.options == Options(memory=1 << 30)
    assert capsys.readouterr() == ("", "")


def test_deciding_changes_nothing_whatever_the_step(house: House) -> None:
    preparations: dict[type, Callable[[], object]] = {
        steps.Create: lambda: None,
        steps.Deliver: lambda: house.fulfil(house.wish()),
        steps.Attach: lambda: house.engine.grow_old(container_name("web")),
        steps.Resume: lambda: house.stop(),
        steps.Replace: lambda: None,
    }
    for kind, before in preparations.items():
        before()
        was = house.state()
        options = TOGETHER if kind is steps.Replace else Options()
        insisted = frozenset({"memory"}) if kind is steps.Replace else frozenset()
        step = house.decide(house.wish(screen=kind is not steps.Attach, options=options, insisted=insisted))
        assert type(step) is kind
        assert house.state() == was


def test_what_is_decided_is_what_is_done(house: House) -> None:
    assert house.fulfil(house.wish()).running
    first = find.get(house.engine, "web").id
    house.stop()
    assert house.fulfil(house.wish()).id == first
    house.stop()
    other = house.fulfil(house.wish(options=TOGETHER, insisted=frozenset({"memory"})))
    assert (other.id == first, other.options) == (False, Options(memory=1 << 30))


def test_an_image_that_is_not_there_is_told_by_the_step_and_refused_when_it_is_done(house: House) -> None:
    wish = house.wish(agent="claude")
    step = house.decide(wish)
    assert isinstance(step, steps.Create)
    assert not step.built
    with pytest.raises(ImageMissing):
        house.fulfil(wish)
    assert house.engine.containers("") == []


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"name": "../x"}, BadName),
        ({"agent": "gpt"}, AgentNotFound),
        ({"projects": ("/",)}, ProjectRefused),
        ({"projects": ("missing",)}, ProjectRefused),
        ({"mounts": ("/etc/shadow-is-not-here",)}, ProjectRefused),
        ({"directory": None}, ProjectRefused),
    ],
)
def test_what_can_never_be_right_is_refused_before_anybody_is_asked(
    house: House, more: dict[str, Any], error: type[AgentSessionError]
) -> None:
    for refusing in (start.decide, start.check):
        with pytest.raises(error):
            refusing(house.engine, house.wish(**more), house.installation)
    assert house.engine.containers("") == []


def killed_before_rename(house: House, *, runs: bool = True) -> None:
    """As an update leaves a session that is killed between removing the old container and renaming the new
    one.
    """
    house.fulfil(house.wish())
    if not runs:
        house.stop()
    house.engine.rename(container_name("web"), next_name("web"))


@pytest.mark.parametrize("runs", [True, False])
def test_a_session_whose_update_was_killed_before_the_rename_is_found_by_a_start_and_by_a_dry_run(
    house: House, runs: bool
) -> None:
    killed_before_rename(house, runs=runs)
    wish = house.wish()
    step = house.decide(wish)
    assert isinstance(step, steps.Deliver if runs else steps.Resume)
    from agent_session.sessions import dry_run

    told = dry_run.describe(house.engine, step, start.seed_for(house.engine, step, wish, house.installation))
    assert told.action == ("attach" if runs else "start")
    assert [one.name for one in house.engine.containers("")] == [next_name("web")], "nothing was changed"
    assert house.fulfil(wish).running
    assert [one.name for one in house.engine.containers("")] == [container_name("web")]


def test_looking_for_sessions_changes_nothing(house: House) -> None:
    killed_before_rename(house)
    was = house.state()
    assert [session.name for session in find.list_sessions(house.engine)] == ["web"]
    assert find.get(house.engine, "web").running
    assert find.look(house.engine, "web") == find.get_many(house.engine, ["web"])[0]
    assert house.state() == was


def test_an_update_moves_what_is_old_and_leaves_stopped_what_was_stopped(house: House) -> None:
    house.fulfil(house.wish())
    assert isinstance(house.decide(house.wish(update=True)), steps.Attach)
    house.change_image()
    step = house.decide(house.wish(update=True))
    assert isinstance(step, steps.Replace)
    assert step.runs
    assert house.fulfil(house.wish(update=True)).running
    house.stop()
    house.change_image()
    moved = house.fulfil(house.wish(update=True))
    assert not moved.running
    assert isinstance(house.decide(house.wish(update=True)), steps.Attach)


def test_an_update_brings_up_what_a_killed_one_had_stopped(house: House) -> None:
    house.fulfil(house.wish())
    spec = house.engine.specification(container_name("web"))
    labels = {**spec.labels, LABEL_RUNS: "true"}
    house.engine.create(replace(spec, name=next_name("web"), labels=labels))
    house.stop()
    assert house.fulfil(house.wish(update=True)).running
    assert [one.name for one in house.engine.containers("")] == [container_name("web")]


def test_a_restart_of_a_session_that_runs_starts_its_container_anew(house: House) -> None:
    before = house.fulfil(house.wish())
    after = house.fulfil(house.wish(restart=True))
    assert after.running
    assert after.id == before.id
    assert after.started
    assert before.started
    assert after.started > before.started


@pytest.mark.parametrize("moment", ["stop", "start", "seed"])
def test_a_restart_that_is_interrupted_leaves_the_session_running(
    house: House, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    before = house.fulfil(house.wish())
    step = house.decide(house.wish(restart=True))
    seed = start.seed_for(house.engine, step, house.wish(), house.installation)
    attribute = {"stop": "stop", "start": "start", "seed": "exec"}[moment]
    usual = getattr(house.engine, attribute)

    def interrupted(*words: Any, **more: Any) -> object:
        monkeypatch.setattr(house.engine, attribute, usual)
        if moment == "stop":
            usual(*words, **more)
        raise Interrupted

    monkeypatch.setattr(house.engine, attribute, interrupted)
    with pytest.raises(Interrupted):
        start.perform(house.engine, step, seed, house.reported.append)
    after = find.get(house.engine, "web")
    assert (after.id, after.running) == (before.id, True)


def test_a_restart_that_could_not_start_again_leaves_the_session_running(house: House) -> None:
    before = house.fulfil(house.wish())
    (house.folder / "shell" / "agent.yaml").write_text("oops: 1\n")
    with pytest.raises(AgentSessionError):
        house.fulfil(house.wish(restart=True))
    assert find.get(house.engine, "web") == before


@pytest.mark.parametrize("name", sorted(OF_A_START))
def test_every_option_of_a_start_is_refused_by_a_session_that_runs_and_taken_by_one_that_is_stopped(
    house: House, name: str
) -> None:
    house.fulfil(house.wish())
    (house.project / ".vscode").mkdir(exist_ok=True)
    before = find.get(house.engine, "web")
    wish = house.wish(options=OTHER, fresh=True, insisted=frozenset({name}))
    for screen in (True, False):
        with pytest.raises(ConflictError) as caught:
            house.fulfil(replace(wish, screen=screen))
        flag = f"--{name.replace('_', '-')}" if name != "user_config" else "--no-user-config"
        assert flag in caught.value.message
        assert "effect at its next start" in caught.value.message
        assert caught.value.hint.startswith("agent-session stop web && agent-session start -n web ")
        assert flag in caught.value.hint
    assert find.get(house.engine, "web") == before
    house.stop()
    started = house.fulfil(wish)
    if name != "fresh":
        changed = {
            field.name
            for field in fields(Options)
            if getattr(started.options, field.name) != getattr(Options(), field.name)
        }
        assert changed - {"ssh_agent"} == {name} - {"ssh_agent"}
        assert ("ssh_agent" in changed) == (name in {"ssh_agent", "git_signing"})


@pytest.mark.parametrize("name", sorted(OF_A_START - {"fresh"}))
def test_an_option_that_a_running_session_has_already_is_no_conflict(house: House, name: str) -> None:
    (house.project / ".vscode").mkdir()
    house.fulfil(house.wish(options=TOGETHER))
    assert isinstance(house.decide(house.wish(options=TOGETHER, insisted=frozenset({name}))), steps.Deliver)


def test_a_model_is_refused_for_an_agent_that_takes_none_and_a_default_one_left_out(house: House) -> None:
    house.build("opencode")
    wish = house.wish(agent="opencode", options=Options(model="opus"))
    with pytest.raises(UsageError, match="takes no model"):
        house.decide(replace(wish, insisted=frozenset({"model"})))
    assert house.fulfil(wish).options.model == ""


def test_options_are_written_as_they_are_typed() -> None:
    written = {field.name: flags(field.name, getattr(OTHER, field.name)) for field in fields(Options)}
    assert written == {
        "auto_approve": ["--auto-approve"],
        "protect": ["--protect", "strict"],
        "unprotected": ["--unprotected", ".vscode"],
        "model": ["--model", "opus"],
        "user_config": ["--no-user-config"],
        "git_signing": ["--git-signing"],
        "github_token": ["--github-token"],
        "ssh_agent": ["--ssh-agent"],
        "memory": ["--memory", "1g"],
        "cpus": ["--cpus", "2"],
        "pids": ["--pids", "100"],
        "shm_size": ["--shm-size", "2g"],
        "allow_user_namespaces": ["--allow-user-namespaces"],
        "allow_setuid": ["--allow-setuid"],
        "publish": ["--publish", "8080:3000"],
        "network": ["--network", "none"],
        "label": ["--label", "team=web"],
    }


def test_another_agent_or_project_is_a_conflict_that_fills_in_a_free_name(house: House, home: Path) -> None:
    house.fulfil(house.wish())
    other = home / "other place"
    other.mkdir()
    with pytest.raises(SessionConflict) as caught:
        house.decide(house.wish(projects=(str(other),), insisted=frozenset({"projects"})))
    assert caught.value.message.endswith(f"asked for: {other}")
    assert caught.value.hint.startswith(f"agent-session start -n other-place '{other}'")
    assert "rm" not in caught.value.hint.split()
    house.fulfil(house.wish("app"))
    with pytest.raises(SessionConflict) as caught:
        house.decide(house.wish(agent="claude", insisted=frozenset({"agent"})))
    assert caught.value.message == (
        f"session 'web' already exists with agent shell and {house.project}; asked for: agent claude"
    )
    assert caught.value.hint.startswith("agent-session start -n app-2 -a claude")


def test_a_sessions_name_in_place_of_a_project_gets_the_command_that_was_meant(house: House) -> None:
    house.fulfil(house.wish())
    for insisted in (frozenset({"projects"}), frozenset[str]()):
        for name in ("web", "new"):
            with pytest.raises(ProjectRefused) as caught:
                house.decide(house.wish(name, projects=("web",), insisted=insisted | {"projects"}))
            assert caught.value.hint == "agent-session start -n web"


def test_an_archive_says_what_the_wish_does_not(house: House, tmp_path: Path) -> None:
    session = house.fulfil(house.wish(options=Options(auto_approve=True)))
    file = tmp_path / "web.tar.zst"
    archive.save(house.engine, session, None, file)
    manifest, home = archive.read_manifest(file), house.installation.home
    asked = Wish(name="again", import_from=file, insisted=frozenset({"name"}))
    with pytest.raises(UsageError, match="an archive decides nothing"):
        archive.wished(asked, manifest, home, house.reported.append)
    assert archive.suggested(asked, manifest, home) == (str(house.project),)
    chosen = replace(asked, projects=archive.suggested(asked, manifest, home))
    wish = archive.wished(chosen, manifest, home, house.reported.append)
    assert (wish.name, wish.agent, wish.projects) == ("again", "shell", (str(house.project),))
    assert not wish.options.auto_approve
    assert any("auto_approve" in line for line in house.reported)
    assert house.fulfil(wish).running
    with pytest.raises(ConflictError, match="exists already"):
        house.decide(replace(wish, name="web"))


def test_an_import_that_was_killed_before_it_ran_gets_no_login_at_its_next_start(
    house: House, tmp_path: Path
) -> None:
    file = tmp_path / "web.tar.zst"
    archive.save(house.engine, house.fulfil(house.wish()), None, file)
    house.fulfil(house.wish("again", projects=(str(house.project),), import_from=file))
    house.stop("again")
    house.engine.edit(container_name("again"), started=None)
    step = house.decide(house.wish("again"))
    assert isinstance(step, steps.Resume)
    assert step.request.without_logins
    house.fulfil(house.wish("again"))
    assert find.get(house.engine, "again").without_logins
    house.fulfil(house.wish("again", restart=True))
    assert not find.get(house.engine, "again").without_logins


def test_a_session_that_ends_while_its_screen_is_waited_for_is_started_again(house: House) -> None:
    house.fulfil(house.wish())
    usual = house.engine.commands

    def stopped(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        house.engine.commands = usual
        house.engine.stop(container_name("web"))
        return ExecResult(exit_code=1)

    house.engine.commands = stopped
    assert house.fulfil(house.wish()).running
