"""`agent-session review`: what a session changed of all that this machine runs by itself."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import Invocation, directory, note
from agent_session.cli.parameters import Argument, Option
from agent_session.errors import Hint, UsageError
from agent_session.workspace import protect_mode

if TYPE_CHECKING:
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session
    from agent_session.workspace.review import Change, Review
    from agent_session.workspace.verdict import Reverted

Words = Annotated[
    list[str] | None,
    Argument(
        metavar="[NAME] [PATH]...",
        help="The session, and paths as they are listed; without one, all of them. [env: AGENT_SESSION_NAME] "
        "[default: the session of this directory, or the only one]",
    ),
]
Diff = Annotated[bool, Option("--diff", help="Show what differs, line by line.")]
Accept = Annotated[bool, Option("--accept", help="Call it right: it is not told any more.")]
Revert = Annotated[
    bool,
    Option(
        "--revert",
        help="Put back what was there. What is there now is moved to a place that is told, and never lost.",
    ),
]
Json = Annotated[bool, Option("--json", help="A JSON list of objects on stdout.")]
Brief = Annotated[bool, Option("--brief", hidden=True)]
"""What a terminal says when it leaves a session: one line or nothing, and no question to Podman."""


def review(
    invocation: Invocation,
    words: Words = None,
    diff: Diff = False,
    accept: Accept = False,
    revert: Revert = False,
    as_json: Json = False,
    brief: Brief = False,
) -> None:
    """List what differs in a session's projects since it was made, and is run by this machine without being
    asked.

    That are files such as editors' tasks, agents' hooks and .envrc, and new git repositories. What you
    changed yourself is listed, too. Exit codes: 0 whether something differs or not, 4 for a path at which
    nothing does, 5 where something cannot be put back.
    """
    if accept and revert:
        raise UsageError("--accept and --revert contradict each other", hint=Hint("review", ["--help"]))
    if brief:
        from agent_session.cli import reviews as lines

        lines.tell_last_known((words or [""])[0])
        return
    from agent_session.sessions import review as reviews

    with invocation.engine(one_question=True) as engine:
        session, paths = _meant(invocation, engine, words or [])
    found = reviews.look(session)
    projects = reviews.host_directories(session)
    here = directory() or Path("/")
    changes = reviews.chosen(session, found.changes, paths, here) if paths else list(found.changes)
    shown = [line for one in changes for line in reviews.lines(session, one)] if diff else []
    done = _do(invocation, session, changes, accept=accept, revert=revert)
    if as_json:
        from agent_session.activity import shapes

        output.print_json(
            [shapes.review_change(one, shown_as=reviews.shown(projects, one)) for one in changes]
        )
    else:
        for line in [*_lines(session, changes, done, accepted=accept), *shown]:
            print(sanitize.shown(line))
        _remark(session, found, changes, acted=accept or revert)


def _meant(invocation: Invocation, engine: "Engine", words: Sequence[str]) -> "tuple[Session, list[str]]":
    """The session and the paths: the first word is a session's name, where there is one of that name."""
    from agent_session.sessions import find

    known = {one.name: one for one in find.list_sessions(engine)}
    if words and words[0] in known:
        return known[words[0]], list(words[1:])
    first = words[0] if words else None
    looks_like_path = first is not None and ("/" in first or first.startswith(".") or Path(first).exists())
    name = first if not looks_like_path else None
    return invocation.session(engine, name, verb="review"), list(words if looks_like_path else [])


def _do(
    invocation: Invocation, session: "Session", changes: "Sequence[Change]", *, accept: bool, revert: bool
) -> "list[Reverted]":
    """Accept or put back the changes; returns what was put back."""
    if not (accept or revert) or not changes:
        return []
    from agent_session.workspace import verdict

    with invocation.locked(session.name):
        if revert:
            return verdict.revert(session.name, changes)
        verdict.accept(session.name, changes)
        return []


def _lines(
    session: "Session", changes: "Sequence[Change]", done: "Sequence[Reverted]", *, accepted: bool
) -> Iterator[str]:
    """A line or two for each change: where, what, and what runs it; or what was done."""
    from agent_session.sessions import review as reviews

    places = {one.change: one.kept for one in done}
    for change in changes:
        path = reviews.shown(reviews.host_directories(session), change)
        files = f", {change.files} files" if change.files > 1 else ""
        if accepted:
            yield f"accepted  {path}"
        elif change in places:
            kept = f"; what was there is in {places[change]}" if places[change] else ""
            yield f"put back  {path}{kept}"
        else:
            yield f"{change.kind:9} {path}{files}"
            yield f"          {change.when}: {change.why}"


def _remark(session: "Session", found: "Review", changes: "Sequence[Change]", *, acted: bool) -> None:
    """Say why nothing is listed, or how to go on."""
    name = session.name
    if session.options.protect == protect_mode.OFF:
        note(f"session '{name}' was started with --protect off: nothing is recorded of it")
    elif not found.recorded:
        note(f"nothing is recorded of session '{name}': that begins at its next start")
    elif not found.complete:
        note("there is too much to look at: what is deep inside, or came last, may be missing here")
    elif not found.changes:
        note("nothing differs")
    elif not acted and changes:
        note(f"to see more: {Hint('review', ['--diff', name]).command()}; then --accept or --revert")
