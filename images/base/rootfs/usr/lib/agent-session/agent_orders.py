"""For an agent's prompt, answer and abort: how they refuse, their lock, and the session's first terminal."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

RUN = Path("/run/agent-session")
PANE = ("--pane-id", "terminal_0")
# One argument may have 128 KiB, of at most 4 bytes a character.
CHUNK = 30_000
OPENING, CLOSING = "\x1b[200~", "\x1b[201~"
PERMISSION_REPLIES = ("once", "always", "reject")


def say(**event: Any) -> None:
    """One JSON object, as a line, at once."""
    print(json.dumps(event), flush=True)


def fail(kind: str, message: str, **more: Any) -> NoReturn:
    """End with an error in the words of the contract; `kind`: refused, usage, server or timeout."""
    say(error={"kind": kind, "message": message, **more})
    sys.exit(1)


def reply() -> tuple[str, str]:
    """What `answer` was given: the text on standard input, and --question ID, "" where any question is meant."""
    text = harmless(sys.stdin.buffer.read().decode("utf-8", "replace")).strip()
    if not text:
        fail("usage", "there is no answer")
    return text, sys.argv[2] if sys.argv[1:2] == ["--question"] and len(sys.argv) == 3 else ""


def check_question(wanted: str, asked: dict[str, Any], state: dict[str, Any]) -> None:
    """Refused where the agent asks something else by now than the question with the id `wanted`."""
    if wanted and str(asked.get("id", "")) != wanted:
        fail("refused", "that question is over; the agent asks another one now", state=state)


def permission_reply(text: str, state: dict[str, Any]) -> tuple[str, str]:
    """once, always or reject, and with reject what the agent shall do instead. Any other text is `usage`."""
    word, _, instead = text.partition("\n")
    if word not in PERMISSION_REPLIES or (instead and word != "reject"):
        fail("usage", "a permission is answered with once, always or reject", state=state)
    return word, instead.strip()


@contextlib.contextmanager
def one_at_a_time(name: str = "prompting") -> Iterator[None]:
    """Refused while another holds it."""
    with (RUN / name).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fail("refused", "another prompt is on its way to the agent")
        yield


def until(happened: Callable[[], Any], seconds: float, *, every: float = 0.05) -> Any:
    """What `happened` says as soon as that is something, or what it says at the end of the time."""
    end = time.monotonic() + seconds
    while not (found := happened()) and time.monotonic() < end:
        time.sleep(every)
    return found


def harmless(text: str) -> str:
    """The text with its control characters as pictures of them, but for newline and tab."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pictures = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
    pictures |= {0x7F: 0x2421, **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)}
    return text.translate(pictures)


def _panes() -> list[dict[str, Any]] | None:
    """None where Zellij, on a machine with much to do, ends well and has said nothing (seen)."""
    try:
        panes: list[dict[str, Any]] = json.loads(zellij("list-panes", "--json"))
    except ValueError:
        return None
    return panes


def check_pane() -> None:
    """Zellij 0.44 types into a pane that is not there without a word (#4508)."""
    panes = until(_panes, 5)
    if panes is None:
        raise Closed("its terminal does not answer")
    if not any(pane["id"] == 0 and not pane["is_plugin"] and not pane["exited"] for pane in panes):
        raise Closed("its first terminal is closed")


def screen(*, colours: bool = False) -> list[str]:
    """The rows the terminal shows, with colours as escape sequences if wanted."""
    return zellij("dump-screen", *PANE, *(["--ansi"] if colours else [])).split("\n")


def press(*keys: str) -> None:
    """Press keys, in Zellij's words: "Enter", "Esc", "Ctrl a"."""
    zellij("send-keys", *PANE, "--", *keys)


def write(text: str, *, pasted: bool | None = None) -> None:
    """Type a text; as one paste if it has lines or tabs, or always (True), or never (False)."""
    pasted = ("\n" in text or "\t" in text) if pasted is None else pasted
    if pasted and len(text) <= CHUNK:
        zellij("paste", *PANE, "--", text)  # with the brackets only where the program asked for them
        return
    whole = f"{OPENING}{text}{CLOSING}" if pasted else text
    for start in range(0, len(whole), CHUNK):
        zellij("write-chars", *PANE, "--", whole[start : start + CHUNK])


class Closed(Exception):
    """The terminal cannot be typed into."""


def zellij(*action: str) -> str:
    """One action; the client of a dead server would try for ever. Closed where it cannot be done."""
    command = ["zellij", "--session", os.environ["AGENT_SESSION_NAME"], "action", *action]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False
        )
    except subprocess.TimeoutExpired:
        raise Closed("its terminal does not answer") from None
    if done.returncode:
        raise Closed(f"zellij {action[0]}: {done.stderr.strip()}")
    return done.stdout
