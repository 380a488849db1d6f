"""`agent-session rm`: remove stopped sessions, but never a project, and no work unasked."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli import questions
from agent_session.cli.context import Invocation, note, on_terminal
from agent_session.cli.options import All, Names
from agent_session.cli.parameters import Option
from agent_session.errors import ConflictError, EngineRefused, Hint, UsageError
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

    What is in the volumes and nowhere else is listed; with --force it is a reason to stop (exit code 5), unless --discard-work.
    """
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
        found = {name: find.find_session(engine, name) for name in wanted}
        for (
            name,
            session,
        ) in found.items():  # all or none: nothing is asked or removed where one name is wrong
            if session and session.running:
                raise SessionRunning(name)
            if not session:
                find.check_removable(engine, name)
        if not config.force and not on_terminal():
            raise UsageError(
                "rm asks first, and there is no terminal to ask on",
                hint=Hint("rm", ["--force", *(["--all"] if every else wanted)]),
            )
        for name, session in found.items():
            if not config.force:
                _tell(name, _work(invocation, engine, name, session))
            elif not config.discard_work and (
                lost := _work(invocation, engine, name, session, glance=True).lost
            ):
                raise WorkAtRisk(name, lost, clones=bool(session and session.clones))
        if not config.force:
            what = ", ".join(f"'{name}'" for name in wanted)
            if not questions.confirm(f"Remove {what} with all conversations? Projects stay.", default=False):
                raise ConflictError("nothing removed")
        for name in wanted:
            with invocation.locked(name):
                lifecycle.remove(engine, name)
                if (session := found[name]) and session.clones:
                    from agent_session.sessions import clones

                    clones.release(name, session.clones, invocation.environment)


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
