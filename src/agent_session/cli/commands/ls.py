"""`agent-session ls`: all sessions and their status, and what their agents do."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agent_session.cli import output, table
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonList
from agent_session.cli.parameters import Option
from agent_session.engine import network_mode
from agent_session.errors import AgentSessionError, Hint, UsageError
from agent_session.sessions import review
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from agent_session.activity.state import State
    from agent_session.sessions.session import Session
    from agent_session.workspace.clones import Clone

Names = Annotated[bool, Option("-q", "--names", help="Names only, one per line.")]


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
    differing = review.counts(found)
    if as_json:
        from agent_session.activity import shapes

        output.print_json(
            [shapes.session(one, now[one.name], changes=differing.get(one.name, 0)) for one in found]
        )
    elif found:
        _print(found, now, differing)
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
            _print(found, now, review.counts(found))
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
    """The options to see at a glance: what the agent may do unasked, and what it is lent."""
    options = session.options
    switches = ("auto_approve", "git_signing", "ssh_agent", "github_token")
    told = [name.replace("_", "-") for name in switches if getattr(options, name)]
    if options.protect != protect_mode.REVIEW:
        told.append(f"protect {options.protect}")
    if options.network != network_mode.OPEN:
        told.append(f"network {options.network}")
    told += [f"port {one.host}" for one in session.published]
    return ", ".join(told)


def _cloned(clone: "Clone") -> str:
    return f"{clone.source or clone.target.name} (clone)"


def _print(found: "list[Session]", now: "dict[str, State]", differing: "dict[str, int]") -> None:
    """The sessions in a table; REVIEW is a column of it only where there is something to look at."""
    columns = ["NAME", "AGENT", "STATUS", "STATE", "SINCE", "CREATED", "OPTIONS", "REVIEW", "PROJECTS"]
    options = [_options(session) for session in found]
    rows = [
        [
            session.name,
            session.agent,
            session.status,
            now[session.name].value,
            output.since(now[session.name]),
            output.ago(session.created),
            *([told or "-"] if any(options) else []),
            *([f"{differing.get(session.name, 0)} changed"] if differing else []),
            ", ".join(_places(session, "")),
        ]
        for session, told in zip(found, options, strict=True)
    ]
    if not any(options):
        columns.remove("OPTIONS")
    if not differing:
        columns.remove("REVIEW")
    home = str(Path.home())
    places = [_places(session, home) for session in found]
    names = [[place.rpartition("/")[2] for place in some] for some in places]
    counts = [f"{some[0]} and {len(some) - 1} more" if some[1:] else "".join(some) for some in names]
    last = [[", ".join(some) for some in places], [", ".join(some) for some in names], counts]
    less = [name for name in ("CREATED", "OPTIONS", "SINCE") if name in columns]
    table.print_table(columns, rows, less=less, last=last)


def _places(session: "Session", home: str) -> list[str]:
    """The session's projects and clones as a person calls them: the home directory is ~ where it is given."""
    places = [str(project) for project in session.projects]
    if home:
        places = [
            f"~{place[len(home) :]}" if f"{place}/".startswith(f"{home}/") else place for place in places
        ]
    return [*places, *map(_cloned, session.clones)]
