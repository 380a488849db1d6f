"""`agent-session build`: build agents' images."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from agent_session.cli import output
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Argument, Option
from agent_session.config import DEFAULT_AGENT
from agent_session.errors import Hint, UsageError
from agent_session.host import paths

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.engine.protocol import Engine
    from agent_session.images.build import Workshop

Agents = Annotated[
    list[str] | None,
    Argument(metavar="[AGENT]...", help="Agents. [env: AGENT_SESSION_AGENT] [default: claude]"),
]
All = Annotated[bool, Option("--all", help="All agents.")]
NoCache = Annotated[bool, Option("--no-cache", help="Build everything again, on a new base image.")]


Latest = Annotated[
    bool,
    Option("--latest", help="Find the newest published version, and use it from now on if it can be built."),
]


def build(
    invocation: Invocation,
    agents: Agents = None,
    every: All = False,
    no_cache: NoCache = False,
    latest: Latest = False,
) -> None:
    """Build the images of agents and print their names; one that is current is left alone."""
    from agent_session.agents.catalog import choose
    from agent_session.images import build as images

    if every and agents:
        raise UsageError("--all and names contradict each other", hint=Hint("build", ["--all"]))
    known = invocation.agents()
    wanted = [
        choose(known, name)
        for name in (known if every else agents or [invocation.config.agent or DEFAULT_AGENT])
    ]
    workshop = invocation.workshop()
    with invocation.engine() as engine:
        for agent in wanted:
            if latest and (agent.package or not every):
                workshop = _with_newest(engine, workshop, agent)
            if not no_cache and images.is_current(engine, workshop, agent):
                images.clear_up(engine, workshop)
                print(images.reference(engine, workshop, agent))
                _keep(workshop, latest=latest)
                continue
            with output.build_progress(f"Building {agent.title}") as tell:
                built = images.ensure_image(engine, workshop, agent, tell=tell, no_cache=no_cache)
            print(built)
            _keep(workshop, latest=latest)


def _with_newest(engine: "Engine", workshop: "Workshop", agent: "Agent") -> "Workshop":
    """The workshop with the newest version's pins, which are not kept yet."""
    from agent_session.images import build as images
    from agent_session.images import pins as newest

    if agent.package is None:
        raise UsageError(
            f"{agent.title} is not made of a published package", hint=Hint("build", [agent.name])
        )
    with output.build_progress("Looking for the newest version") as tell:
        base = images.ensure_base(engine, workshop, tell=tell)
    pins = newest.newest(engine, base, agent.package, workshop.ca_bundle)
    found, used = pins[agent.package.version], images.versions(workshop).get(agent.package.version, "0")
    if newest.is_older(found, used):
        note(f"{agent.title}: {found} is the newest published version, and {used} is used; it stays")
        return workshop
    if found == used:
        note(f"{agent.title}: {found} is the newest published version, and it is used")
        return workshop
    note(f"{agent.title}: {found} is the newest published version; {used} was used")
    return replace(workshop, pins={**workshop.pins, **pins})


def _keep(workshop: "Workshop", *, latest: bool) -> None:
    """Only what could be built is recorded: a failed build leaves the versions that there were."""
    from agent_session.images.pins import read_pins, write_pins

    file = paths.pins_file()
    if latest and read_pins(file) != workshop.pins:
        write_pins(file, workshop.pins)
        note(f"recorded in {file}; move your sessions: agent-session update --all")
