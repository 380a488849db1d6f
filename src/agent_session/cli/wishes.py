"""Choices become a wish, a person answers open questions, and the wish is fulfilled.

Who comes back to a session that runs waits for what is imported here: what only others need is imported where
they need it. While a person thinks, and while an image is built, nothing is locked; what can never be right
is refused before.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agent_session import sanitize
from agent_session.cli import terminal
from agent_session.cli.context import Exit, Invocation, directory, note, on_terminal
from agent_session.config import DEFAULT_AGENT, DEFAULT_SESSION, Config
from agent_session.errors import ConflictError, Hint
from agent_session.images.errors import ImageMissing
from agent_session.sessions import find, start, steps, which
from agent_session.sessions.options import LENT, NONE, Options
from agent_session.sessions.wish import Wish

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.engine.protocol import Engine
    from agent_session.images.build import Workshop
    from agent_session.sessions.find import Found
    from agent_session.sessions.session import Session


def wish(config: Config, *, screen: bool) -> Wish:
    """All that was chosen for a start; with `screen` it waits until the agent shows something."""
    chosen = {field.name: getattr(config, field.name) for field in fields(Options)}
    lists = {name: _listed(chosen[name]) for name in ("publish", "label")}
    return Wish(
        name=config.name or DEFAULT_SESSION,
        agent=config.agent,
        projects=config.projects,
        directory=directory(),
        clone=config.clone,
        with_changes=config.with_changes,
        mounts=config.mounts,
        kob=config.kob,
        allow_secret_directories=config.allow_secret_directories,
        options=Options(**chosen | {"ssh_agent": LENT if config.ssh_agent else ""} | lists),
        fresh=config.fresh,
        insisted=config.insisted,
        import_from=Path(config.import_from).expanduser() if config.import_from else None,
        screen=screen,
    )


def _listed(values: tuple[str, ...]) -> tuple[str, ...]:
    """Each value once; without the word that says that there are none."""
    return tuple(dict.fromkeys(value for value in values if value != NONE))


def again(config: Config, name: str, *, screen: bool) -> Wish:
    """To have a session run as it is: nothing of it is chosen anew but what the environment insists on."""
    whole = wish(config, screen=screen)
    return replace(
        whole,
        name=name,
        agent=None,
        projects=(),
        import_from=None,
        insisted=config.insisted - {"agent", "projects"},
    )


def imported(wanted: Wish, home: Path, *, ask: bool) -> Wish:
    """Complete a wish from its archive.

    On a terminal, projects that only the archive names are asked about. Raises UsageError elsewhere.
    """
    if wanted.import_from is None:
        return wanted
    from agent_session.sessions import archive

    manifest = archive.read_manifest(wanted.import_from)
    projects = archive.suggested(wanted, manifest, home)
    if projects and ask and on_terminal():
        from agent_session.cli import hints, questions

        note("The archive names these projects:", needed=True)
        for project in projects:
            note(f"  {sanitize.shown(project)}", needed=True)
        if not questions.confirm("Mount these directories read-write?", default=False):
            note("nothing was imported", needed=True)
            for line in hints.lines(archive.commands(wanted, manifest, projects)):
                note(line, needed=True)
            raise Exit(1)
        wanted = replace(wanted, projects=projects)
    return archive.wished(wanted, manifest, home, note)


def named_here(wanted: Wish, known: Mapping[str, "Found"], config: Config) -> Wish:
    """Choose the session where neither NAME nor PROJECT was typed, with a question on a terminal."""
    if config.name or config.projects or wanted.import_from:
        return wanted
    return replace(wanted, name=_name_here(known, config))


def _name_here(known: Mapping[str, "Found"], config: Config) -> str:
    here = directory()
    there = which.containing([found.session for found in known.values()], here) if here else []
    if "agent" in config.insisted:
        there = [one for one in there if one.agent == config.agent] or there
    if there:
        best, *others = sorted(there, key=lambda one: (one.running, one.started or one.created), reverse=True)
        if others:
            also = ", ".join(one.name for one in others)
            note(f"session '{best.name}'; this directory is also in: {also} (agent-session start -n NAME)")
        return best.name
    if here is None or DEFAULT_SESSION not in known:
        return DEFAULT_SESSION
    name = find.free_name(known, here)
    if not on_terminal():
        raise ConflictError(
            f"session '{DEFAULT_SESSION}' does not contain {here}",
            hint=(
                Hint("start", ["-n", name], note="a new session"),
                Hint("start", ["-n", DEFAULT_SESSION], note="the session that exists"),
            ),
        )
    from agent_session.cli import questions

    answers = {name: f"start a new session '{name}' here", DEFAULT_SESSION: f"attach to '{DEFAULT_SESSION}'"}
    return questions.choose(f"Session '{DEFAULT_SESSION}' does not contain {here}:", answers, name)


def fulfil(
    invocation: Invocation,
    engine: "Engine",
    wanted: Wish,
    *,
    build: bool | None,
    found: "Found | None" = None,
    before: Callable[[steps.Step], None] = lambda _step: None,
) -> "tuple[steps.Step, Session]":
    """Ask, decide and perform. `found` was read before the lock was held; `before` gets the step."""
    installation = invocation.installation
    asked = False

    def check() -> None:
        if not found:  # what a session is made of matters only where there is none
            start.check(engine, wanted, installation)

    while True:
        with invocation.locked(wanted.name, before_waiting=check) as waited:
            if waited or not (found and find.is_up(found)):
                engine.connect_soon()
                found = find.look(engine, wanted.name)
            step = None
            if found or wanted.agent or not _can_pick(invocation):
                step = start.decide_for(engine, wanted, installation, found)
                if build is False and isinstance(step, steps.Create) and not step.built:
                    step = _on_older_image(engine, step)
                if asked or getattr(step, "built", True):
                    return step, _performed(invocation, engine, step, wanted, before)
        if isinstance(step, steps.Create | steps.Replace):
            ensure_image(invocation, engine, installation.workshop(), step.request.agent, build=build)
            asked = True
        else:
            check()
            wanted = replace(wanted, agent=_pick(invocation, engine))
        found = None


def _performed(
    invocation: Invocation,
    engine: "Engine",
    step: steps.Step,
    wanted: Wish,
    before: Callable[[steps.Step], None],
) -> "Session":
    before(step)
    if isinstance(step, steps.Attach):
        return start.perform(engine, step, None, note)
    seed = start.seed_for(engine, step, wanted, invocation.installation)
    agent = step.agent if isinstance(step, steps.Deliver) else step.request.agent
    with terminal.patience(f"{agent.title if agent else 'the agent'}'s screen"):
        return start.perform(engine, step, seed, note)


def _on_older_image(engine: "Engine", step: steps.Create) -> steps.Create:
    """The same with the image that is there, where it is out of date and nothing is to be built."""
    from agent_session.images import build as images

    agent = step.request.agent
    older = images.older(engine, agent.name)
    if older is None:
        return step
    why = f"the image of {agent.title} is out of date, and the session gets it as it is"
    line = f"{why}; to renew it: agent-session build {agent.name} && agent-session update {step.request.name}"
    return replace(step, request=replace(step.request, image=older), built=True, notes=(*step.notes, line))


def ensure_image(
    invocation: Invocation, engine: "Engine", workshop: "Workshop", agent: "Agent", *, build: bool | None
) -> str:
    """The agent's current image, built if that may be: without `build` (None) a person is asked."""
    from agent_session.agents import seed
    from agent_session.agents.stored_login import login_secret
    from agent_session.cli import output
    from agent_session.images import build as images

    if images.is_current(engine, workshop, agent):
        return images.reference(engine, workshop, agent)
    older = images.older(engine, agent.name) is not None
    if build is None and on_terminal():
        from agent_session.cli import questions

        stored = engine.secret_id(login_secret(agent.name)) is not None
        if line := seed.login_note(agent, invocation.environment, stored=stored):
            note(line)
        state = "out of date" if older else "not built"
        if not questions.confirm(f"Image {state}. Build now?", default=True):
            note(f"nothing was built or started; to build it: agent-session build {agent.name}", needed=True)
            if older:
                old = f"agent-session start --no-build -a {agent.name}"
                note(f"with the image that is there: {old}", needed=True)
            raise Exit(1)
        build = True
    if not build:
        raise ImageMissing(agent.name, older=older)
    with output.build_progress(f"Building {agent.title}") as tell:
        return images.ensure_image(engine, workshop, agent, tell=tell)


def _can_pick(invocation: Invocation) -> bool:
    return on_terminal() and len(invocation.agents()) > 1


def _pick(invocation: Invocation, engine: "Engine") -> str:
    from agent_session.agents import seed
    from agent_session.agents.stored_login import login_secret
    from agent_session.cli import questions
    from agent_session.images import build

    workshop, agents, built = invocation.workshop(), invocation.agents(), engine.images.references()
    choices = []
    for agent in agents.values():
        lacks = [] if build.reference(engine, workshop, agent) in built else ["not built"]
        stored = engine.secret_id(login_secret(agent.name)) is not None
        if seed.login_note(agent, invocation.environment, stored=stored):
            login = f"log in first: agent-session login {agent.name}"
            lacks.append(login if agent.login else "no login found")
        choices.append(
            questions.Choice(name=agent.name, title=agent.title, state=", ".join(lacks) or "ready")
        )
    return questions.pick_agent(choices, DEFAULT_AGENT if DEFAULT_AGENT in agents else choices[0].name)
