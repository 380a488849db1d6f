"""`agent-session stop`: end sessions; their conversations and projects stay."""

import typer

from agent_session.cli.context import of
from agent_session.cli.options import All, NamesOrDefault
from agent_session.errors import UsageError


def stop(context: typer.Context, names: NamesOrDefault = None, every: All = False) -> None:
    """Stop sessions within 10 seconds; one that is stopped already is fine."""
    from agent_session.sessions import find, lifecycle

    if every and names:
        raise UsageError("--all and names contradict each other", hint="agent-session stop --all")
    invocation = of(context)
    with invocation.engine(one_question=not every and len(names or [""]) == 1) as engine:
        if every:
            found = find.list_sessions(engine)
            unfinished = lifecycle.stop(engine, [session for session in found if session.running])
        else:
            wanted = list(dict.fromkeys(names or [invocation.name(engine, None, verb="stop")]))
            found, unfinished = find.get_many(engine, wanted)
            unfinished |= lifecycle.stop(engine, found, worked_on=invocation.is_locked)
        for name in unfinished & {session.name for session in found}:
            with invocation.locked(name):  # somebody moves it just now, or was killed while at it
                lifecycle.settle(engine, name)
                lifecycle.stop(engine, [find.get(engine, name)])
