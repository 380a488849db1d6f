"""The dashboard, driven by keys on a terminal in memory, over sessions of an engine in memory."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path, PurePosixPath

import pytest
from textual.pilot import Pilot
from textual.widgets import DataTable, Input, Static

from agent_session import inside
from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.cli.dashboard.app import Dashboard
from agent_session.cli.dashboard.feed import Feed
from agent_session.engine.command import ExecResult
from agent_session.sessions import lifecycle
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project
from tests.fake_engine import FakeEngine
from tests.unit.state_file import line, write

IMAGE = "localhost/agent-session-stub:1"
AGENT = Agent(name="stub", title="Stub", folder=Path("/agents/stub"))
PERMISSION = {"kind": "permission", "text": "Bash:\nnpm test", "choices": ["once", "always", "reject"]}
QUESTION = {"kind": "question", "text": "Which colour?", "choices": ["red", "[bold]green"]}
Steps = Callable[[Pilot[None]], Awaitable[None]]


def screens(name: str, command: Sequence[str], _stdin: bytes) -> ExecResult:
    """Each session's terminal shows its name, in a colour."""
    shows = command[0] == inside.SHOW_SCREEN
    return ExecResult(exit_code=0, stdout=f"\x1b[32mthis is {name}\x1b[m [bold]".encode() if shows else b"")


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(images=[IMAGE], commands=screens)


@pytest.fixture
def make(engine: FakeEngine, home: Path) -> Callable[[str], Session]:
    """Sessions by name."""
    (home / "app").mkdir()

    def made(name: str) -> Session:
        project = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
        request = SessionRequest(name=name, agent=AGENT, image=IMAGE, projects=(project,))
        return lifecycle.create(engine, request, EMPTY, screen=False)

    return made


class Commands(list[list[str]]):
    """The commands that the dashboard ran, and how each ended."""

    code, said = 0, ""

    def __call__(self, words: Sequence[str]) -> tuple[int, str]:
        self.append([*words])
        return self.code, self.said


def drive(engine: FakeEngine, commands: Commands, steps: Steps, size: tuple[int, int] = (80, 24)) -> None:
    """Run the dashboard, and the steps of a test in it."""

    async def run() -> None:
        app = Dashboard(Feed(states=engine, screens=engine), run=commands, program="agent-session")
        async with app.run_test(size=size) as pilot:
            await steps(pilot)

    asyncio.run(asyncio.wait_for(run(), timeout=120))


async def until(pilot: Pilot[None], true: Callable[[], bool]) -> None:
    """Wait until something is true of the screen, as long as a slow machine needs."""
    while not true():
        await pilot.pause(0.02)


def names(pilot: Pilot[None]) -> list[str]:
    table = pilot.app.query_one(DataTable)
    return [str(table.get_row_at(row)[0]) for row in range(table.row_count)]


def words(pilot: Pilot[None], part: str) -> str:
    return str(pilot.app.query_one(part, Static).content)


def test_sessions_that_wait_for_a_person_come_first(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    for name, value in (("a", "idle"), ("b", "working"), ("c", "waiting"), ("d", "failed")):
        question = {"question": PERMISSION} if value == "waiting" else {}
        write(engine, make(name), line(value, **question))

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: names(pilot) == ["c", "d", "b", "a"])
        assert "4 sessions, 1 waiting" in words(pilot, "#title")

    drive(engine, Commands(), steps)


def test_the_chosen_session_shows_its_terminal_and_another_one_its_own(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    for name in ("api", "web"):
        write(engine, make(name), line("idle"))

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "this is agent_api [bold]" in words(pilot, "#screen"))
        await pilot.press("j")
        await until(pilot, lambda: "this is agent_web" in words(pilot, "#screen"))
        await pilot.press("k")
        await until(pilot, lambda: "this is agent_api" in words(pilot, "#screen"))

    drive(engine, Commands(), steps)


