"""Logins that all sessions of an agent share: got once by the agent's own command, kept as the engine's secret.

One login for each session would end the others when its token changes; a secret can neither be seen in a container's
specification nor in anybody's arguments. In the container it becomes a part of the seed (`add-login` in the base image).
"""

import json
import re
import shlex
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.agents.catalog import Agent, Login
from agent_session.engine.protocol import Engine, Mount, OneOff
from agent_session.errors import UsageError
from agent_session.host import nofollow

TYPESCRIPT = "typescript"
LARGEST_RESULT = 50_000_000
LARGEST = 400_000
"""Bytes; Podman's limit for a secret is 512000."""
ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_a-z]")

LOGIN = "agent-session-login"
"""In the container /run/secrets/<this>; the engine's secret is called <this>-<agent>."""


def login_secret(agent: str) -> str:
    """The engine's secret with the login that all sessions of an agent share."""
    return f"{LOGIN}-{agent}"


def one_off(login: Login, image: str, result: Path, ca_bundle: Path | None) -> OneOff:
    """The agent's login command; what it prints, or the file that it writes, is left in the directory `result`."""
    command: tuple[str, ...]
    if login.variable:
        command = (
            "script",
            "--quiet",
            "--flush",
            "--return",
            "--command",
            shlex.join(login.command),
            str(inside.LOGIN_RESULT / TYPESCRIPT),
        )
    else:
        script = 'file=$1; shift; "$@" && cp -- "$HOME/$file" "$0/"'
        command = ("sh", "-c", script, str(inside.LOGIN_RESULT), login.file, *login.command)
    mounts = [Mount(kind="bind", source=str(result), target=inside.LOGIN_RESULT)]
    if ca_bundle:
        mounts.append(Mount(kind="bind", source=str(ca_bundle), target=inside.CA_BUNDLE, read_only=True))
    environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    return OneOff(image=image, command=command, environment=environment, mounts=tuple(mounts), network=True)


def found(login: Login, result: Path) -> str | None:
    """What the login command left behind: the token, or the file's text; None where there is neither."""
    file = result / (TYPESCRIPT if login.variable else PurePosixPath(login.file).name)
    try:
        text = nofollow.read_whole(file, largest=LARGEST_RESULT).decode("utf-8", "replace")
    except OSError:
        return None
    return token_in(text, login.pattern) if login.variable else text


def token_in(typescript: str, pattern: str) -> str | None:
    """The last token on a recorded screen, also where the terminal's width broke it into lines; None where there is none."""
    if not pattern:
        return None
    text = ESCAPES.sub("", typescript).replace("\r", "")
    lines = [line.strip() for line in text.split("\n")]
    tokens = []
    for number, line in enumerate(lines):
        for match in re.finditer(pattern, line):
            token = match[0]
            following = iter(lines[number + 1 :]) if match.end() == len(line) else iter(())
            for more in following:
                if not more or not re.fullmatch(pattern, token + more):
                    break
                token += more
            tokens.append(token)
    return tokens[-1] if tokens else None


def check(login: Login, text: str) -> str:
    """The login as it will be stored; UsageError for what cannot be one. The words never quote it."""
    text = text.strip()
    if not text or len(text.encode()) > LARGEST:
        raise UsageError("that is empty, or far too long for a login")
    if login.variable:
        if not text.isprintable() or " " in text:
            raise UsageError("that is not a token: it has spaces or control characters in it")
        if login.pattern and not re.fullmatch(login.pattern, text):
            raise UsageError(f"that is not what `{' '.join(login.command)}` prints")
    elif login.file.endswith(".json"):
        try:
            readable = isinstance(json.loads(text), dict)
        except ValueError:
            readable = False
        if not readable:
            raise UsageError(f"that is not what is in ~/{login.file}: a JSON object")
    return text


def store(engine: Engine, agent: Agent, login: Login, text: str) -> None:
    """Keep a login for all sessions of the agent that are started from now on."""
    kept = {"environment": {login.variable: text}} if login.variable else {"files": {login.target: text}}
    engine.put_secret(login_secret(agent.name), json.dumps(kept).encode())
