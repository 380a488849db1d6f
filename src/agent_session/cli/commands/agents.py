"""`agent-session agents`: which agents there are, and whether they are ready."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from agent_session.agents.stored_login import login_secret
from agent_session.cli import output, table
from agent_session.cli.context import Invocation
from agent_session.cli.options import JsonList

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent


def agents(invocation: Invocation, as_json: JsonList = False) -> None:
    """List agents: is the image built, was a login found."""
    from agent_session.images import build

    workshop = invocation.workshop()
    with invocation.engine() as engine:
        built = engine.images.references()
        found = [(agent, build.reference(engine, workshop, agent)) for agent in invocation.agents().values()]
        stored = {agent.name for agent, _ in found if engine.secret_id(login_secret(agent.name)) is not None}
    environment = invocation.environment
    if as_json:
        output.print_json([_shape(agent, image, built, stored, environment) for agent, image in found])
        return
    rows = [
        (
            agent.name,
            agent.title,
            _image_state(image, built),
            _login_state(agent, environment, stored=agent.name in stored),
        )
        for agent, image in found
    ]
    table.print_table(("AGENT", "TITLE", "IMAGE", "LOGIN"), rows)


def _shape(
    agent: "Agent", image: str, built: set[str], stored: set[str], environment: Mapping[str, str]
) -> dict[str, object]:
    from agent_session.activity import shapes
    from agent_session.agents import seed

    return shapes.agent(
        name=agent.name,
        title=agent.title,
        folder=str(agent.folder),
        image=image,
        built=image in built,
        logins={login.name: login.found for login in seed.credentials(agent, environment)},
        crossings=[*map(asdict, seed.crossings(agent, environment)), *_login(agent, stored)],
    )


def _login_state(agent: "Agent", environment: Mapping[str, str], *, stored: bool) -> str:
    from agent_session.agents import seed

    if seed.login_note(agent, environment, stored=stored):
        return "none found"
    return "found" if agent.credentials else "none needed"


def _image_state(image: str, built: set[str]) -> str:
    """Whether the image is the one that a session would be started with, an older one, or not there."""
    if image in built:
        return "built"
    repository = image.rpartition(":")[0]
    return "out of date" if any(one.startswith(f"{repository}:") for one in built) else "not built"


def _login(agent: "Agent", stored: set[str]) -> list[dict[str, object]]:
    """What `agent-session login` stored, as one more thing that crosses over."""
    if not agent.login:
        return []
    name = agent.login.variable or agent.login.target
    return [
        {
            "name": name,
            "kind": "login",
            "source": f"agent-session login {agent.name}",
            "found": agent.name in stored,
        }
    ]
