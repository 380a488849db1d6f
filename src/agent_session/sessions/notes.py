"""What the user should know before a session starts, in lines."""

import shlex
from collections.abc import Mapping

from agent_session.engine.protocol import Engine
from agent_session.errors import Hint
from agent_session.sessions.options import DEFAULTS, NOTHING_LENT, Options, flags
from agent_session.sessions.request import SessionRequest
from agent_session.sessions.wish import Wish

ROOTFUL = (
    "warning: you are root, so root in the container is root on this machine; an ordinary user's "
    "sessions are safer"
)


def on_creation(engine: Engine, wish: Wish, request: SessionRequest) -> tuple[str, ...]:
    """The notes on a new session."""
    return (
        *(_withheld(request.name, wish.options) if request.without_logins else ()),
        *request.notes,
        *request.protection.notes,
        *on_options(engine, request.options),
        *([ROOTFUL] if engine.rootful else ()),
    )


def on_options(engine: Engine, options: Options) -> tuple[str, ...]:
    """The notes on options: the walls they take away, and limits that cannot be enforced."""
    limits = (f"warning: {line}" for line in limit_notes(options, engine.unenforced()))
    return (*permission_notes(options), *limits)


def permission_notes(options: Options) -> list[str]:
    """One line for each switch that takes a wall away: what is not promised with it."""
    notes = []
    if options.allow_user_namespaces:
        notes.append(
            "warning: --allow-user-namespaces: the agent can change the protected paths of your projects, "
            "and what it puts there runs on this machine"
        )
    if options.allow_setuid:
        notes.append(
            "warning: --allow-setuid: with programs that the agent leaves in your projects, other users of "
            "this machine can act as you"
        )
    return notes


def limit_notes(options: Options, unenforced: Mapping[str, str]) -> list[str]:
    """One line where chosen limits cannot be enforced (name -> why), else none."""
    vain = [name for name in unenforced if getattr(options, name) not in {0, getattr(DEFAULTS, name)}]
    if not vain:
        return []
    named = " and ".join(f"--{name}" for name in vain)
    return [f"{named} cannot be enforced here ({unenforced[vain[0]]}): the session starts without"]


def _withheld(name: str, wished: Options) -> list[str]:
    """Write the notes about logins that an imported session does not get yet.

    Programs in the archive run at once, before anybody has looked at them.
    """
    notes = [
        "no login was given to the imported session; after you have looked at it: "
        + Hint("restart", [name]).command()
    ]
    lent = [option for option, off in NOTHING_LENT.items() if getattr(wished, option) != off]
    if lent:
        words = [word for option in lent for word in flags(option, True)]
        later = Hint("stop", [name], then=Hint("start", ["-n", name, *words]))
        notes.append(f"{shlex.join(words)} needs --logins at an import, or later: {later.command()}")
    return notes
