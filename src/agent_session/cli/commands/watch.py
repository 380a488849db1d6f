"""`agent-session watch`: a line for each change of a session's state, with notifications and commands."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output, stdout, table
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonLines
from agent_session.cli.parameters import Argument, Option
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.activity.notify import StateCommand
    from agent_session.activity.watch import Change
    from agent_session.engine.protocol import Engine

NARROWEST_NAME = 12
Names = Annotated[
    list[str] | None,
    Argument(metavar="[NAME]...", help="Sessions. [default: all of them]"),
]
Notify = Annotated[
    bool,
    Option(
        "--notify",
        help="Tell the desktop (or this terminal) when an agent waits for a "
        "person, and the URL in AGENT_SESSION_NOTIFY_URL.",
    ),
]
On = Annotated[
    tuple[str, str] | None,
    Option(
        "--on",
        metavar="STATE[,STATE...] COMMAND",
        help="Run a shell command when a session comes to a state; it gets "
        "AGENT_SESSION_NAME, _STATE, _REASON and _SINCE.",
    ),
]


def watch(
    invocation: Invocation,
    names: Names = None,
    as_json: JsonLines = False,
    notify: Notify = False,
    on: On = None,
) -> None:
    """Print each change of a session's state, the present states first, until interrupted.

    With names only those sessions; exit code 4 if one of them is not there.
    """
    from agent_session.activity import notify as notices
    from agent_session.activity import shapes
    from agent_session.activity import watch as changes

    url = notices.check_url(invocation.config.notify_url) if notify and invocation.config.notify_url else None
    command = _command(on) if on else None
    environment = invocation.environment
    notifier = notices.Notifier(environment=environment, url=url, note=note) if notify else None
    runner = notices.CommandRunner(command=command, environment=environment, note=note) if command else None
    lines = _Lines()
    stdout.end_with_reader()
    with invocation.engine(one_question=True) as engine:
        for change in changes.changes(engine, names or ()):
            differing = _differing(engine, change)
            if as_json:
                output.print_line(shapes.change(change, now=datetime.now(UTC), review=differing))
            else:
                for line in (lines.line(change), lines.review(change, differing or [])):
                    if line:
                        print(line, flush=True)
            if notifier:
                notifier.handle(change)
            if runner:
                runner.handle(change)


def _differing(engine: "Engine", change: "Change") -> list[str] | None:
    """The files of a session that has come to rest that differ and run by themselves; None for others."""
    from agent_session.activity.watch import RESTING
    from agent_session.sessions import find, review

    if change.state is None or change.state.value not in RESTING:
        return None
    session = find.find_session(engine, change.name)
    return (
        [review.shown(review.host_directories(session), one) for one in review.look(session).changes]
        if session
        else None
    )


def _command(on: tuple[str, str]) -> "StateCommand":
    from agent_session.activity import notify as notices
    from agent_session.activity import state as states

    try:
        return notices.StateCommand(values=tuple(states.words(on[0])), command=on[1])
    except ValueError as error:
        raise UsageError(str(error), hint=Hint("watch", ["--on", "waiting", 'printf "\\a"'])) from None


class _Lines:
    """The lines for a person: aligned as those of `ls`, and none that repeats the session's last one."""

    def __init__(self) -> None:
        self._width = NARROWEST_NAME
        self._last: dict[str, tuple[str, str]] = {}
        self._reviewed: dict[str, list[str]] = {}

    def line(self, change: "Change") -> str:
        """The line of a change, "" where it would say the same again."""
        value, reason = (change.state.value, change.state.reason) if change.state else ("removed", "")
        if self._last.get(change.name) == (value, reason):
            return ""
        self._last[change.name] = value, reason
        return self._aligned(change.name, value, reason)

    def review(self, change: "Change", differing: list[str]) -> str:
        """The line about files that differ and run by themselves, "" where it would say nothing new."""
        before, self._reviewed[change.name] = self._reviewed.get(change.name, []), differing
        if not differing or differing == before:
            return ""
        return self._aligned(change.name, "review", sanitize.shown(", ".join(differing[:5])))

    def _aligned(self, session: str, word: str, text: str) -> str:
        self._width = max(self._width, table.cells(session))
        name = session + " " * (self._width - table.cells(session))
        moment = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M:%S")
        colour = output.coloured(f"{word:8}", sys.stdout)
        return f"{moment}  {name}  {colour}  {text}".rstrip()
