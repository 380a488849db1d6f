"""`agent-session rename`: a session gets another name."""

from typing import Annotated

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument
from agent_session.errors import ConflictError, Hint

New = Annotated[str, Argument(metavar="NEW", help="Its new name.")]


def rename(invocation: Invocation, name: Name, new: New) -> None:
    """Give a stopped session another name, and print it.

    All it holds is copied under the new name, which takes as long as that is large; then the old one goes. An
    error leaves the session as it was.
    """
    from agent_session.cli import wishes
    from agent_session.host import user_unit
    from agent_session.sessions import duplicate, find

    wish = wishes.again(invocation.config, name, screen=False)
    with invocation.engine() as engine, invocation.locked(name), invocation.locked(new):
        session = find.get(engine, name)
        if session.running:
            then = Hint("rename", [name, new])
            raise ConflictError(f"session '{name}' runs", hint=Hint("stop", [name], then=then))
        request = duplicate.decide(engine, session, new, wish, invocation.installation, forked=False)
        duplicate.rename(engine, session, request, invocation.environment, report=note)
        if user_unit.disable(name, invocation.environment):
            note(f"it is not started by itself any more: agent-session enable {new}")
        invocation.installation.forget_lock(name)
    print(new)
