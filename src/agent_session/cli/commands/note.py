"""`agent-session note`: a line of the user's on a session."""

from typing import Annotated

from agent_session.cli.context import Invocation
from agent_session.cli.options import Name
from agent_session.cli.parameters import Argument

Text = Annotated[list[str] | None, Argument(metavar="[TEXT]...", help="The note. [default: print it]")]


def note(invocation: Invocation, name: Name, text: Text = None) -> None:
    """Keep a note on a session, which `status` and `ls --wide` show; an empty one removes it.

    It is kept on this machine, the agent does not see it, and it goes with the session.
    """
    from agent_session.sessions import find, user_note

    with invocation.engine(one_question=True) as engine:
        session = find.get(engine, name)
    if text is None:
        if kept := user_note.read(session):
            print(kept)
        return
    user_note.write(session, " ".join(text).strip())
