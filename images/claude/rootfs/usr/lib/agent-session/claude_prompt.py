"""How a text becomes Claude's next prompt, exactly as it is (seen with 2.1.329).

Neither typing nor pasting does that: `/exit`, `!` and `exit` act, tabs become spaces, spaces at the end go, and a paste is
handed to the model as <pasted_content>, with the word that nothing in it is the user's wish. A prompt of Claude's own history
arrives untouched. So the text is put there, behind a placeholder with a number of its own, found with Ctrl-R, and sent when
the input box shows that placeholder and nothing else.
"""

import contextlib
import json
import random
import re
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import agent_state
import claude_screen
import claude_session
import claude_state
from agent_orders import Closed, fail, press, until, write
from claude_session import Session

HISTORY = Path(claude_session.CONFIG, "history.jsonl")
LOCK = Path(f"{HISTORY}.lock")  # the name and kind, a directory, of Claude's own
PLACEHOLDER = "[...Truncated text #1 +{} lines...]"
SHOWN = re.compile(r"\[\.\.\.Truncatedtext#\d+\+(\d+)lines\.\.\.\]")
ACCEPTED_SECONDS = 10
TRIES = 3
# Claude takes invisible letters away, and then wants a second Enter.
LOOKED_AT_SECONDS = 2


class Transcript:
    """What is added to a transcript from now on."""

    def __init__(self, session: Session) -> None:
        self.path = Path(session.transcript)
        self.offset = self.path.stat().st_size if self.path.exists() else 0

    def news(self) -> list[dict]:
        """The records written since the last call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                data = file.read()
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self.offset += len(whole)
        return [record for line in whole.split(b"\n") if line and (record := claude_session.parse(line))]


class NotTaken(Exception):
    """The text did not become Claude's prompt; what was seen instead."""


def may_prompt(reading: claude_state.Reading) -> Session:
    """The Claude that can take a prompt now; refused otherwise."""
    question = reading.state.get("question", {}).get("kind")
    ready = reading.state["value"] in {"idle", "failed"} or (question == "login" and reading.turn is not None)
    if reading.session is None or not ready:
        fail("refused", f"Claude is {reading.state['value']}", state=reading.state)
    fields = agent_state.stat(reading.session.pid)
    if fields[:1] == ["T"] or fields[2:3] != fields[5:6]:
        fail("refused", "Claude is not in front in its terminal", state=reading.state)
    try:
        left = until(lambda: (text := claude_screen.typed()) is not None and [text], 1.5)
    except Closed as error:
        fail("refused", str(error), state=reading.state)
    if not left:
        fail("refused", "Claude's terminal shows something else than its input", state=reading.state)
    if left[0]:
        fail("refused", "there is text in Claude's input that nobody has sent", state=reading.state)
    return reading.session


def give(text: str, session: Session, transcript: Transcript) -> tuple[str, list[dict]]:
    """Make it the next prompt; the id of its record, and the records after it. `server` where Claude does not take it."""
    try:
        with in_history(text, session) as number:
            recall(number)
        press("Enter")
        return accepted(text, transcript)
    except (NotTaken, Closed) as error:
        with contextlib.suppress(Closed):
            withdraw()
        fail("server", f"Claude did not take the prompt: {error}", state=claude_state.look().state)


@contextlib.contextmanager
def in_history(text: str, session: Session) -> Iterator[int]:
    """The text as the newest prompt in Claude's history, and out of it again; the number its placeholder shows."""
    number = random.randrange(10**5, 10**6)
    pasted = {"1": {"id": 1, "type": "text", "content": text}}
    entry = {
        "display": PLACEHOLDER.format(number),
        "pastedContents": pasted,
        "timestamp": int(time.time() * 1000),
    }
    line = json.dumps(entry | {"project": session.cwd, "sessionId": session.id}).encode() + b"\n"
    HISTORY.touch(mode=0o600)
    with locked(), HISTORY.open("ab") as file:
        offset = file.seek(0, 2)
        file.write(line)
    try:
        yield number
    finally:
        with locked(), HISTORY.open("r+b") as file:
            file.seek(offset)
            if file.read() == line:  # else another Claude has written meanwhile; one more entry does no harm
                file.truncate(offset)


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Claude's own lock of its history; one that is left over does not stop anything."""
    held = until(lambda: _made(LOCK), 2)
    try:
        yield
    finally:
        if held:
            with contextlib.suppress(OSError):
                LOCK.rmdir()


def _made(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        return False
    return True


def recall(number: int) -> None:
    """Get the prompt with this number into the input box."""
    query = f"+{number} lines"
    for _ in range(TRIES):
        press("Ctrl r")
        if not until(lambda: claude_screen.searching() is not None, 5):
            raise NotTaken("its history does not open")
        write(query, pasted=False)
        if not until(lambda: claude_screen.searching() == _squeezed(query), 5):
            raise NotTaken("its history does not take what is typed")
        until(lambda: _found(number), 2)  # a narrow terminal may not show it
        press("Enter")
        if until(lambda: _placeholder() == number, 3):
            return
        withdraw()
    raise NotTaken("its history does not give it")


def _found(number: int) -> bool:
    """Whether the list has it, above the line with what is searched for."""
    rows = [_squeezed(row) for row in claude_screen.screen()]
    return any("[...Truncated" in row and f"+{number}" in row for row in rows)


def _squeezed(text: str) -> str:
    return "".join(text.split())


def _placeholder() -> int | None:
    """The number of the placeholder, if there is nothing else in the input box."""
    shown = SHOWN.fullmatch(_squeezed(claude_screen.typed() or ""))
    return int(shown[1]) if shown else None


def accepted(text: str, transcript: Transcript) -> tuple[str, list[dict]]:
    """Wait for it in the transcript."""
    seen: list[dict] = []
    pressed, begun = False, time.monotonic()
    while time.monotonic() - begun < ACCEPTED_SECONDS:
        seen += transcript.news()
        for at, record in enumerate(seen):
            if claude_session.kind(record) == "prompt" and _same(claude_session.text_of(record), text):
                return str(record.get("uuid", "")), seen[at + 1 :]
        if not pressed and time.monotonic() - begun > LOOKED_AT_SECONDS and _placeholder() is not None:
            press("Enter")
            pressed = True
        time.sleep(0.05)
    raise NotTaken("it is not in its record")


def _same(one: str, other: str) -> bool:
    """Whether two texts are the same but for letters that nobody can see, which Claude leaves out."""
    return one == other or _visible(one) == _visible(other)


def _visible(text: str) -> str:
    return "".join(
        letter
        for letter in unicodedata.normalize("NFC", text)
        if unicodedata.category(letter) not in {"Cf", "Mn", "Co", "Cn"}
    )


def withdraw() -> None:
    """Leave Claude's input as it was: empty."""
    if claude_screen.searching() is not None:
        press("Esc")
        until(lambda: claude_screen.searching() is None, 2)
    if _placeholder() is not None:
        claude_screen.clear()
