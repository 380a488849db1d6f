"""Random operations against a model: whatever is done in whatever order,
`ls --json` and the exit codes are what a page of rules says.

AGENT_SESSION_TEST_OPERATIONS is how many operations there are in all (50; `make nightly`: 1,000, at random).
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from agent_session.sessions.labels import LABEL_RUNS
from agent_session.sessions.names import container_name, next_name
from tests.account import Account
from tests.reliability import colors
from tests.reliability.inventory import Storekeeper
from tests.reliability.program import Ended, Program, Strike
from tests.storage import Storage

pytestmark = pytest.mark.podman

OPERATIONS = int(os.environ.get("AGENT_SESSION_TEST_OPERATIONS", "50"))
STEPS = 25
NAMES = ("work", "Work", "a.b-c")
names = st.sampled_from(NAMES)
agents = st.sampled_from(("shell", "tiny"))


@dataclass(frozen=True, kw_only=True)
class Known:
    """A session, as the model has it; `resumes`: an update was killed that had to stop it,
    so that the next one starts it again.
    """

    agent: str
    image: str
    running: bool
    resumes: bool = False

    def stopped(self) -> "Known":
        """By a person, who does not want it to run."""
        return replace(self, running=False, resumes=False)


State = dict[str, Known]


@dataclass(frozen=True, kw_only=True)
class World:
    """All of it: sessions, names whose volumes are left without a container,
    and the agents' current images.
    """

    sessions: State
    homes: frozenset[str]
    images: dict[str, str]

    def with_session(self, name: str, session: Known | None) -> "World":
        others = {one: known for one, known in self.sessions.items() if one != name}
        return replace(self, sessions=others | ({name: session} if session else {}))


Command = tuple[str, ...]
Outcome = tuple[int, World]


def expected(world: World, command: Command) -> Outcome:
    """The page of rules: a command's exit code, and the world after it."""
    verb, name = command[0], command[-1]
    known = world.sessions.get(name)
    if verb == "start":
        agent = command[command.index("-a") + 1]
        if known and known.agent != agent:
            return 5, world
        if known:
            return 0, world.with_session(name, started(known))
        new = Known(agent=agent, image=world.images[agent], running=True)
        return 0, replace(world.with_session(name, new), homes=world.homes - {name})
    if command == ("stop", "--all"):
        return 0, replace(world, sessions={one: k.stopped() for one, k in world.sessions.items()})
    if verb == "rm" and known is None and name in world.homes:
        return 0, replace(world, homes=world.homes - {name})
    if known is None:
        return 4, world
    if verb == "rm":
        return (5, world) if known.running else (0, world.with_session(name, None))
    if verb == "update":
        runs = known.running or known.resumes
        return 0, world.with_session(
            name, Known(agent=known.agent, image=world.images[known.agent], running=runs)
        )
    return 0, world.with_session(name, known.stopped() if verb == "stop" else started(known))


def started(known: Known) -> Known:
    """By a start, which has nothing to do for what runs."""
    return known if known.running else replace(known, running=True, resumes=False)


def commands(name: str, agent: str) -> list[Command]:
    """What somebody may do with a session."""
    return [
        ("start", "-d", "-a", agent, "-n", name),
        ("restart", "-d", name),
        ("stop", name),
        ("rm", "-f", name),
        ("update", name),
    ]


some_command = st.builds(
    lambda name, agent, which: commands(name, agent)[which], names, agents, st.integers(0, 4)
)


