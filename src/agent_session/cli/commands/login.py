"""`agent-session login`: log an agent in once, for all its sessions."""

import getpass
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agent_session.cli.context import Invocation, note, on_terminal
from agent_session.cli.parameters import Argument, Option
from agent_session.cli.start_options import Build
from agent_session.cli.wishes import ensure_image
from agent_session.config import DEFAULT_AGENT, Config
from agent_session.errors import AgentSessionError, Hint, Interrupted, UsageError
from agent_session.host import paths

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent, Login
    from agent_session.engine.protocol import Engine

AgentName = Annotated[
    str | None,
    Argument(metavar="[AGENT]", help="The agent. [env: AGENT_SESSION_AGENT] [default: claude]"),
]
TokenStdin = Annotated[
    bool, Option("--token-stdin", help="Read the token, a line, from standard input instead.")
]


def login(
    invocation: Invocation, agent: AgentName = None, token_stdin: TokenStdin = False, build: Build = None
) -> None:
    """Log an agent in with its own command, in a container of its own on this terminal, for all its sessions.

    The result is kept as a Podman secret; sessions use it from their next start on.
    """
    from agent_session.agents import login as logins
    from agent_session.agents import stored_login
    from agent_session.agents.catalog import choose

    config = invocation.config.with_flags(agent=agent, build=build)
    chosen = choose(invocation.agents(), config.agent or DEFAULT_AGENT)
    way = chosen.login
    if way is None:
        raise UsageError(
            f"{chosen.title} has no login of its own",
            hint=Hint(shell=chosen.hint) if chosen.hint else Hint("agents"),
        )
    with invocation.engine() as engine:
        if token_stdin:
            text = sys.stdin.readline() if way.variable else sys.stdin.read(logins.LARGEST + 1)
        elif not on_terminal():
            hint = Hint("login", [chosen.name, "--token-stdin"], shell="<FILE")
            raise UsageError("login needs a terminal, or a token on standard input", hint=hint)
        else:
            text = _ask(invocation, engine, chosen, way, config)
        stored_login.store(engine, chosen, way, logins.check(way, text))
        note(f"{chosen.title} is logged in for every session that starts from now on")
        tell_running(engine, chosen)


def _ask(invocation: Invocation, engine: "Engine", agent: "Agent", way: "Login", config: Config) -> str:
    """Run the agent's login on this terminal; where its result cannot be made out, ask for it, unseen."""
    from agent_session.agents import login as logins
    from agent_session.host import ca_certificates

    workshop = invocation.workshop()
    image = ensure_image(invocation, engine, workshop, agent, build=config.build)
    ca_bundle = workshop.ca_bundle if ca_certificates.trusts_more(invocation.environment) else None
    result = Path(tempfile.mkdtemp(prefix="login-", dir=paths.runtime_folder()))
    try:
        note("Ctrl-C twice cancels the login")
        status = engine.run_one_off_on_terminal(
            logins.one_off(way, image, result, ca_bundle), cancelled=lambda: logins.is_cancelled(result)
        )
        text = logins.found(way, result)
    except Interrupted:
        note(f"the login of {agent.title} was cancelled; nothing is stored")
        raise
    finally:
        shutil.rmtree(result, ignore_errors=True)
    if text is None and way.variable and status == 0:
        text = getpass.getpass("Paste the token (it is not shown): ", stream=sys.stderr)
    if not text:
        raise AgentSessionError(f"{' '.join(way.command)} did not log in", hint=Hint("login", [agent.name]))
    return text


def tell_running(engine: "Engine", agent: "Agent") -> None:
    """A line for each session that keeps the login it has until its next start."""
    from agent_session.sessions import find

    for session in find.list_sessions(engine):
        if session.running and session.agent == agent.name:
            note(
                f"session '{session.name}' runs without that change until: agent-session stop "
                f"{session.name} && agent-session restart {session.name}"
            )
