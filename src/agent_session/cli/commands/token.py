"""`agent-session token`: tokens with which programs use the server."""

from typing import TYPE_CHECKING, Annotated, Any

from agent_session.cli import output
from agent_session.cli.commands.serve import read_settings
from agent_session.cli.context import Invocation, note
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.table import print_table
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from agent_session.server.database.models import User

ACTIONS = ("create", "ls", "rm")
Action = Annotated[str, Argument(metavar="ACTION", help="create, ls or rm.")]
Name = Annotated[str | None, Argument(metavar="[NAME]", help="The token's name.")]
Scopes = Annotated[
    list[str] | None,
    Option("--scope", metavar="SCOPE", help="What it may do: sessions:read, sessions:write, "
        "sessions:delete, terminal, agents, tokens, "
        "admin, metrics. Repeatable. [default: sessions:read]"),
]  # fmt: skip
Session = Annotated[str | None, Option("--session", metavar="NAME", help="For this session alone.")]
Expires = Annotated[
    str, Option("--expires", metavar="TIME", help="How long it lasts: 12h, 30d, 8w, never. [default: 30d]")
]  # fmt: skip
Json = Annotated[bool, Option("--json", help="JSON on stdout.")]


def token(
    _invocation: Invocation,
    action: Action,
    name: Name = None,
    scopes: Scopes = None,
    session: Session = None,
    expires: Expires = "30d",
    as_json: Json = False,
) -> None:
    """Make, list and remove the local user's API tokens: `token create NAME` prints one, this once.

    The server's database keeps only its digest, and the server need not run.
    """
    if action not in ACTIONS:
        raise UsageError(f"{action!r} is not one of: {', '.join(ACTIONS)}", hint=Hint("token", ["ls"]))
    if (name is None) == (action != "ls"):
        arguments = ["ls"] if action == "ls" else [action, "NAME"]
        raise UsageError(
            f"token {action} {'takes no' if action == 'ls' else 'needs a'} name",
            hint=Hint("token", arguments),
        )
    settings = read_settings()
    from agent_session.server.auth import local, tokens

    if action == "ls":
        _list(local.run(settings, lambda db, user: tokens.of_user(db, user.id)), as_json=as_json)
    elif action == "rm":
        local.run(settings, lambda db, user: tokens.remove(db, user.id, str(name)))
    else:
        lasts = tokens.expiry(expires)

        async def create(db: "AsyncSession", user: "User") -> Any:
            chosen = scopes or ["sessions:read"]
            return await tokens.create(db, user, str(name), scopes=chosen, expires_at=lasts, only=session)

        made, word = local.run(settings, create)
        if as_json:
            output.print_json(_shape(made) | {"token": word})
        else:
            print(word)
            note("it is shown only once")


def _list(found: Any, *, as_json: bool) -> None:
    if as_json:
        output.print_json([_shape(token) for token in found])
    elif found:
        rows = [
            (
                one["name"],
                ",".join(one["scopes"]),
                one["session"] or "-",
                one["expires_at"] or "never",
                one["last_used"] or "never",
            )
            for one in map(_shape, found)
        ]
        print_table(("NAME", "SCOPES", "SESSION", "EXPIRES", "LAST USED"), rows)
    else:
        note("no tokens; agent-session token create NAME makes one")


def _shape(token: Any) -> dict[str, Any]:
    from agent_session.host.clock import utc

    return {
        "name": token.name,
        "scopes": list(token.scopes),
        "session": token.session,
        "created_at": utc(token.created_at),
        "expires_at": utc(token.expires_at) if token.expires_at else None,
        "last_used": utc(token.last_used) if token.last_used else None,
    }
