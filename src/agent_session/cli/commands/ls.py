"""`agent-session ls`: all sessions and their status, and what their agents do."""

import typer

from agent_session.cli import output
from agent_session.cli.context import note, of
from agent_session.cli.options import JsonList


def ls(context: typer.Context, as_json: JsonList = False) -> None:
    """List all sessions with their status."""
    from agent_session.activity import state
    from agent_session.sessions import find

    with of(context).engine(one_question=True) as engine:
        found = find.list_sessions(engine)
        now = state.read(engine, found)
    if as_json:
        output.print_json([output.session_json(session, now[session.name]) for session in found])
        return
    if not found:
        note("no sessions; start one in a project's directory: agent-session start")
        return
    rows = [
        (
            s.name,
            s.agent,
            s.status,
            now[s.name].value,
            output.since(now[s.name]),
            output.ago(s.created),
            "auto-approve" if s.options.auto_approve else "-",
            ", ".join(str(project.source) for project in s.projects),
        )
        for s in found
    ]
    columns = ("NAME", "AGENT", "STATUS", "STATE", "SINCE", "CREATED", "OPTIONS", "PROJECTS")
    output.print_table(columns, rows, less=("CREATED", "OPTIONS", "SINCE"))
