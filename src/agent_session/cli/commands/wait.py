"""`agent-session wait`: until agents have come to rest, or to a state of one's choice."""

from typing import Annotated

from agent_session.cli import output
from agent_session.cli.context import Invocation
from agent_session.cli.options import JsonLines, NamesOrDefault, check_seconds
from agent_session.cli.parameters import Option
from agent_session.errors import Hint, UsageError

Until = Annotated[
    str | None,
    Option(
        "--until",
        metavar="STATE[,STATE...]",
        help="starting, working, waiting, idle, failed, exited or "
        "unknown. [default: idle,waiting,exited,failed]",
    ),
]
Timeout = Annotated[
    float | None,
    Option("--timeout", metavar="SECONDS", help="Stop waiting after so long, with exit code 124."),
]


def wait(
    invocation: Invocation,
    names: NamesOrDefault = None,
    until: Until = None,
    timeout: Timeout = None,
    as_json: JsonLines = False,
) -> None:
    """Wait until agents are idle, wait for a person, have quit or failed; prints each session's name and
    state, a tab between.

    A session that is in such a state already is not waited for. Exit code 4 if one is removed meanwhile, 124
    when time is up.
    """
    from agent_session.activity import shapes, watch
    from agent_session.activity import state as states

    check_seconds(timeout, hint=Hint("wait", ["--timeout", "60"]))
    try:
        wanted = states.words(until) if until else watch.RESTING
    except ValueError as error:
        raise UsageError(str(error), hint=Hint("wait", ["--help"])) from None
    with invocation.engine(one_question=True) as engine:
        names = names or [invocation.name(engine, None, verb="wait")]
        for name, state in watch.wait_for_states(engine, names, wanted, seconds=timeout):
            if as_json:
                output.print_line(shapes.named_state(name, state))
            else:
                print(f"{name}\t{state.value}", flush=True)
