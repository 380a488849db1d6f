"""`agent-session dash`: all sessions on one screen, with what they show, and keys to act on them."""

from importlib import import_module
from importlib.util import find_spec

from agent_session.cli.context import Invocation, on_terminal
from agent_session.errors import AgentSessionError, Hint, NotInstalled, UsageError


def dash(invocation: Invocation) -> None:
    """Show all sessions with what their terminals show, those that wait for you first, until q is pressed.

    Enter attaches (Ctrl q comes back), p prompts, 1 to 9 answer what is asked and i answers in your words,
    x interrupts, c chats, r reviews, s starts or stops, n starts a session of this directory. It needs the
    extra: pip install 'agent-session[dash]'.
    """
    if not on_terminal():
        raise UsageError("the dashboard needs a terminal", hint=[Hint("ls"), Hint("watch")])
    try:
        import_module("textual.app")
    except ModuleNotFoundError as error:
        raise NotInstalled("dash", error.name or "textual", used_by="the dashboard") from None
    show(invocation)


def alone(invocation: Invocation) -> None:
    """What `agent-session` alone does: the dashboard where there are sessions and its extra, or help."""
    from agent_session.cli.commands import ls

    if on_terminal() and find_spec("textual") and _any_session(invocation):
        show(invocation)
    else:
        ls.overview(invocation)


def _any_session(invocation: Invocation) -> bool:
    from agent_session.sessions import find

    try:
        with invocation.engine(one_question=True) as engine:
            return bool(find.list_sessions(engine))
    except AgentSessionError:  # the overview says why, and help goes without Podman
        return False


def show(invocation: Invocation) -> None:
    """Run the dashboard on this terminal. Its packages are there."""
    from agent_session.cli import hints
    from agent_session.cli.dashboard.app import Dashboard, run_program
    from agent_session.cli.dashboard.feed import Feed

    program = hints.program(invocation.environment)
    with invocation.engine() as states, invocation.engine() as screens:
        run = run_program(program, invocation.environment)
        Dashboard(Feed(states=states, screens=screens), run=run, program=program).run()