class Machine(RuleBasedStateMachine):
    """One account, whose Podman is asked nothing that the model does not know."""

    account: Account
    keeper: Storekeeper
    project: Path
    built: dict[str, str]

    def __init__(self) -> None:
        super().__init__()
        self.program = Program(self.account.environment, self.account.home)
        for name in NAMES:
            self.keeper.remove(name)
        colors.paint(self.account, "red")
        images = {agent: self.program.ok("build", agent).strip() for agent in ("shell", "tiny")}
        self.world = World(sessions={}, homes=frozenset(), images=images)

    @rule(command=some_command)
    def one_command(self, command: Command) -> None:
        ended = self.program.run(*command, cwd=self.project)
        code, self.world = expected(self.world, command)
        self.check(command, ended, {code})

    @rule()
    def stop_all(self) -> None:
        self.one_command(("stop", "--all"))

    @rule(name=names)
    def attach_without_a_terminal(self, name: str) -> None:
        there = name in self.world.sessions
        self.check(("attach", name), self.program.run("attach", name), {2 if there else 4})

    @rule(first=some_command, second=some_command)
    def two_at_once(self, first: Command, second: Command) -> None:
        """As if one had come after the other."""
        running = [self.program.begin(*command, cwd=self.project) for command in (first, second)]
        ended = [one.wait() for one in running]
        told = [(one.code, "Traceback" in one.err) for one in ended]
        found = self.listed()
        possible = self.orders(first, second)
        for codes, world in possible:
            if told == [(code, False) for code in codes] and self.told(world) == found:
                self.world = world
                return
        raise AssertionError(f"{first} and {second} at once: {ended}, and then {found}; possible: {possible}")

    def orders(self, first: Command, second: Command) -> list[tuple[tuple[int, int], World]]:
        one, between = expected(self.world, first)
        two, after = expected(between, second)
        forth = ((one, two), after)
        two, between = expected(self.world, second)
        one, after = expected(between, first)
        return [forth, ((one, two), after)]

    @rule(color=st.sampled_from(colors.COLORS))
    def build(self, color: str) -> None:
        """The agent is changed, or not, and built: it is another image from now on."""
        colors.paint(self.account, color)
        image = self.program.ok("build", "tiny").strip()
        assert image == self.built[color]
        self.world = replace(self.world, images={**self.world.images, "tiny": image})

    @rule(command=some_command, at=st.integers(0, 20))
    def one_is_killed(self, command: Command, at: int) -> None:
        """At some step; the next command is then told what there is, and that is something between before and
        after.
        """
        code, after = expected(self.world, command)
        ended = self.program.run(*command, cwd=self.project, strike=Strike(at=at, signal=signal.SIGKILL))
        if ended.code != -signal.SIGKILL:
            self.world = after
            self.check(command, ended, {code})
            return
        name, found = command[-1], self.listed()
        before_, after_ = self.told(self.world).get(name), self.told(after).get(name)
        if found.get(name) not in (before_, after_):  # made and not begun yet, or ended and not begun again
            assert found[name] in [{**known, "status": "stopped"} for known in (before_, after_) if known], (
                command,
                ended,
            )
        if name in found:
            known = Known(
                agent=found[name]["agent"],
                image=found[name]["image"],
                running=found[name]["status"] == "running",
                resumes=self.resumes(name),
            )
            self.world = self.world.with_session(name, known)
        else:
            volumes = {volume["Name"] for volume in self.keeper.ask("GET", "/volumes/json") or []}
            left = (
                {name} if f"agent_{name}_home" in volumes or f"agent_{name}_workspace" in volumes else set()
            )
            self.world = replace(
                self.world.with_session(name, None), homes=(self.world.homes - {name}) | left
            )

    def resumes(self, name: str) -> bool:
        """Whether a killed update has left what says so."""
        unfinished = self.keeper.ask("GET", f"/containers/{next_name(name)}/json")
        return bool(unfinished and LABEL_RUNS in unfinished["Config"]["Labels"])

    @rule(name=names)
    def killed_behind_our_back(self, name: str) -> None:
        self.keeper.ask("POST", f"/containers/agent_{name}/kill")
        self.keeper.ask("POST", f"/containers/agent_{name}/wait")
        if known := self.world.sessions.get(name):
            self.world = self.world.with_session(name, replace(known, running=False))

    @rule(name=names)
    def removed_behind_our_back(self, name: str) -> None:
        for container in (container_name(name), next_name(name)):
            self.keeper.ask("DELETE", f"/containers/{container}?force=true&timeout=0")
        if name in self.world.sessions:
            self.world = replace(self.world.with_session(name, None), homes=self.world.homes | {name})

    @rule()
    def reboot(self) -> None:
        """Everything that runs is killed, everything in memory is gone; what lies there instead is stale."""
        self.account.podman("kill", "--all")
        self.keeper.close()
        while left := self.account.processes():
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        subprocess.run(["podman", "unshare", "rm", "-rf", self.account.runtime], check=True)
        leave_stale(self.account.runtime)
        self.keeper.open()
        ended = {one: replace(known, running=False) for one, known in self.world.sessions.items()}
        self.world = replace(self.world, sessions=ended)

    @invariant()
    def ls_is_what_the_model_says(self) -> None:
        assert self.listed() == self.told(self.world)

    def check(self, command: Command, ended: Ended, codes: set[int]) -> None:
        assert ended.code in codes, f"{command}: {ended}, not {codes}"
        assert "Traceback" not in ended.err, f"{command}: {ended}"

    def listed(self) -> dict[str, dict[str, str]]:
        """`ls --json`, as far as the model goes."""
        found = json.loads(self.program.ok("ls", "--json"))
        for session in found:
            assert session["container"] == f"agent_{session['name']}" or session["container"].startswith(
                "agent-next_"
            )
            assert session["projects"] == [
                {"source": str(self.project), "target": "/workspace/app", "read_only": False}
            ]
        return {s["name"]: {key: s[key] for key in ("agent", "image", "status")} for s in found}

    def told(self, world: World) -> dict[str, dict[str, str]]:
        """The same, of the model."""
        return {
            name: {
                "agent": known.agent,
                "image": known.image,
                "status": "running" if known.running else "stopped",
            }
            for name, known in world.sessions.items()
        }


def leave_stale(runtime: Path) -> None:
    """Sockets and locks of processes that are dead, one of them with the number of a process that lives."""
    ours, theirs = runtime / "agent-session", runtime / "podman"
    for folder in (runtime, ours, theirs):
        folder.mkdir(mode=0o700, exist_ok=True)
    for path in (ours / "podman-4194000-dead.sock", theirs / "podman.sock"):
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    for name in (*(f"session-{name}" for name in NAMES), "build", "placeholders"):
        (ours / f"{name}.lock").write_text(f"{os.getppid()}\n")


@pytest.fixture
def machine(account: Account, storage: Storage) -> Iterator[type[Machine]]:
    """The machine, on an account with a repository as its project and an agent that can be built anew."""
    project = account.project(README="hello")
    subprocess.run(["git", "init", "-q", "."], cwd=project, env=account.environment, check=True)
    built = colors.build(storage)
    keeper = Storekeeper(account)
    try:
        yield type(
            "Machine", (Machine,), {"account": account, "keeper": keeper, "project": project, "built": built}
        )
        account.ok("stop", "--all")
    finally:
        keeper.close()


def test_whatever_is_done_ls_and_the_exit_codes_are_as_the_model_says(machine: type[Machine]) -> None:
    ours = OPERATIONS <= 100  # the same every time: a test that fails by chance is somebody else's morning
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=max(1, OPERATIONS // STEPS),
            stateful_step_count=STEPS,
            derandomize=ours,
            deadline=None,
            database=None,
            phases=[Phase.generate],  # to shrink a failure would take longer than to read it
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        ),
    )
