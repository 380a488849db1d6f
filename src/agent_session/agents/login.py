"""Logins that all sessions of an agent share, made by the agent's own command.

One login for each session would end the others when its token changes.
"""

import json
import re
import shlex
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.agents.catalog import Login
from agent_session.engine.command import OneOff
from agent_session.engine.container import Mount
from agent_session.errors import UsageError
from agent_session.host import nofollow

TYPESCRIPT = "typescript"
LARGEST_RESULT = 50_000_000
TYPED = "typed"
LAST_TYPED = 4096
CTRL_C = rb"(?:\x03|\x1b\[99;5(?::1)?u|\x1b\[27;5;99~)"
"""As terminals send it: as ever, with Kitty's keys, with xterm's modifyOtherKeys."""
REPEATED = rb"(?:\x1b\[99;5:[23]u|\x1b\[[IO])*"
"""What may lie between two of them: Kitty's report of a key that is held or let go; a window that gets or
loses the focus."""
CANCELLED = re.compile(CTRL_C + REPEATED + CTRL_C)
LARGEST = 400_000
"""Bytes; Podman's limit for a secret is 512000."""
ESCAPES = re.compile(r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[@-_a-z]")


def one_off(login: Login, image: str, result: Path, ca_bundle: Path | None) -> OneOff:
    """The one-off container of the agent's login command.

    Its output, or the file that it writes, is left in the directory `result`.
    """
    words = login.command
    if not login.variable:
        copied = 'file=$1; shift; "$@" && cp -- "$HOME/$file" "$0/"'
        words = ("/bin/sh", "-c", copied, str(inside.LOGIN_RESULT), login.file, *words)
    command = (
        "script", "--quiet", "--flush", "--return", "--command", shlex.join(words),
        "--log-in", str(inside.LOGIN_RESULT / TYPED), "--log-out", str(inside.LOGIN_RESULT / TYPESCRIPT),
    )  # fmt: skip
    mounts = [Mount(kind="bind", source=str(result), target=inside.LOGIN_RESULT)]
    if ca_bundle:
        mounts.append(Mount(kind="bind", source=str(ca_bundle), target=inside.CA_BUNDLE, read_only=True))
    environment = {"TERM": "xterm-256color", "COLORTERM": "truecolor"}
    return OneOff(image=image, command=command, environment=environment, mounts=tuple(mounts), network=True)


def is_cancelled(result: Path) -> bool:
    """Whether Ctrl-C has been typed twice in a row: an agent's own program may take it for nothing."""
    file = result / TYPED
    if file.is_symlink() or not file.is_file():
        return False
    with file.open("rb") as typed:
        typed.seek(max(0, file.stat().st_size - LAST_TYPED))
        return bool(CANCELLED.search(typed.read()))


def found(login: Login, result: Path) -> str | None:
    """Read the result of the login command: the token, or the file's text; None where there is neither."""
    file = result / (TYPESCRIPT if login.variable else PurePosixPath(login.file).name)
    try:
        text = nofollow.read_whole(file, largest=LARGEST_RESULT).decode("utf-8", "replace")
    except OSError:
        return None
    return token_in(text, login.pattern) if login.variable else text


def token_in(typescript: str, pattern: str) -> str | None:
    """Find the last token on a recorded screen, also one broken into lines; None where there is none."""
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
    """Return the login as it will be stored. Raises UsageError for what cannot be one, without quoting it."""
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
