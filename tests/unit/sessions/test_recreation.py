"""Another container for the same session: whole or not at all, whatever is killed when."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.engine.command import ExecResult
from agent_session.errors import AgentSessionError, EngineRefused, Interrupted, NotReady
from agent_session.sessions import find, lifecycle
from agent_session.sessions.labels import LABEL_NAME, read_options
from agent_session.sessions.names import container_name, next_name
from agent_session.sessions.options import Options
from agent_session.sessions.request import SessionRequest, same
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine

OLD, NEW = "localhost/agent-session-stub:1", "localhost/agent-session-stub:2"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))


class Killed(BaseException):
    """Nothing after this line was run: kill -9."""


@pytest.fixture
def request_(home: Path) -> SessionRequest:
    (home / "app").mkdir()
    app = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
    return SessionRequest(
        name="web",
        agent=AGENT,
        image=OLD,
        projects=(app,),
        mounts=(home / "app",),
        kob=home / "app",
        options=Options(auto_approve=True),
    )


def session(engine: FakeEngine, request: SessionRequest, *, running: bool) -> Session:
    made = lifecycle.create(engine, request, EMPTY, screen=True)
    home = engine.files.volume_path("agent_web_home")
    assert home
    (home / "conversation").write_text("yesterday")
    if not running:
        lifecycle.stop(engine, [made])
    return find.get(engine, "web")


def again(engine: FakeEngine, session: Session, image: str = NEW) -> SessionRequest:
    return same(
        session, AGENT, image=image, ca_bundle=None, rootful=engine.rootful, login=engine.secret_id("x")
    )


def moved(engine: FakeEngine, old: Session, *, started: bool) -> Session:
    return lifecycle.recreate(engine, old, again(engine, old), EMPTY if started else None, screen=True)


def holds_its_home(engine: FakeEngine) -> bool:
    home = engine.files.volume_path("agent_web_home")
    return home is not None and (home / "conversation").read_text() == "yesterday"


def containers(engine: FakeEngine) -> list[str]:
    return [container.name for container in engine.containers(LABEL_NAME)]


@pytest.mark.parametrize("running", [True, False])
def test_it_is_the_same_session_on_another_image(request_: SessionRequest, running: bool) -> None:
    engine = FakeEngine(images=[OLD, NEW])
    old = session(engine, request_, running=running)
    new = moved(engine, old, started=running)
    assert new.image == NEW
    same = replace(new, image=old.image, started=old.started, ended=old.ended, id=old.id)
    assert same == old
    assert containers(engine) == ["agent_web"]
    assert holds_its_home(engine)


def test_one_that_is_stopped_starts_when_there_is_a_seed(request_: SessionRequest) -> None:
    engine = FakeEngine(images=[OLD, NEW])
    assert moved(engine, session(engine, request_, running=False), started=True).running


@pytest.mark.parametrize("running", [True, False])
def test_without_the_image_it_stays_as_it_was(request_: SessionRequest, running: bool) -> None:
    engine = FakeEngine(images=[OLD])
    old = session(engine, request_, running=running)
    with pytest.raises(AgentSessionError, match="creating"):
        moved(engine, old, started=running)
    assert replace(find.get(engine, "web"), started=old.started) == old
    assert containers(engine) == ["agent_web"]


@pytest.mark.parametrize("error", [Interrupted(), EngineRefused("no"), TimeoutError()])
@pytest.mark.parametrize("running", [True, False])
def test_a_new_one_that_does_not_come_up_goes_and_the_old_one_is_as_it_was(
    request_: SessionRequest, running: bool, error: Exception
) -> None:
    def commands(name: str, _command: Sequence[str], _stdin: bytes) -> ExecResult:
        if name.startswith("agent-next_"):
            raise error
        return ExecResult(exit_code=0)

    engine = FakeEngine(images=[OLD, NEW], commands=commands)
    old = session(engine, request_, running=running)
    with pytest.raises((Interrupted, NotReady)):
        moved(engine, old, started=True)
    assert replace(find.get(engine, "web"), started=old.started) == old
    assert containers(engine) == ["agent_web"]
    assert holds_its_home(engine)


class Mortal(FakeEngine):
    """Dies at a step, as a process does: whatever would follow, cleaning up included, never happens."""

    def __init__(self) -> None:
        super().__init__(images=[OLD, NEW])
        self.dead = False
        self.dies_at: Callable[[str, str], bool] = lambda _verb, _name: False

    def _step(self, verb: str, name: str) -> None:
        self.dead = self.dead or self.dies_at(verb, name)
        if self.dead:
            raise Killed

    def remove(self, name: str) -> None:
        self._step("remove", name)
        super().remove(name)

    def rename(self, name: str, new: str) -> None:
        self._step("rename", name)
        super().rename(name, new)

    def start(self, name: str) -> None:
        self._step("start", name)
        super().start(name)

    def stop(self, name: str) -> None:
        self._step("stop", name)
        super().stop(name)


@pytest.mark.parametrize(
    ("verb", "name", "image"),
    [
        ("stop", "agent_web", OLD),
        ("start", "agent-next_web", OLD),
        ("remove", "agent_web", OLD),
        ("rename", "agent-next_web", NEW),
    ],
)
@pytest.mark.parametrize("verb_after", ["resume", "remove", "recreate"])
def test_who_is_killed_half_way_leaves_one_session(
    request_: SessionRequest, verb: str, name: str, image: str, verb_after: str
) -> None:
    engine = Mortal()
    old = session(engine, request_, running=True)
    engine.dies_at = lambda *step: step == (verb, name)
    with pytest.raises(Killed):
        moved(engine, old, started=True)
    engine.dead, engine.dies_at = False, lambda _verb, _name: False
    listed = find.list_sessions(engine)
    assert [(found.name, found.image) for found in listed] == [("web", image)]
    assert find.get(engine, "web") == listed[0]
    lifecycle.stop(engine, listed)
    left = find.get(engine, "web")
    if verb_after == "resume":
        assert lifecycle.resume(engine, left, EMPTY, screen=True).image == image
    elif verb_after == "recreate":
        assert moved(engine, left, started=True).image == NEW
    else:
        lifecycle.remove(engine, "web")
        assert containers(engine) == []
        assert engine.volume_labels("agent_web_home") is engine.volume_labels("agent_web_workspace") is None
        return
    assert containers(engine) == ["agent_web"]
    assert holds_its_home(engine)


def test_no_session_can_have_the_name_of_one_that_is_being_made_anew() -> None:
    assert not next_name("x").startswith(container_name(""))


@pytest.mark.parametrize("label", ["", "null", "[]", "{", '{"auto_approve": "yes"}', '{"unknown": 1}', "7"])
def test_options_made_by_hand_count_as_not_chosen(label: str) -> None:
    assert read_options(label) == Options()
