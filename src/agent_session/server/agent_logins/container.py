"""An agent's own login, by its executable `log-in` in a throw-away container (docs/agents.md).

The container has no name of the user's and no secret; the result comes on its standard output, which is in
no log.
"""

import asyncio
import contextlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from agent_session import inside, sanitize
from agent_session.agents.catalog import Agent
from agent_session.agents.stored_login import StoredLogin
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.images import build
from agent_session.images.errors import ImageMissing
from agent_session.server import threads
from agent_session.server.agent_logins.errors import LoginDenied, LoginExpired, LoginFailed
from agent_session.server.agent_logins.login import Login
from agent_session.sessions.installation import Installation

SECONDS = 1200
"""The longest that a login may take."""


async def log_in(
    engine: Engine, installation: Installation, agent: Agent, words: Sequence[str], login: Login
) -> StoredLogin:
    """Run the login and follow it; when it ends, the container is gone. ImageMissing, LoginFailed."""
    wanted = await threads.apart(lambda: _one_off(engine, installation, agent, words))
    loop = asyncio.get_running_loop()
    heard: asyncio.Queue[bytes] = asyncio.Queue()
    given_end, given = os.pipe()
    said, said_end = os.pipe()

    def listen() -> None:
        with os.fdopen(said, "rb") as lines:
            for line in lines:
                threads.post(loop, lambda line=line: heard.put_nowait(line))  # type: ignore[misc]
        threads.post(loop, lambda: heard.put_nowait(b""))

    def run() -> ExecResult:
        with os.fdopen(given_end, "rb", 0) as stdin, os.fdopen(said_end, "wb", 0) as stdout:
            return engine.run_one_off(wanted, stdin=stdin, stdout=stdout, timeout=SECONDS)

    threads.begin(listen)
    ended = asyncio.ensure_future(threads.apart(run))
    passing = asyncio.ensure_future(_pass_codes(login, given))
    try:
        return await _followed(agent, login, heard, ended)
    finally:
        passing.cancel()
        os.close(given)  # for its program that is the end
        ended.add_done_callback(lambda done: done.cancelled() or done.exception())


def _one_off(engine: Engine, installation: Installation, agent: Agent, words: Sequence[str]) -> OneOff:
    image = build.reference(engine, installation.workshop(), agent)
    if not engine.images.exists(image):
        raise ImageMissing(agent.name)
    mounts = []
    if bundle := installation.added_certificates():
        mounts.append(Mount(kind="bind", source=str(bundle), target=inside.CA_BUNDLE, read_only=True))
    command = (inside.AGENT_COMMAND, "log-in", *words)
    return OneOff(image=image, command=command, mounts=tuple(mounts), network=True)


async def _pass_codes(login: Login, given: int) -> None:
    while True:
        code = await login.codes.get()
        with contextlib.suppress(OSError):
            os.write(given, code.encode() + b"\n")


async def _followed(
    agent: Agent, login: Login, heard: "asyncio.Queue[bytes]", ended: "asyncio.Future[ExecResult]"
) -> StoredLogin:
    while line := await heard.get():
        told = _object(line)
        if error := told.get("error"):
            raise _failure(error)
        if told.get("type") == "pending":
            seconds = told.get("expires_in")
            end = datetime.now(UTC) + timedelta(seconds=seconds) if isinstance(seconds, int | float) else None
            login.tell(
                sanitize.line(str(told.get("url", "")), 4000),
                user_code=sanitize.line(str(told.get("user_code", "")), 100),
                needs_code=told.get("needs_code") is True,
                expires_at=end,
            )
        elif told.get("type") == "ready":
            return StoredLogin(environment=_texts(told, "environment"), files=_texts(told, "files"))
    done = await ended
    if done.exit_code == 124:
        raise LoginExpired("nobody finished the login in time")
    raise LoginFailed(f"the login of {agent.title} ended without a result: {sanitize.message(done.message)}")


def _failure(error: Any) -> Exception:
    kind, message = ("server", "no reason")
    if isinstance(error, dict):
        kind, message = str(error.get("kind")), sanitize.message(str(error.get("message")))
    match kind:
        case "denied":
            return LoginDenied(message)
        case "timeout":
            return LoginExpired(message)
        case _:
            return LoginFailed(message)


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _texts(told: dict[str, Any], name: str) -> dict[str, str]:
    found = told.get(name)
    pairs = found.items() if isinstance(found, dict) else ()
    return {str(key): value for key, value in pairs if isinstance(value, str)}
