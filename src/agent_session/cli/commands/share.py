"""`agent-session share`: links with which somebody without an account watches a session."""

import uuid
from typing import TYPE_CHECKING, Annotated, Any

from agent_session.cli import output
from agent_session.cli.commands.serve import read_settings
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Option
from agent_session.cli.table import print_table
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.server.database.models import Share
    from agent_session.server.settings import Settings

Lasts = Annotated[
    str | None,
    Option("--for", metavar="TIME", help="How long the link lasts: 15m, 1h, 7d; 30d at most. [default: 1h]"),
]
List = Annotated[bool, Option("--list", help="List your links that have not ended, of all sessions.")]
Revoke = Annotated[str | None, Option("--revoke", metavar="ID", help="Take a link back: it ends now.")]
Json = Annotated[bool, Option("--json", help="JSON on stdout.")]


def share(
    invocation: Invocation,
    name: NameOrDefault = None,
    lasts: Lasts = None,
    listed: List = False,
    revoke: Revoke = None,
    as_json: Json = False,
) -> None:
    """Print a link with which somebody without an account watches a session: its chat, its terminal.

    Who has it can do nothing there. It is a page of `agent-session serve`, which must run, and be reachable
    for them.
    """
    if (name is not None or lasts is not None) + listed + (revoke is not None) > 1:
        raise UsageError(
            "--list and --revoke ID stand alone, without a session and --for",
            hint=Hint("share", ["--list"]),
        )
    settings = read_settings()
    if listed:
        _list(settings, as_json=as_json)
    elif revoke is not None:
        _revoke(settings, revoke)
    else:
        _make(invocation, settings, name, lasts or "1h", as_json=as_json)


def _make(
    invocation: Invocation, settings: "Settings", name: str | None, lasts: str, *, as_json: bool
) -> None:
    from agent_session.server import serve
    from agent_session.server.auth import local, shares

    expires = shares.lasting(lasts)
    with invocation.engine(one_question=True) as engine:
        session = invocation.session(engine, name, verb="share")
    address = serve.running_address(settings)
    made, word = local.run(settings, lambda db, user: shares.create(db, user.id, session, expires_at=expires))
    link = f"{address}/share/{word}"
    if as_json:
        output.print_json(_shape(made) | {"url": link})
    else:
        print(link)
        note(
            f"it ends at {_shape(made)['expires_at']}; agent-session share --revoke {made.id} ends it sooner"
        )


def _list(settings: "Settings", *, as_json: bool) -> None:
    from agent_session.server.auth import local, shares

    found = [_shape(one) for one in local.run(settings, lambda db, user: shares.of_user(db, user.id))]
    if as_json:
        output.print_json(found)
    elif found:
        print_table(
            ("SESSION", "ENDS", "LAST USED", "ID"),
            [(one["session"], one["expires_at"], one["last_used"] or "never", one["id"]) for one in found],
        )
    else:
        note("no links; agent-session share NAME makes one")


def _revoke(settings: "Settings", word: str) -> None:
    from agent_session.server.auth import local, shares

    try:
        id = uuid.UUID(word)
    except ValueError:
        raise UsageError(f"{word!r} is not the id of a link", hint=Hint("share", ["--list"])) from None
    local.run(settings, lambda db, user: shares.revoke(db, user.id, id))


def _shape(one: "Share") -> dict[str, Any]:
    from agent_session.host.clock import utc

    return {
        "id": str(one.id),
        "session": one.session,
        "created_at": utc(one.created_at),
        "expires_at": utc(one.expires_at),
        "last_used": utc(one.last_used) if one.last_used else None,
    }
