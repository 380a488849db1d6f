"""`agent-session ls`: all sessions and their status, and what their agents do."""

import typer

from agent_session.cli import render
from agent_session.cli.arguments import JsonList
from agent_session.cli.invocation import note, of


def ls(context: typer.Context, as_json: JsonList = False) -> None:
    """List all sessions with their status."""
    from agent_session import sessions, states

    with of(context).engine(one_question=True) as engine:
        found = sessions.list_sessions(engine)
        now = states.read(engine, found)
    if as_json:
        render.print_json([render.session_json(session, now[session.name]) for session in found])
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
            render.since(now[s.name]),
            render.ago(s.created),
            "auto-approve" if s.options.auto_approve else "-",
            ", ".join(str(project.source) for project in s.projects),
        )
        for s in found
    ]
    columns = ("NAME", "AGENT", "STATUS", "STATE", "SINCE", "CREATED", "OPTIONS", "PROJECTS")
    render.print_table(columns, rows, less=("CREATED", "OPTIONS", "SINCE"))
