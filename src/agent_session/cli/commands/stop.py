"""`agent-session stop`: end sessions; their conversations and projects stay."""

from agent_session.cli import reviews, unfetched
from agent_session.cli.context import Invocation
from agent_session.cli.options import All, NamesOrDefault
from agent_session.errors import Hint, UsageError


def stop(invocation: Invocation, names: NamesOrDefault = None, every: All = False) -> None:
    """Stop sessions within 10 seconds; one that is stopped already is fine."""
    from agent_session.sessions import find, leftovers, lifecycle

    if every and names:
        raise UsageError("--all and names contradict each other", hint=Hint("stop", ["--all"]))
    with invocation.engine(one_question=not every and len(names or [""]) == 1) as engine:
        if every:
            found = [one for one in find.find_all(engine).values() if one.session.running or one.unsettled]
        else:
            wanted = list(dict.fromkeys(names or [invocation.name(engine, None, verb="stop")]))
            found = find.get_many(engine, wanted)
        unsettled = {one.session.name for one in found if one.unsettled}
        unsettled |= lifecycle.stop(
            engine, [one.session for one in found], worked_on=invocation.installation.is_locked
        )
        for name in unsettled & {one.session.name for one in found}:
            with invocation.locked(name):  # somebody moves it just now, or was killed while at it
                leftovers.settle(engine, name)
                lifecycle.stop(engine, [find.get(engine, name)])
        for one in found:
            reviews.tell(one.session)
            unfetched.tell(engine, one.session)
