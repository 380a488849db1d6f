"""A container that has just started gets its seed and its guard, and is waited for until it is up."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from agent_session import inside, sanitize
from agent_session.engine.container import ContainerSpec
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused, NotReady
from agent_session.sessions import find
from agent_session.sessions.names import container_name
from agent_session.sessions.session import Session
from agent_session.workspace.protected_paths import guarded

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed

READY_SECONDS = 60
Report = Callable[[str], None]
"""Is told what the user should know, a line each."""


def unheard(_line: str) -> None:
    """Ignore a line."""


def bring_up(engine: Engine, container: str, name: str, seed: "Seed", *, screen: bool) -> tuple[str, ...]:
    """Give a container that just started its seed and its guard, which keeps read-only paths read-only.

    Not as root: there the agent, uid 0 as well, could change what the guard runs with rights that the agent
    has not.
    """
    from agent_session.host.threads import beside  # 2 ms that ls need not pay

    with beside(1) as pool:
        guard = (
            None
            if engine.rootful
            else pool.submit(engine.exec_as_root, container, [inside.SESSION_GUARD, *guarded()])
        )
        notes = send_seed(engine, name, seed, screen=screen, container=container)
        if guard:
            guard.result()
        return notes


def send_seed(
    engine: Engine, name: str, seed: "Seed", *, screen: bool, container: str = ""
) -> tuple[str, ...]:
    """Give a running session its seed and wait until it is up; harmless where it has one. Raises NotReady.

    Returns what the agent's preparation has to say to the user, in lines: a file it cannot use, say.
    """
    arguments = ["--timeout", str(READY_SECONDS), *(["--screen"] if screen else [])]
    target = container or container_name(name)
    try:
        done = engine.exec(
            target, [inside.SESSION_SEED, *arguments], stdin=seed.archive, timeout=READY_SECONDS + 10
        )
    except EngineRefused as error:
        words = [error.message, *_lines(engine.log_tail(target))]
        raise NotReady(name, "its container ended at once", words) from error
    lines = _lines(done.message) if done.stderr.strip() else []
    if done.exit_code:
        words = lines[-8:]
        reason = (
            f"nothing on its screen after {READY_SECONDS} s"
            if done.exit_code == 124
            else "its terminal did not start"
        )
        raise NotReady(name, reason, words)
    return tuple(lines[:20])


def wait_until_stopped(engine: Engine, name: str) -> Session:
    """The session once it has ended, or as it is after the seconds that a stop may take.

    For callers that could run no command in it: Podman calls a container running until the last of its
    processes is gone.
    """
    deadline = time.monotonic() + ContainerSpec.stop_timeout
    while (session := find.get(engine, name)).running and time.monotonic() < deadline:
        time.sleep(0.05)
    return session


def _lines(text: str) -> list[str]:
    """The lines of a program's output, fit to be shown."""
    return [sanitize.shown(line[:300]) for line in text.splitlines() if line.strip()]
