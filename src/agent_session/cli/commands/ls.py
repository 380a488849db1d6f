"""`agent-session ls`: all sessions and their status, and what their agents do."""

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated

from agent_session.activity import selection
from agent_session.cli import output, table
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonList
from agent_session.cli.parameters import Option
from agent_session.engine import network_mode
from agent_session.errors import AgentSessionError, Hint, UsageError
from agent_session.sessions import review
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent_session.activity.state import State
    from agent_session.activity.usage import Usage
    from agent_session.sessions.session import Session
    from agent_session.workspace.clones import Clone

MORE = ("MODEL", "TOKENS", "LABELS", "PORTS", "NOTE")
Names = Annotated[bool, Option("-q", "--names", help="Names only, one per line.")]


Filter = Annotated[
    list[str] | None,
    Option(
        "--filter",
        metavar="KEY=VALUE",
        help="Only sessions with that state, status, agent, name, project or label: state=waiting, "
        "label=team=web. Repeatable.",
    ),
]
Sort = Annotated[
    str | None,
    Option(
        "--sort",
        metavar="name|agent|state|since|created",
        parser=selection.sort_key,
        help="What they are ordered by; by state, those that need you come first. [default: name]",
    ),
]
Template = Annotated[
    str | None,
    Option(
        "--format",
        metavar="TEMPLATE",
        help="A line for each, with fields of its JSON in braces: '{name} {state.value} {labels.team}'.",
    ),
]
Wide = Annotated[bool, Option("--wide", help="More columns: MODEL, TOKENS, LABELS, PORTS and NOTE.")]


def ls(
    invocation: Invocation,
    as_json: JsonList = False,
    names: Names = False,
    filters: Filter = None,
    sort: Sort = None,
    template: Template = None,
    wide: Wide = False,
) -> None:
    """List all sessions with their status, what their agents do and since when, and their projects."""
    ways = {"--names": names, "--json": as_json, "--format": template is not None, "--wide": wide}
    chosen = [flag for flag, given in ways.items() if given]
    if len(chosen) > 1:
        raise UsageError(f"{chosen[0]} and {chosen[1]} contradict each other", hint=Hint("ls", ["--json"]))
    if names and not filters and not sort:
        from agent_session.sessions import find

        with invocation.engine(one_question=True) as engine:
            for session in find.list_sessions(engine):
                print(session.name)
        return
    found, now = _look(invocation)
    differing = review.counts(found)
    if not chosen and not filters and not sort:
        _tell(found, now, differing, wide=False)
        return
    from agent_session.activity import shapes

    shown = [shapes.session(one, now[one.name], changes=differing.get(one.name, 0)) for one in found]
    shown = selection.ordered(selection.matching(shown, filters or []), sort or "name")
    if as_json:
        output.print_json(shown)
    elif names or template is not None:
        for one in shown:
            print(one["name"] if template is None else selection.written(one, template))
    else:
        by_name = {session.name: session for session in found}
        chosen_ones = [by_name[one["name"]] for one in shown]
        _tell(
            chosen_ones,
            now,
            differing,
            wide=wide,
            used=_used(invocation, chosen_ones) if wide else {},
            all_of_them=not found,
        )


def _tell(
    found: "list[Session]",
    now: "dict[str, State]",
    differing: "dict[str, int]",
    *,
    wide: bool,
    used: "Mapping[str, Usage] | None" = None,
    all_of_them: bool = True,
) -> None:
    if found:
        _print(found, now, differing, wide=wide, used=used or {})
    elif all_of_them:
        note("no sessions; start one in a project's directory: agent-session start")
    else:
        note("no session fits")


def overview(invocation: Invocation) -> None:
    """What `agent-session` alone prints: the sessions, then how each command is called."""
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


def _more(session: "Session", used: "Usage | None") -> list[str]:
    """What --wide adds, as MORE has it."""
    from agent_session.sessions import user_note

    labels = ", ".join(session.options.label)
    ports = ", ".join(session.options.publish)
    tokens = f"{used.tokens:,}" if used and used.models else "-"
    return [session.options.model or "-", tokens, labels or "-", ports or "-", user_note.read(session) or "-"]


def _cloned(clone: "Clone") -> str:
    return f"{clone.source or clone.target.name} (clone)"


def _used(invocation: Invocation, found: "list[Session]") -> "dict[str, Usage]":
    from agent_session.activity import usage

    with invocation.engine() as engine:
        return usage.read_many(engine, found)


def _print(
    found: "list[Session]",
    now: "dict[str, State]",
    differing: "dict[str, int]",
    *,
    wide: bool = False,
    used: "Mapping[str, Usage]" = MappingProxyType({}),
) -> None:
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
            *(_more(session, used.get(session.name)) if wide else []),
            ", ".join(_places(session, "")),
        ]
        for session, told in zip(found, options, strict=True)
    ]
    columns[-1:] = [*(MORE if wide else []), "PROJECTS"]
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
