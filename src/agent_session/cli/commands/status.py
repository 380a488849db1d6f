"""`agent-session status`: everything about one session, and how it is known."""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option
from agent_session.engine import network_mode
from agent_session.errors import Hint, UsageError
from agent_session.sessions import review, user_note
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from agent_session.activity.describe import Description
    from agent_session.sessions.session import Session
    from agent_session.workspace.review import Change

MOST_CHANGES = 5
"""Lines of what is to be reviewed."""

Json = Annotated[bool, Option("--json", help="An object on stdout.")]
Explain = Annotated[bool, Option("--explain", help="Also ids and digests, and how each part is known.")]
Secrets = Annotated[bool, Option("--secrets", help="With --json: secrets too, such as a password.")]


def status(
    invocation: Invocation,
    name: NameOrDefault = None,
    as_json: Json = False,
    explain: Explain = False,
    secrets: Secrets = False,
) -> None:
    """Show everything about one session: what its agent does, what it has and uses, what happened last."""
    from agent_session.activity import describe, shapes
    from agent_session.sessions import unsaved_work

    if secrets and not as_json:
        raise UsageError(
            "--secrets is for scripts: it needs --json", hint=Hint("status", ["--json", "--secrets"])
        )
    with invocation.engine(one_question=True) as engine:
        session = invocation.session(engine, name, verb="status")
        found = describe.describe(engine, session)
        unfetched = unsaved_work.unfetched(engine, session)
        hidden = {"secrets": describe.secrets(engine, session)} if secrets else {}
    explained = dict(describe.explanations(found)) if explain else {}
    differing = review.look(session).changes
    if as_json:
        listed = [
            shapes.review_change(one, shown_as=review.shown(review.host_directories(session), one))
            for one in differing
        ]
        described = shapes.description(found) | {
            "changes": len(listed),
            "review": listed,
            "unfetched": unfetched,
        }
        output.print_json(described | hidden | ({"explained": explained} if explain else {}))
        return
    login = _login(invocation, session)
    changed = [("changed", _changed(session, one)) for one in differing[:MOST_CHANGES]]
    more = [("changed", f"... and {len(differing) - MOST_CHANGES} more: agent-session review {session.name}")]
    changed = [*changed, *(more if len(differing) > MOST_CHANGES else [])]
    changed += [("not fetched", line) for line in unfetched]
    how = ((f"how: {what}", how) for what, how in explained.items())
    for key, value in [*_lines(found, login=login, details=explain), *changed, *how]:
        print(f"{key + ':':22} {sanitize.shown(value)}")


def _changed(session: "Session", change: "Change") -> str:
    return f"{review.shown(review.host_directories(session), change)} ({change.kind}: {change.why})"


def _lines(found: "Description", *, login: str, details: bool) -> Iterator[tuple[str, str]]:
    """A session's description in lines; `details` adds digests and ids for a search for a fault."""
    from agent_session.activity import event_log
    from agent_session.sessions.names import branch_name

    session, state = found.session, found.state
    began = f", since {_local(state.since)} ({output.ago(state.since)})" if state.since else ""
    yield "session", session.name
    if note := user_note.read(session):
        yield "note", note
    for key, value in session.labels.items():
        yield "label", f"{key}={value}"
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
        yield (
            "project",
            f"{project.source} at {project.target}" + (", read-only" if project.read_only else ""),
        )
    for clone in session.clones:
        source = clone.source or "an archive"
        start = f", from {clone.start[:12]}" if clone.start else ""
        yield "clone", f"{source} at {clone.target}, branch {branch_name(session.name)}{start}"
    for mount in session.mounts:
        yield "mount", f"{mount}, read-only"
    if session.kob:
        yield "mount", str(session.kob)
    yield from _container(found, login=login, details=details)
    for event in found.events:
        yield "event", f"{_local(event.time)} {event_log.sentence(event)}"


def _container(found: "Description", *, login: str, details: bool) -> Iterator[tuple[str, str]]:
    """The session's container: its image and age, its options and what it uses."""
    from agent_session.sessions import endpoint

    session = found.session
    yield "container", session.container + (f" {session.id[:12]}" if details else "")
    if session.ports:
        reached = [url for url in (endpoint.host_url(session), endpoint.base_url(session)) if url]
        yield "server", ", ".join(reached) or "not while it is stopped"
    for one in session.published:
        yield "port", f"127.0.0.1:{one.host} leads to {one.inside} in the session"
    if session.options.network != network_mode.OPEN:
        yield "network", session.options.network
    yield "image", session.image if details else session.image.rpartition(":")[0] or session.image
    yield "created", f"{_local(session.created)} ({output.ago(session.created)})"
    if session.started:
        yield "started", f"{_local(session.started)} ({output.ago(session.started)})"
    yield "options", ", ".join(_options(session)) or "-"
    yield "limits", ", ".join(_limits(session)) or "none"
    yield "login", login
    digest = f" ({session.protection[:12]})" if details else ""
    yield "protection", f"{session.options.protect}{digest}" if session.protection else "none"
    for volume, there in found.volumes.items():
        yield "volume", volume if there else f"{volume}, which is gone"
    if found.processes is not None and found.memory is not None:
        yield "uses", f"{found.memory / 1e6:.0f} MB, {found.processes} processes"


def _login(invocation: "Invocation", session: "Session") -> str:
    """Where a session's agent gets its login from at its next start."""
    from agent_session.agents import seed

    if session.login:
        return f"agent-session login {session.agent}"
    agent = invocation.agent(session.agent)
    if agent is None or not agent.credentials:
        return "none needed"
    here = [offer.name for offer in seed.credentials(agent, invocation.environment) if offer.found]
    return ", ".join(here) or "none found"


def _limits(session: "Session") -> Iterator[str]:
    options = session.options
    if options.memory:
        yield f"memory {_size(options.memory)}"
    if options.cpus:
        yield f"{options.cpus:g} CPUs"
    if options.pids:
        yield f"{options.pids} processes"


def _size(count: int) -> str:
    """So many bytes, as --memory takes them."""
    for unit, size in (("g", 2**30), ("m", 2**20), ("k", 2**10)):
        if count % size == 0:
            return f"{count // size}{unit}"
    return str(count)


def _options(session: "Session") -> Iterator[str]:
    options = session.options
    for told, chosen in (
        ("auto-approve", options.auto_approve),
        ("no user configuration", not options.user_config),
        ("git signing", options.git_signing),
        ("ssh-agent", options.ssh_agent),
        ("GitHub token", options.github_token),
        ("user namespaces allowed", options.allow_user_namespaces),
        ("setuid allowed", options.allow_setuid),
    ):
        if chosen:
            yield told
    if options.protect != protect_mode.REVIEW:
        yield f"protect {options.protect}"
    yield from (f"unprotected {path}" for path in options.unprotected)


def _local(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
