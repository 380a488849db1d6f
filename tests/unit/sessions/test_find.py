"""Sessions on an engine in memory: made whole or not at all, found again, ended, removed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

import pytest

from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY, Seed
from agent_session.engine.command import ExecResult
from agent_session.engine.container import ContainerSpec, Mount
from agent_session.engine.errors import NameTaken
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused, Interrupted, NotReady
from agent_session.sessions import find, lifecycle, plan
from agent_session.sessions.errors import BadName, SessionNotFound, SessionRunning
from agent_session.sessions.labels import LABEL_NAME, LABEL_PROJECTS, session_labels
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine

IMAGE = "localhost/agent-session-stub:1"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))


def engine_where(commands: Callable[[str, Sequence[str], bytes], ExecResult] | None = None) -> FakeEngine:
    return FakeEngine(images=[IMAGE], commands=commands) if commands else FakeEngine(images=[IMAGE])


@pytest.fixture
def engine() -> FakeEngine:
    return engine_where()


@pytest.fixture
def app(home: Path) -> Project:
    (home / "app").mkdir()
    return Project(source=home / "app", target=PurePosixPath("/workspace/app"))


@pytest.fixture
def request_(app: Project) -> SessionRequest:
    return SessionRequest(name="web", agent=AGENT, image=IMAGE, projects=(app,))


def created(engine: Engine, request: SessionRequest, name: str = "web") -> Session:
    return lifecycle.create(engine, replace(request, name=name), EMPTY, screen=True)


def nothing_is_left(engine: Engine) -> bool:
    return engine.container("agent_web") is None and engine.volume_labels("agent_web_home") is None


def bare_container(engine: Engine, name: str, **labels: str) -> None:
    """A container somebody made by hand."""
    engine.create(
        ContainerSpec(name=name, image=IMAGE, hostname="x", workdir=PurePosixPath("/"), labels=labels)
    )


def test_a_session_is_what_was_asked_for(engine: FakeEngine, request_: SessionRequest, app: Project) -> None:
    before = datetime.now(UTC)
    session = created(engine, request_)
    assert (session.name, session.agent, session.status, session.projects) == (
        "web",
        "stub",
        "running",
        (app,),
    )
    assert (session.container, session.image) == ("agent_web", IMAGE)
    assert before <= session.created <= datetime.now(UTC)


def test_a_session_is_found_again_by_its_name(engine: FakeEngine, request_: SessionRequest) -> None:
    session = created(engine, request_)
    assert find.find_session(engine, "web") == session == find.get(engine, "web")


def test_names_are_case_sensitive(engine: FakeEngine, request_: SessionRequest) -> None:
    created(engine, request_)
    assert find.find_session(engine, "Web") is None


def test_a_name_is_taken_once(engine: FakeEngine, request_: SessionRequest) -> None:
    first = created(engine, request_)
    with pytest.raises(NameTaken):
        created(engine, request_)
    assert find.get(engine, "web") == first


def test_a_session_that_is_not_there_is_not_found(engine: FakeEngine) -> None:
    assert find.find_session(engine, "web") is None
    with pytest.raises(SessionNotFound, match="session 'web' not found"):
        find.get(engine, "web")


def test_a_bad_name_is_refused_before_the_engine_is_asked(engine: FakeEngine) -> None:
    with pytest.raises(BadName):
        find.find_session(engine, "../web")


def test_the_seed_arrives_in_the_container_and_nowhere_else(request_: SessionRequest) -> None:
    arrived = []

    def commands(name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
        arrived.append((name, command[0], stdin))
        return ExecResult(exit_code=0)

    engine = engine_where(commands)
    lifecycle.create(engine, request_, Seed(archive=b"sk-secret"), screen=True)
    assert arrived == [("agent_web", "/usr/local/bin/session-seed", b"sk-secret")]
    assert "sk-secret" not in repr(engine.container("agent_web"))


class StartRefused(FakeEngine):
    """An engine that makes containers and cannot start them."""

    def start(self, name: str) -> None:
        raise EngineRefused(f"starting {name}: no")


def ends(code: int, said: bytes = b"") -> Callable[[str, Sequence[str], bytes], ExecResult]:
    return lambda _name, _command, _stdin: ExecResult(exit_code=code, stderr=said)


def interrupts(error: BaseException) -> Callable[[str, Sequence[str], bytes], ExecResult]:
    def commands(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        raise error

    return commands


def test_a_session_whose_image_is_gone_leaves_nothing(request_: SessionRequest) -> None:
    engine = FakeEngine()
    with pytest.raises(EngineRefused):
        created(engine, request_)
    assert nothing_is_left(engine)


def test_a_session_that_cannot_be_started_leaves_nothing(request_: SessionRequest) -> None:
    engine = StartRefused(images=[IMAGE])
    with pytest.raises(EngineRefused, match="starting agent_web: no"):
        created(engine, request_)
    assert nothing_is_left(engine)


def test_a_session_that_does_not_become_ready_says_why_and_leaves_nothing(request_: SessionRequest) -> None:
    engine = engine_where(ends(1, b"\nzellij: cannot\nread its layout\n"))
    with pytest.raises(NotReady, match=r"its terminal did not start\n  zellij: cannot\n  read its layout"):
        created(engine, request_)
    assert nothing_is_left(engine)


def test_a_screen_that_stays_blank_is_told_as_that(request_: SessionRequest) -> None:
    engine = engine_where(interrupts(TimeoutError()))
    with pytest.raises(NotReady, match="nothing on its screen after 60 s"):
        created(engine, request_)
    assert nothing_is_left(engine)


def test_a_container_that_ends_at_once_is_told_as_that(request_: SessionRequest) -> None:
    class EndsAtOnce(FakeEngine):
        def start(self, name: str) -> None:
            super().start(name)
            self.stop(name)

    engine = EndsAtOnce(images=[IMAGE])
    engine.outputs["agent_web"] = "\nentrypoint: no such \x1b[31mfile\n"
    with pytest.raises(NotReady, match=r"its container ended at once\n  .*\n  entrypoint: no such") as caught:
        created(engine, request_)
    assert "\x1b" not in caught.value.message
    assert caught.value.hint == "agent-session doctor", "a session that is not there cannot be stopped"
    assert nothing_is_left(engine)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(), RuntimeError()], ids=repr)
def test_a_start_that_is_interrupted_leaves_nothing(request_: SessionRequest, error: BaseException) -> None:
    engine = engine_where(interrupts(error))
    with pytest.raises(type(error)):
        created(engine, request_)
    assert nothing_is_left(engine)


def test_a_home_that_was_there_before_survives_a_failure(request_: SessionRequest) -> None:
    engine = engine_where(ends(1))
    home = Mount(kind="volume", source="agent_web_home", target=PurePosixPath("/home/agent"))
    spec = replace(plan.container_spec(request_), name="earlier", mounts=(home,))
    engine.create(spec)
    engine.remove("earlier")
    with pytest.raises(NotReady):
        created(engine, request_)
    assert engine.volume_labels("agent_web_home") is not None


def test_a_stopped_session_starts_again(engine: FakeEngine, request_: SessionRequest) -> None:
    session = created(engine, request_)
    lifecycle.stop(engine, [session])
    stopped = find.get(engine, "web")
    assert stopped.status == "stopped"
    assert lifecycle.resume(engine, stopped, EMPTY, screen=True).status == "running"


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted(), TimeoutError()], ids=repr)
def test_a_session_that_cannot_be_resumed_is_stopped_and_keeps_its_home(
    request_: SessionRequest, error: BaseException
) -> None:
    trouble: list[BaseException] = []

    def commands(_name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        if trouble:
            raise trouble[0]
        return ExecResult(exit_code=0)

    engine = engine_where(commands)
    lifecycle.stop(engine, [created(engine, request_)])
    stopped = find.get(engine, "web")
    trouble.append(error)
    with pytest.raises((type(error), NotReady)):
        lifecycle.resume(engine, stopped, EMPTY, screen=True)
    assert find.get(engine, "web").status == "stopped"
    assert engine.volume_labels("agent_web_home")


def test_stopping_twice_is_fine(engine: FakeEngine, request_: SessionRequest) -> None:
    session = created(engine, request_)
    lifecycle.stop(engine, [session])
    lifecycle.stop(engine, [session])
    assert find.get(engine, "web").status == "stopped"


def test_stopping_one_that_vanished_meanwhile_is_not_found(
    engine: FakeEngine, request_: SessionRequest
) -> None:
    session = created(engine, request_)
    engine.remove(session.container)
    with pytest.raises(SessionNotFound):
        lifecycle.stop(engine, [session])


def test_one_that_vanished_does_not_keep_the_others_from_being_stopped(
    engine: FakeEngine, request_: SessionRequest
) -> None:
    gone, other = created(engine, request_, "gone"), created(engine, request_, "other")
    engine.remove(gone.container)
    with pytest.raises(SessionNotFound):
        lifecycle.stop(engine, [gone, other])
    assert find.get(engine, "other").status == "stopped"


def test_a_running_session_is_not_removed(engine: FakeEngine, request_: SessionRequest) -> None:
    created(engine, request_)
    with pytest.raises(SessionRunning, match="cannot remove running session 'web'"):
        lifecycle.remove(engine, "web")
    assert find.get(engine, "web").running


def test_a_stopped_session_is_removed_with_its_home_and_never_a_project(
    engine: FakeEngine, request_: SessionRequest, app: Project
) -> None:
    (app.source / "file").touch()
    lifecycle.stop(engine, [created(engine, request_)])
    lifecycle.remove(engine, "web")
    assert nothing_is_left(engine)
    assert (app.source / "file").exists()


def test_removing_one_that_is_not_there_is_not_found(engine: FakeEngine) -> None:
    with pytest.raises(SessionNotFound):
        lifecycle.remove(engine, "web")


def test_a_home_whose_container_somebody_removed_can_be_removed(
    engine: FakeEngine, request_: SessionRequest
) -> None:
    engine.remove(created(engine, request_).container)
    lifecycle.remove(engine, "web")
    assert nothing_is_left(engine)


def test_a_volume_of_somebody_else_is_not_removed(engine: FakeEngine) -> None:
    mount = Mount(kind="volume", source="agent_web_home", target=PurePosixPath("/x"))
    engine.create(
        ContainerSpec(name="other", image=IMAGE, hostname="x", workdir=PurePosixPath("/"), mounts=(mount,))
    )
    engine.remove("other")
    with pytest.raises(SessionNotFound):
        lifecycle.remove(engine, "web")
    assert engine.volume_labels("agent_web_home") is not None


def test_sessions_are_listed_by_name(engine: FakeEngine, request_: SessionRequest) -> None:
    for name in ("b", "a", "C"):
        created(engine, request_, name)
    assert [session.name for session in find.list_sessions(engine)] == ["C", "a", "b"]


def test_a_container_that_is_not_ours_is_not_listed_and_its_name_is_taken(
    engine: FakeEngine, request_: SessionRequest
) -> None:
    bare_container(engine, "agent_web")
    assert find.list_sessions(engine) == []
    attempts: list[Callable[[], object]] = [
        lambda: find.find_session(engine, "web"),
        lambda: lifecycle.remove(engine, "web"),
        lambda: created(engine, request_),
    ]
    for attempt in attempts:
        with pytest.raises(NameTaken, match="agent_web"):
            attempt()
    assert engine.container("agent_web")
    assert engine.volume_labels("agent_web_home") is None


@pytest.mark.parametrize("label", ["other", "", "a b", "../web", "web\n"])
def test_a_label_that_does_not_go_with_the_containers_name_makes_no_session(
    engine: FakeEngine, label: str
) -> None:
    bare_container(engine, "agent_web", **{LABEL_NAME: label})
    assert find.list_sessions(engine) == []


@pytest.mark.parametrize(
    "label", ["", "nonsense", "{", "3", "null", '"x"', '["x"]', "[{}]", '[{"source": 1, "target": 2}]']
)
def test_labels_made_by_hand_are_borne_with(engine: FakeEngine, label: str) -> None:
    bare_container(engine, "agent_web", **{LABEL_NAME: "web", LABEL_PROJECTS: label})
    (session,) = find.list_sessions(engine)
    assert (session.agent, session.projects) == ("?", ())


def test_projects_survive_the_label(engine: FakeEngine, request_: SessionRequest, home: Path) -> None:
    odd = Project(source=home / 'a "b",\\ c:ö', target=PurePosixPath('/workspace/a "b",\\ c:ö'))
    odd.source.mkdir()
    session = created(engine, replace(request_, projects=(odd,)))
    assert session.projects == (odd,)
    assert json.loads(session_labels(request_)[LABEL_PROJECTS])


def test_a_session_contains_its_projects_and_what_is_in_them(
    engine: FakeEngine, request_: SessionRequest, app: Project
) -> None:
    session = created(engine, request_)
    assert session.contains(app.source)
    assert session.contains(app.source / "deep" / "er")
    assert not session.contains(app.source.parent)
    assert not session.contains(Path(f"{app.source}-2"))


def test_only_a_session_that_was_just_started_may_still_wait_for_its_seed(
    engine: FakeEngine, request_: SessionRequest
) -> None:
    session = created(engine, request_)
    assert find.needs_seed(session)
    assert not find.needs_seed(replace(session, started=datetime.now(UTC) - timedelta(minutes=5)))
    assert not find.needs_seed(replace(session, status="stopped"))


def test_attaching_names_every_terminal_that_lives(engine: FakeEngine, request_: SessionRequest) -> None:
    session = created(engine, request_)
    command = find.attach_command(engine, session, {"TERM": "xterm", "AGENT_SESSION_CLIENT": "a.1.b"})
    assert command[:2] == ["podman", "exec"]
    assert command[command.index("agent_web") + 1] == "/usr/local/bin/session-attach"
    assert "AGENT_SESSION_CLIENT=a.1.b" in command


def test_a_stop_that_is_refused_and_done_all_the_same_is_done(
    engine: FakeEngine, request_: SessionRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, real = created(engine, request_), engine.stop

    def late(name: str) -> None:
        real(name)
        raise EngineRefused("container state improper")

    def refused(_name: str) -> None:
        raise EngineRefused("no")

    monkeypatch.setattr(engine, "stop", refused)
    with pytest.raises(EngineRefused, match="no"):
        lifecycle.stop(engine, [session])
    monkeypatch.setattr(engine, "stop", late)
    lifecycle.stop(engine, [session])
    assert find.get(engine, "web").status == "stopped"
