"""`agent-session logs`: what happened to a session."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output, stdout
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonLines, NameOrDefault
from agent_session.cli.parameters import Option

if TYPE_CHECKING:
    from agent_session.activity.event_log import Event

Follow = Annotated[bool, Option("-f", "--follow", help="Keep printing events until the session ends.")]
Since = Annotated[
    str | None,
    Option("--since", metavar="T", help="Only events since then: 30s, 10m, 2h, 1d ago, or an RFC 3339 time."),
]


def logs(
    invocation: Invocation,
    name: NameOrDefault = None,
    follow: Follow = False,
    since: Since = None,
    as_json: JsonLines = False,
) -> None:
    """Show what happened to a session: starts, stops, ends of the agent with their status, failures."""
    from agent_session.activity import event_log, shapes

    if follow:
        stdout.end_with_reader()
    start = event_log.moment(since, now=datetime.now(UTC)) if since else None
    with invocation.engine(one_question=True) as engine:
        session = invocation.session(engine, name, verb="logs")
        found: Iterable[Event] = (event_log.follow if follow else event_log.read)(
            engine, session, since=start
        )
        count = 0
        for count, event in enumerate(found, 1):  # noqa: B007 (counted)
            if as_json:
                output.print_line(shapes.event(event))
            else:
                print(_line(event), flush=True)
    if not count:
        note(f"nothing is recorded about session '{session.name}'" + (f" since {since}" if since else ""))


def _line(event: "Event") -> str:
    from agent_session.activity import event_log

    moment = event.time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    return sanitize.shown(f"{moment}  {event_log.sentence(event)}")
