"""`agent-session ls`: all sessions and their status, and what their agents do."""

from typing import TYPE_CHECKING, Annotated

from agent_session.cli import output
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonList
from agent_session.cli.parameters import Option
from agent_session.errors import AgentSessionError, Hint, UsageError
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from agent_session.activity.state import State
    from agent_session.sessions.session import Session
    from agent_session.workspace.clones import Clone

Names = Annotated[bool, Option("-q", "--names", help="Names only, one a line.")]


def ls(invocation: Invocation, as_json: JsonList = False, names: Names = False) -> None:
    """List all sessions with their status, what their agents do and since when, and their projects."""
    if names and as_json:
        raise UsageError("--names and --json contradict each other", hint=Hint("ls", ["--json"]))
    if names:
        from agent_session.sessions import find

        with invocation.engine(one_question=True) as engine:
            for session in find.list_sessions(engine):
                print(session.name)
        return
    found, now = _look(invocation)
    if as_json:
        from agent_session.activity import shapes

        output.print_json([shapes.session(session, now[session.name]) for session in found])
    elif found:
        _print(found, now)
    else:
        note("no sessions; start one in a project's directory: agent-session start")


def overview(invocation: Invocation) -> None:
    """What `agent-session` alone shows: the sessions, then how each command is called."""
    from agent_session.cli import app

    try:
        found, now = _look(invocation)
    except AgentSessionError as error:
        note(f"the sessions cannot be listed: {error.message}\nhint: agent-session doctor")
    else:
        if found:
            _print(found, now)
            print()
    print(app.short_help(), end="")


def _look(invocation: Invocation) -> "tuple[list[Session], dict[str, State]]":
    from agent_session.activity import state
    from agent_session.sessions import find
    from agent_session.workspace import placeholders

    with invocation.engine(one_question=True) as engine:
        found = find.list_sessions(engine)
        ended = [placeholder for s in found if not s.running for placeholder in s.placeholders]
        if placeholders.any_left(ended):  # a session was killed: whoever looks finds his project as it was
            from agent_session.sessions import leftovers

            leftovers.tidy(engine)
        return found, state.read(engine, found)


def _options(session: "Session") -> str:
    """The options that a person should see at a glance: who may do what unasked."""
    options = session.options
    told = ["auto-approve"] if options.auto_approve else []
    if options.protect != protect_mode.REVIEW:
        told.append(f"protect {options.protect}")
    return ", ".join(told) or "-"


def _cloned(clone: "Clone") -> str:
    return f"{clone.source or clone.target.name} (clone)"


def _print(found: "list[Session]", now: "dict[str, State]") -> None:
    rows = [
        (
            s.name,
            s.agent,
            s.status,
            now[s.name].value,
            output.since(now[s.name]),
            output.ago(s.created),
            _options(s),
            ", ".join([*map(str, (one.source for one in s.projects)), *map(_cloned, s.clones)]),
        )
        for s in found
    ]
    columns = ("NAME", "AGENT", "STATUS", "STATE", "SINCE", "CREATED", "OPTIONS", "PROJECTS")
    output.print_table(columns, rows, less=("CREATED", "OPTIONS", "SINCE"))
