"""The rows of the kill matrix: each verb with what it starts from. A new verb gets a row here."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.account import Account
from tests.reliability import colors
from tests.reliability.inventory import Storekeeper
from tests.reliability.program import Program

TOKEN = "sk-ant-oat01-" + "a" * 80


@dataclass(frozen=True, kw_only=True)
class Bench:
    """What every row works on: an account with a project, two agents of its own,
    and a way to look at all of it.
    """

    account: Account
    program: Program
    keeper: Storekeeper
    project: Path

    def state(self, name: str) -> str:
        """What Podman says of a session: running, stopped, or absent."""
        runs = self.keeper.states().get(f"agent_{name}")
        return {None: "absent", True: "running", False: "stopped"}[runs]

    def bring(self, name: str, wanted: str) -> None:
        """Bring a session into a state, by commands that are not struck."""
        state = self.state(name)
        if wanted == "absent":
            if state == "running":
                self.program.ok("stop", name)
            self.keeper.remove(name)
            return
        if state == "absent":
            self.program.ok("start", "-d", "-a", "shell", "-n", name, self.project)
        elif wanted == "running" and state == "stopped":
            self.program.ok("start", "-d", "-n", name)
        if wanted == "stopped":
            self.program.ok("stop", name)


Step = Callable[[Bench], object]


@dataclass(frozen=True, kw_only=True)
class Row:
    """A command; `before` brings about what it starts from.

    `codes` are those of a run that nobody strikes, `again` those of one that finds it done;
    `then` is what remains to be done in that case.
    One that is `endless` is interrupted when it has said something;
    one for `several` things may have done it for some of them.
    """

    name: str
    arguments: Callable[[Bench], Sequence[str | Path]]
    before: tuple[Step, ...] = ()
    codes: tuple[int, ...] = (0,)
    again: tuple[int, ...] = ()
    then: tuple[Step, ...] = ()
    stdin: str = ""
    terminal: bool = False
    endless: bool = False
    several: bool = False


def session(name: str, state: str) -> Step:
    """The session is running, stopped or absent."""
    return lambda bench: bench.bring(name, state)


def absent(*names: str) -> tuple[Step, ...]:
    """None of these sessions is there."""
    return tuple(session(name, "absent") for name in names)


def without(path: str) -> Step:
    """There is no such file in the home directory."""
    return lambda bench: (bench.account.home / path).unlink(missing_ok=True)


def outdated(state: str) -> Step:
    """The agent `tiny` has the other colour from now on: its session `old` is not on the current image."""

    def before(bench: Bench) -> None:
        if bench.state("old") == "absent":
            bench.program.ok("start", "-d", "-a", "tiny", "-n", "old", bench.project)
        bench.bring("old", state)
        image = bench.keeper.ask("GET", "/containers/agent_old/json")["ImageName"]
        for color in colors.COLORS:
            colors.paint(bench.account, color)
            if bench.program.ok("build", "tiny").strip() != image:
                return

    return before


def unbuilt(bench: Bench) -> None:
    """There is no image of the agent `fresh`."""
    for image in bench.keeper.ask("GET", "/images/json") or []:
        for name in image.get("Names") or []:
            if "agent-session-fresh:" in name:
                bench.keeper.ask("DELETE", f"/images/{name}")


def built(bench: Bench) -> None:
    """There is an image of the agent `fresh`."""
    bench.program.ok("build", "fresh")


def prompted(bench: Bench) -> None:
    """A session of an agent that can be given prompts."""
    if bench.state("p") == "absent":
        bench.program.ok("start", "-d", "-a", "stub", "-n", "p", bench.project)


def asked(bench: Bench) -> None:
    """Its agent waits for an answer."""
    prompted(bench)
    [listed] = [one for one in json.loads(bench.program.ok("ls", "--json")) if one["name"] == "p"]
    if listed["state"]["value"] != "waiting":
        bench.program.ok("wait", "p", "--until", "idle")
        bench.program.ok("prompt", "p", "ask touch x")
        bench.program.ok("wait", "p", "--until", "waiting")


def exported(bench: Bench) -> None:
    """An archive to import."""
    archive = bench.account.home / "import.tar.zst"
    if not archive.exists():
        bench.bring("m", "stopped")
        bench.program.ok("export", "m", archive)


def logged_out(bench: Bench) -> None:
    """No login is stored."""
    bench.keeper.ask("DELETE", "/secrets/agent-session-login-claude")


def logged_in(bench: Bench) -> None:
    """A login is stored."""
    bench.program.ok("login", "claude", "--token-stdin", stdin=f"{TOKEN}\n")


def words(*said: str) -> Callable[[Bench], Sequence[str | Path]]:
    """Arguments in which {home} and {project} are the account's."""
    return lambda bench: [word.format(home=bench.account.home, project=bench.project) for word in said]


