"""`agent-session rm`: remove stopped sessions, but never a project, and no work unasked."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli import questions, reviews
from agent_session.cli.context import Exit, Invocation, note, on_terminal
from agent_session.cli.options import All, Names
from agent_session.cli.parameters import Option
from agent_session.errors import EngineRefused, Hint, UsageError
from agent_session.sessions.errors import SessionRunning, WorkAtRisk

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session
    from agent_session.sessions.unsaved_work import Work

DiscardWork = Annotated[
    bool | None,
    Option(
        "--discard-work",
        help="Remove even work that exists nowhere else. [env: AGENT_SESSION_DISCARD_WORK=1]",
    ),
]
Force = Annotated[
    bool | None,
    Option("-f", "--force", help="Do not ask. [env: AGENT_SESSION_FORCE=1]"),
]


def rm(
    invocation: Invocation,
    names: Names = None,
    every: All = False,
    force: Force = None,
    discard_work: DiscardWork = None,
) -> None:
    """Remove stopped sessions: container and volumes with their conversations. Projects are not touched.

    What is in the volumes and nowhere else is listed; with --force it is a reason to stop (exit code 5),
    unless --discard-work.
    """
    from agent_session.host import user_unit
    from agent_session.sessions import find, lifecycle

    config = invocation.config.with_flags(force=force, discard_work=discard_work)
    if every and names:
        raise UsageError("--all and names contradict each other", hint=Hint("rm", ["--all"]))
    if "name" in config.insisted and config.name and not every:
        names = names or [config.name]
    if not every and not names:
        raise UsageError("name the sessions to remove, or say --all", hint=Hint("ls"))
    with invocation.engine() as engine:
        wanted = list(dict.fromkeys(names or [session.name for session in find.list_sessions(engine)]))
        if not wanted:
            note("no sessions")
            return
        found = _removable(engine, wanted)
        for one in filter(None, found.values()):
            reviews.tell(one, remark="what was there before is forgotten with the session")
        if config.force:
            _check_work(invocation, engine, found, discard=config.discard_work)
        else:
            _ask(invocation, engine, found, insist=["--all"] if every else wanted)
        for name in wanted:
            with invocation.locked(name):
                lifecycle.remove(engine, name)
                if (session := found[name]) and session.clones:
                    from agent_session.sessions import clones

                    clones.release(name, session.clones, invocation.environment)
                user_unit.forget(name, invocation.environment)
                invocation.installation.forget_lock(name)


def _removable(engine: "Engine", names: list[str]) -> "dict[str, Session | None]":
    """The sessions of those names, None for remains of one. All can be removed, or an error is raised."""
    from agent_session.sessions import find

    found = {name: find.find_session(engine, name) for name in names}
    for name, session in found.items():
        if session and session.running:
            raise SessionRunning(name)
        if not session:
            find.check_removable(engine, name)
    return found


def _check_work(
    invocation: Invocation, engine: "Engine", found: "dict[str, Session | None]", *, discard: bool
) -> None:
    """WorkAtRisk where nobody is asked and there is work that exists nowhere else."""
    for name, session in found.items():
        if not discard and (lost := _work(invocation, engine, name, session, glance=True).lost):
            raise WorkAtRisk(name, lost, clones=bool(session and session.clones))


def _ask(
    invocation: Invocation, engine: "Engine", found: "dict[str, Session | None]", *, insist: list[str]
) -> None:
    """Show what would be lost and ask a person; a "no" ends the program."""
    if not on_terminal():
        raise UsageError(
            "rm asks first, and there is no terminal to ask on", hint=Hint("rm", ["--force", *insist])
        )
    for name, session in found.items():
        _tell(name, _work(invocation, engine, name, session))
    quoted = ", ".join(f"'{name}'" for name in found)
    if not questions.confirm(f"Remove {quoted} with all conversations? Projects stay.", default=False):
        note("nothing was removed", needed=True)
        raise Exit(1)


def _work(
    invocation: Invocation, engine: "Engine", name: str, session: "Session | None", *, glance: bool = False
) -> "Work":
    """The work that would be lost.

    With `glance` conversations are not counted where a quick look shows that there is nothing else.
    """
    from agent_session.sessions import unsaved_work

    agent = invocation.agent(session.agent) if session else None
    image = session.image if session else _any_built(engine)
    contents = unsaved_work.Contents(
        name=name,
        image=image,
        projects=session.projects if session else (),
        agent=agent,
        clones=session.clones if session else (),
    )
    if glance and unsaved_work.none_obviously(engine, contents):
        return unsaved_work.Work()
    try:
        return unsaved_work.at_risk(engine, contents)
    except EngineRefused as error:
        return unsaved_work.Work(lost=(f"what that is cannot be seen: {error.message}",))


def _any_built(engine: "Engine") -> str:
    from agent_session.images import build

    return build.any_built(engine)


def _tell(name: str, work: "Work") -> None:
    if work.lines:
        note(f"only in '{name}', and nowhere else:", needed=True)
        for line in work.lines:
            note(f"  {line}", needed=True)