@pytest.mark.parametrize(
    ("question", "key", "answer"),
    [
        pytest.param(PERMISSION, "1", "once", id="once"),
        pytest.param(PERMISSION, "3", "reject", id="reject"),
        pytest.param(QUESTION, "2", "2", id="an option"),
    ],
)
def test_a_digit_answers_what_is_asked(
    engine: FakeEngine, make: Callable[[str], Session], question: dict[str, object], key: str, answer: str
) -> None:
    write(engine, make("web"), line("waiting", question=question))
    commands = Commands()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: str(question["text"]) in words(pilot, "#asked"))
        await pilot.press(key, "9")
        await until(pilot, lambda: bool(commands))

    drive(engine, commands, steps)
    assert commands == [["answer", "web", answer]]


def test_an_answer_can_be_clicked(engine: FakeEngine, make: Callable[[str], Session]) -> None:
    write(engine, make("web"), line("waiting", question=PERMISSION))
    commands = Commands()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "npm test" in words(pilot, "#asked"))
        await pilot.pause()
        await pilot.click("#asked", offset=(5, 4))  # below the border and two lines of the question
        await until(pilot, lambda: bool(commands))

    drive(engine, commands, steps)
    assert commands == [["answer", "web", "always"]]


def test_a_prompt_is_written_in_a_line_and_sent_with_enter(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    write(engine, make("web"), line("idle"))
    commands = Commands()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: names(pilot) == ["web"])
        await pilot.press("p", *"1 q", "escape")
        assert not pilot.app.query_one(Input).has_class("open")
        await pilot.press("p", "!", "enter")
        await until(pilot, lambda: bool(commands))

    drive(engine, commands, steps)
    assert commands == [["prompt", "web", "1 q!"]]


def test_an_answer_of_ones_own_is_only_asked_for_where_something_is_asked(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    write(engine, make("web"), line("idle"))

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: names(pilot) == ["web"])
        await pilot.press("i")
        assert not pilot.app.query_one(Input).has_class("open")

    drive(engine, Commands(), steps)


def test_what_a_command_says_of_its_failure_is_told(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    write(engine, make("web"), line("idle"))
    commands = Commands()
    commands.code, commands.said = 5, "error: [red]nothing to interrupt"

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: names(pilot) == ["web"])
        await pilot.press("x")
        await until(pilot, lambda: [n.message for n in pilot.app._notifications] == [commands.said])

    drive(engine, commands, steps)
    assert commands == [["interrupt", "web"]]


def test_a_running_session_is_stopped_and_a_stopped_one_started(
    engine: FakeEngine, make: Callable[[str], Session]
) -> None:
    write(engine, session := make("web"), line("idle"))
    commands = Commands()

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: names(pilot) == ["web"])
        await pilot.press("s")
        await until(pilot, lambda: len(commands) == 1)
        lifecycle.stop(engine, [session])
        await until(pilot, lambda: "s starts it" in words(pilot, "#screen"))
        await pilot.press("s")
        await until(pilot, lambda: len(commands) == 2)

    drive(engine, commands, steps)
    assert commands == [["stop", "web"], ["start", "--detach", "-n", "web"]]


def test_without_sessions_it_says_which_key_starts_one(engine: FakeEngine) -> None:
    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: "Press n to start one" in words(pilot, "#asked"))
        await pilot.press("enter", "s", "x", "r", "c", "1", "p")

    commands = Commands()
    drive(engine, commands, steps)
    assert commands == []


@pytest.mark.parametrize("size", [(80, 24), (40, 12), (200, 60)])
def test_fifty_sessions_are_usable_at_any_size(
    engine: FakeEngine, make: Callable[[str], Session], size: tuple[int, int]
) -> None:
    for number in range(50):
        write(engine, make(f"session-{number:02}"), line("idle"))

    async def steps(pilot: Pilot[None]) -> None:
        await until(pilot, lambda: len(names(pilot)) == 50)
        await pilot.press("ctrl+end")
        await until(pilot, lambda: "session-49" in words(pilot, "#screen"))

    drive(engine, Commands(), steps, size)
