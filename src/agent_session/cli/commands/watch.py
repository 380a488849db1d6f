"""`agent-session watch`: a line for each change of a session's state, and what shall happen then."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from agent_session.cli import output
from agent_session.cli.context import note, of
from agent_session.cli.options import JsonLines
from agent_session.errors import Hint, UsageError
from agent_session.host.clock import utc

if TYPE_CHECKING:
    from agent_session.activity.notify import Order
    from agent_session.activity.watch import Change

Notify = Annotated[
    bool,
    typer.Option(
        "--notify",
        help="Tell the desktop (or this terminal) when an agent waits for a person, and the URL in AGENT_SESSION_NOTIFY_URL.",
    ),
]
On = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--on",
        metavar="STATE[,STATE...] COMMAND",
        help="Run a shell command when a session comes to a state; it gets AGENT_SESSION_NAME, _STATE, _REASON and _SINCE.",
        show_default=False,
    ),
]


def watch(context: typer.Context, as_json: JsonLines = False, notify: Notify = False, on: On = None) -> None:
    """Tell each change of a session's state, those of all sessions first, until interrupted."""
    from agent_session.activity import notify as notices
    from agent_session.activity import watch as changes

    invocation = of(context)
    url = notices.checked(invocation.config.notify_url) if notify and invocation.config.notify_url else None
    order = _order(on) if on else None
    teller = notices.Teller(environment=invocation.environment, url=url, note=note) if notify else None
    runner = notices.Runner(order=order, environment=invocation.environment, note=note) if order else None
    with invocation.engine(one_question=True) as engine:
        for change in changes.changes(engine):
            if as_json:
                output.print_line(_json(change))
            else:
                print(_line(change), flush=True)
            if teller:
                teller.hear(change)
            if runner:
                runner.hear(change)


def _order(on: tuple[str, str]) -> "Order":
    from agent_session.activity import notify as notices
    from agent_session.activity import state as states

    try:
        return notices.Order(values=tuple(states.words(on[0])), command=on[1])
    except ValueError as error:
        raise UsageError(str(error), hint=Hint("watch", ["--on", "waiting", 'printf "\\a"'])) from None


def _json(change: "Change") -> dict[str, object]:
    from agent_session.activity import state as states

    return {
        "time": utc(datetime.now(UTC)),
        "name": change.name,
        "state": states.as_json(change.state, question=True) if change.state else None,
        "before": change.before.value if change.before else None,
    }


def _line(change: "Change") -> str:
    moment = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
    state = change.state
    words = f": {state.reason}" if state and state.reason else ""
    colour = output.coloured(state.value if state else "removed", sys.stdout)
    return f"{moment}  {change.name}  {colour}{words}"
