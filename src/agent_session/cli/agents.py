"""`agent-session agents`: which agents there are, and whether they are ready."""

from typing import Annotated

import typer

from agent_session.cli import render
from agent_session.cli.invocation import of

Json = Annotated[bool, typer.Option("--json", help="A list of objects on stdout.")]


def agents(context: typer.Context, as_json: Json = False) -> None:
    """List agents: is the image built, was a login found."""
    from agent_session import images, seed

    invocation = of(context)
    workshop = invocation.workshop()
    with invocation.engine() as engine:
        built = engine.images()
        found = [(agent, images.reference(engine, workshop, agent)) for agent in invocation.agents().values()]
    listed = [
        {
            "name": agent.name,
            "title": agent.title,
            "image": image,
            "built": image in built,
            "credentials": [{"name": c.name, "found": c.found} for c in seed.credentials(agent, invocation.environment)],
            "folder": str(agent.folder),
        }
        for agent, image in found
    ]
    if as_json:
        render.print_json(listed)
        return
    rows = [
        (
            agent.name,
            agent.title,
            "built" if image in built else "not built",
            "none found" if seed.login_note(agent, invocation.environment) else "found" if agent.credentials else "none needed",
        )
        for agent, image in found
    ]
    render.print_table(("AGENT", "TITLE", "IMAGE", "LOGIN"), rows)
