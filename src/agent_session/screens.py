"""What a session's terminal shows and what is typed into it, attached or not; and commands run beside the agent.

What comes out of a container is untrusted: of its escape sequences only colours are let through, or nothing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agent_session import sessions
from agent_session.engine import Engine
from agent_session.errors import ConflictError, NotReady, SessionStopped, UsageError
from agent_session.session import Session

LARGEST_TEXT = 1_000_000
"""Bytes of UTF-8 that may be typed at once."""
TYPE = "/usr/lib/agent-session/type"
NAMED = {
    name.lower(): zellij
    for name, zellij in {
        **{name: name for name in ("Enter", "Esc", "Tab", "Up", "Down", "Left", "Right", "Home", "End", "Insert", "Delete")},
        **{f"F{number}": f"F{number}" for number in range(1, 13)},
        "PgUp": "PageUp", "PgDn": "PageDown", "Backspace": "Backspace", "Space": "Space",
    }.items()
}  # fmt: skip
KEY_NAMES = (
    "Enter", "Esc", "Tab", "Up", "Down", "Left", "Right", "Home", "End", "PgUp", "PgDn", "Insert", "Delete", "Backspace", "Space",
    *(f"F{number}" for number in range(1, 13)),
)  # fmt: skip
KEYS = (
    "Enter, Esc, Tab, Up, Down, Left, Right, Home, End, PgUp, PgDn, Insert, Delete, Backspace, Space, F1 to F12, a character; "
    "with C-, M- or S- in front"
)
MODIFIERS = {"C": "Ctrl", "M": "Alt", "S": "Shift"}
KEY = re.compile(r"((?:[CMS]-)*)(.+)", re.DOTALL)
ESCAPES = re.compile(
    r"(\x1b\[[0-9;:]*m)"  # colours
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]P_^X][^\x07\x1b]*(?:\x07|\x1b\\)?"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufffe\uffff]"
)


@dataclass(frozen=True, kw_only=True)
class Typing:
    """What to type: keys (names as `key` reads them) first, then the text, then Enter."""

    text: str = ""
    keys: tuple[str, ...] = ()
    enter: bool = False


def running(engine: Engine, name: str) -> Session:
    """The session of that name, which runs. SessionNotFound, SessionStopped."""
    session = sessions.get(engine, name)
    if not session.running:
        raise SessionStopped(name)
    return session


def command(
    engine: Engine, session: Session, words: Sequence[str], environment: Mapping[str, str], *, terminal: bool
) -> list[str]:
    """The argv that runs a command in a session as its agent would, on the caller's streams; for os.execvp."""
    return engine.attach_command(session.container, ["session-exec", *words], environment, terminal=terminal)


def send(engine: Engine, session: Session, typing: Typing) -> None:
    """Type into a running session's first terminal. UsageError before anything is typed; ConflictError where that pane is closed."""
    keys = [key(name) for name in typing.keys]
    text = harmless(typing.text).encode()
    if len(text) > LARGEST_TEXT:
        raise UsageError(f"that text has {len(text)} bytes, more than {LARGEST_TEXT}", hint="agent-session cp --help")
    done = engine.run(session.container, [TYPE, *(["--enter"] if typing.enter else []), *keys], stdin=text, timeout=120)
    if done.exit_code:
        words = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.exit_code}"
        raise ConflictError(
            f"nothing can be typed into session '{session.name}': {plain(words)}",
            hint=f"agent-session screen {session.name}",
        )


def shown(engine: Engine, session: Session, *, scrollback: bool = False) -> str:
    """What a running session's first terminal shows (or has shown), a line a row, with colours as escape sequences and no others."""
    dump = ["dump-screen", "--pane-id", "terminal_0", "--ansi", *(["--full"] if scrollback else [])]
    done = engine.run(
        session.container, ["timeout", "20", "zellij", "--session", session.name, "action", *dump], timeout=60
    )
    if done.exit_code:
        raise NotReady(
            session.name, "its terminal does not answer", [plain(done.stderr.decode("utf-8", "replace").strip())]
        )
    rows = coloured(done.stdout.decode("utf-8", "replace")).split("\n")
    while rows and not plain(rows[-1]).strip():
        rows.pop()
    return "\n".join(rows)


def key(name: str) -> str:
    """A key in Zellij's words: "C-M-x" is "Ctrl Alt x". UsageError for what is none."""
    matched = KEY.fullmatch(name)
    modifiers, last = (matched[1].split("-")[:-1], matched[2]) if matched else ([], name)
    spelled = NAMED.get(last.lower()) or (last if len(last) == 1 and last.isprintable() and last != " " else None)
    if spelled is None or len(set(modifiers)) < len(modifiers):
        raise UsageError(f"{name!r} is no key; there are: {KEYS}", hint="agent-session send NAME --key C-c")
    return " ".join([*(MODIFIERS[letter] for letter in modifiers), spelled])


def harmless(text: str) -> str:
    """The text with its control characters as pictures of them (U+2400...), so that none acts; line ends are newlines."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    pictures = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"}
    pictures |= {0x7F: 0x2421, **dict.fromkeys([*range(0x80, 0xA0), *range(0xD800, 0xE000)], 0xFFFD)}
    return text.translate(pictures)


def coloured(text: str) -> str:
    """The text with colours as its only escape sequences."""
    return ESCAPES.sub(lambda found: found[1] or "", text)


def plain(text: str) -> str:
    """The text without any escape sequence."""
    return ESCAPES.sub("", text)
