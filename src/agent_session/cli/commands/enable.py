"""`agent-session enable`: a session is up again after the machine has started."""

import sys
from pathlib import Path

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Name


def enable(invocation: Invocation, name: Name) -> None:
    """Have a session started when the machine starts, in the same conversation; print its unit's path.

    It is a unit of your own systemd. It needs that to run without you being logged in, and has the logins
    that are stored, not those of a shell's variables.
    """
    from agent_session.host import user_unit
    from agent_session.sessions import find

    with invocation.engine(one_question=True) as engine:
        session = find.get(engine, name)
    unit = user_unit.enable(name, Path(sys.argv[0]).resolve(), invocation.environment)
    print(unit)
    if not user_unit.lingers():
        note("it starts when you log in; from the machine's start on after: loginctl enable-linger")
    agent = invocation.agent(session.agent)
    if agent and agent.credentials and not session.login:
        note(f"a login from a variable of this shell is not there then: agent-session login {agent.name}")
