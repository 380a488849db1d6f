"""`agent-session prompt`: give a session's agent a turn, and with --wait print its answer."""

from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import output
from agent_session.cli.context import Invocation
from agent_session.cli.options import NameOrDefault, check_seconds
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.stdin_text import message
from agent_session.errors import Hint
from agent_session.host import model_name

if TYPE_CHECKING:
    from agent_session.activity.protocol import Ended
    from agent_session.sessions.session import Session

Text = Annotated[
    str | None,
    Argument(
        metavar="TEXT|-",
        help="The prompt, up to 1 MB; -, or nothing where something is "
        "piped in, reads it from standard input.",
    ),
]
Wait = Annotated[bool, Option("--wait", help="Wait for the end of the turn, and print the answer.")]
Timeout = Annotated[
    float | None,
    Option(
        "--timeout",
        metavar="SECONDS",
        help="Exit 124 when it is not done by then; the turn goes on. "
        "[default: none with --wait, 60 without]",
    ),
]
Model = Annotated[
    str | None,
    Option(
        "--model",
        metavar="MODEL",
        parser=model_name.read,
        help="The model of this turn, as `models` lists it, where the agent can choose one a turn.",
    ),
]
Json = Annotated[bool, Option("--json", help="An object on stdout: text, tools, usage, duration_s, state.")]


def prompt(
    invocation: Invocation,
    name: NameOrDefault = None,
    text: Text = None,
    wait: Wait = False,
    timeout: Timeout = None,
    model: Model = None,
    as_json: Json = False,
) -> None:
    """Give an agent a turn: any text, as if it had been typed. Refused (exit 5) while it does something else.

    With --wait the answer is printed when the turn is over. An agent that needs a human ends that with exit 5
    and its question on stderr (see answer), one that failed with exit 10 and its words.
    """
    from agent_session.activity import agent_command, conversation, terminal

    check_seconds(
        timeout, least=0.1, hint=Hint("prompt", ["--wait", "--timeout", "600", "fix the failing test"])
    )
    with invocation.engine(one_question=True) as engine:
        name, text = invocation.addressed(engine, name, text, verb="prompt")
        words = message(text, hint=Hint("prompt", [name, "fix the failing test"]))
        session = terminal.running(engine, name)
        if wait:
            ended = conversation.whole_turn(engine, session, words, model=model or "", timeout=timeout)
            tell(session, ended, as_json=as_json)
            return
        seconds = timeout or agent_command.READY_SECONDS
        turn = conversation.prompt(engine, session, words, model=model or "", timeout=seconds)
    if as_json:
        output.print_json({"turn": turn})


def tell(session: "Session", ended: "Ended", *, as_json: bool = False) -> None:
    """Print an answer; what the turn ended with where that was no end: NeedsAnswer, AgentServerError."""
    from agent_session.activity import conversation, shapes

    if as_json:
        output.print_json(shapes.turn_end(ended))
    elif text := sanitize.lines(ended.text):
        print(text, end="" if text.endswith("\n") else "\n")
    conversation.check(session, ended)