RUNS, RESTS = (session("m", "running"),), (session("m", "stopped"),)
ROWS: tuple[Row, ...] = (
    Row(
        name="start, new",
        arguments=words("start", "-d", "-a", "shell", "-n", "m", "{project}"),
        before=absent("m"),
    ),
    Row(name="start, stopped", arguments=words("start", "-d", "-n", "m"), before=RESTS),
    Row(name="start, running", arguments=words("start", "-d", "-n", "m"), before=RUNS),
    Row(
        name="start --dry-run", arguments=words("start", "--dry-run", "-a", "shell", "-n", "new", "{project}")
    ),
    Row(name="restart", arguments=words("restart", "-d", "m"), before=RESTS),
    Row(name="restart, running", arguments=words("restart", "-d", "m"), before=RUNS),
    Row(name="attach", arguments=words("attach", "m"), before=RUNS, terminal=True),
    Row(name="exec", arguments=words("exec", "m", "--", "true"), before=RUNS),
    Row(name="send", arguments=words("send", "m", "true"), before=RUNS),
    Row(name="screen", arguments=words("screen", "m"), before=RUNS),
    Row(name="logs", arguments=words("logs", "m"), before=RUNS),
    Row(name="status", arguments=words("status", "m"), before=RUNS),
    Row(name="wait", arguments=words("wait", "m"), before=RUNS),
    Row(name="prompt", arguments=words("prompt", "--wait", "p", "hello"), before=(prompted,)),
    Row(name="models", arguments=words("models", "p"), before=(prompted,)),
    Row(name="chat", arguments=words("chat", "p", "hello"), before=(prompted,)),
    Row(name="answer", arguments=words("answer", "p", "once"), before=(asked,), again=(5,)),
    Row(name="watch", arguments=words("watch"), before=RUNS, codes=(130,), endless=True),
    Row(name="doctor", arguments=words("doctor"), before=RUNS, codes=(0, 1, 6)),
    Row(name="cp in, running", arguments=words("cp", "{project}/README", "m:/home/agent/"), before=RUNS),
    Row(
        name="cp out, running",
        arguments=words("cp", "m:/etc/hostname", "{home}/copied"),
        before=(without("copied"), *RUNS),
    ),
    Row(name="stop", arguments=words("stop", "m"), before=RUNS),
    Row(
        name="stop --all",
        arguments=words("stop", "--all"),
        several=True,
        before=(session("one", "running"), session("two", "running"), *RUNS),
    ),
    Row(name="cp in, stopped", arguments=words("cp", "{project}/README", "m:/home/agent/"), before=RESTS),
    Row(
        name="cp out, stopped",
        arguments=words("cp", "m:/home/agent/.bashrc", "{home}/copied"),
        before=(without("copied"), *RESTS),
    ),
    Row(
        name="export",
        arguments=words("export", "m", "{home}/export.tar.zst"),
        before=(without("export.tar.zst"), *RESTS),
    ),
    Row(
        name="start --import",
        arguments=words("start", "-d", "-n", "back", "--import", "{home}/import.tar.zst", "--no-projects"),
        before=(exported, *absent("back")),
        again=(5,),
        then=(session("back", "running"),),
    ),
    Row(name="rm -f", arguments=words("rm", "-f", "m"), before=RESTS, again=(4,)),
    Row(name="update, running", arguments=words("update", "old"), before=(outdated("running"),)),
    Row(name="update, stopped", arguments=words("update", "old"), before=(outdated("stopped"),)),
    Row(name="build", arguments=words("build", "fresh"), before=(unbuilt,)),
    Row(
        name="login",
        arguments=words("login", "claude", "--token-stdin"),
        before=(logged_out,),
        stdin=f"{TOKEN}\n",
    ),
    Row(name="logout", arguments=words("logout", "claude"), before=(logged_in,), again=(4,)),
    Row(
        name="uninstall",
        arguments=words("uninstall", "--force"),
        several=True,
        before=(*absent("m"), built, logged_in),
    ),
    Row(name="ls", arguments=words("ls"), before=RESTS),
    Row(name="agents", arguments=words("agents")),
)
