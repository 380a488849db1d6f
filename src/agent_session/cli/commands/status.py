"""`agent-session status`: everything about one session, and how it is known."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import of
from agent_session.cli.options import NameOrDefault
from agent_session.errors import Hint, UsageError
from agent_session.host.clock import utc

if TYPE_CHECKING:
    from agent_session.activity.describe import Portrait

Json = Annotated[bool, typer.Option("--json", help="An object on stdout.")]
Explain = Annotated[bool, typer.Option("--explain", help="Also how each of it is known.")]
Secrets = Annotated[
    bool, typer.Option("--secrets", help="With --json: also what is secret, such as a password.")
]


def status(
    context: typer.Context,
    name: NameOrDefault = None,
    as_json: Json = False,
    explain: Explain = False,
    secrets: Secrets = False,
) -> None:
    """Tell everything about one session: what its agent does and waits for, what it has and uses, what happened last."""
    from agent_session.activity import describe

    if secrets and not as_json:
        raise UsageError(
            "--secrets is for scripts: it needs --json", hint=Hint("status", ["--json", "--secrets"])
        )
    invocation = of(context)
    with invocation.engine(one_question=True) as engine:
        session = invocation.session(engine, name, verb="status")
        found = describe.paint(engine, session)
        hidden = {"secrets": describe.secrets(engine, session)} if secrets else {}
    explained = dict(describe.explanations(found)) if explain else {}
    if as_json:
        output.print_json(_json(found) | hidden | ({"explained": explained} if explain else {}))
        return
    for key, value in [*_lines(found), *((f"how: {what}", how) for what, how in explained.items())]:
        print(f"{key + ':':22} {sanitize.shown(value)}")


def _json(found: "Portrait") -> dict[str, Any]:
    from agent_session.activity import state as states

    session = found.session
    return output.session_json(session) | {
        "state": states.as_json(found.state, question=True),
        "container_id": session.id,
        "pid": session.pid,
        "started": utc(session.started) if session.started else None,
        "mounts": list(map(str, session.mounts)),
        "kob": str(session.kob) if session.kob else None,
        "login_stored": session.login is not None,
        "protection": session.protection or None,
        "volumes": dict(found.volumes),
        "processes": found.processes,
        "memory": found.memory,
        "events": [{"time": utc(e.time), "event": e.kind, "detail": e.detail} for e in found.events],
    }


def _lines(found: "Portrait") -> Iterator[tuple[str, str]]:
    from agent_session.sessions import endpoint

    session, state = found.session, found.state
    began = f", since {_local(state.since)} ({output.ago(state.since)})" if state.since else ""
    yield "session", session.name
    yield "agent", session.agent
    yield "status", session.status
    yield "state", f"{state.value}{began}"
    if state.reason:
        yield "why", state.reason
    yield "source", state.source
    if state.question:
        yield "question", f"{state.question.kind}: {' / '.join(state.question.text.splitlines())}"
        if state.question.choices:
            yield "answers", ", ".join(state.question.choices)
    for project in session.projects:
        yield "project", f"{project.source} at {project.target}"
    for mount in session.mounts:
        yield "mount", f"{mount}, read-only"
    if session.kob:
        yield "mount", str(session.kob)
    yield "container", f"{session.container} {session.id[:12]}"
    if session.ports:
        reached = [url for url in (endpoint.host_url(session), endpoint.base_url(session)) if url]
        yield "server", ", ".join(reached) or "not while it is stopped"
    yield "image", session.image
    yield "made", f"{_local(session.created)} ({output.ago(session.created)})"
    if session.started:
        yield "started", f"{_local(session.started)} ({output.ago(session.started)})"
    yield "options", ", ".join(_options(found)) or "-"
    yield "login stored", "yes" if session.login else "no"
    yield "protection", f"yes ({session.protection[:12]})" if session.protection else "no"
    for volume, there in found.volumes.items():
        yield "volume", volume if there else f"{volume}, which is gone"
    if found.processes is not None and found.memory is not None:
        yield "uses", f"{found.memory / 1e6:.0f} MB, {found.processes} processes"
    for event in found.events:
        yield "event", f"{_local(event.time)} {event.kind}"


def _options(found: "Portrait") -> Iterator[str]:
    options = found.session.options
    for told, chosen in (
        ("auto-approve", options.auto_approve),
        ("no user configuration", not options.user_config),
        ("git signing", options.git_signing),
        ("ssh-agent", options.ssh_agent),
        ("GitHub token", options.github_token),
    ):
        if chosen:
            yield told
    yield from (f"unprotected {path}" for path in options.unprotected)


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
