"""Claude's state, in the words of docs/agents.md: its own session file says what it does, the transcript why."""

import os
import time

import agent_state
import claude_session
from claude_session import Session, Turn

PERMISSIONS = ("permission prompt", "sandbox request", "worker request", "goal proposal")
# Claude writes its transcript a moment after its session file: so long a turn that has no end there is not believed to be over.
PATIENCE_SECONDS = 1.0
# A Claude that runs without a session file for so long asks something before it begins.
STARTING_SECONDS = 3.0
ASKING = ("Esc to cancel", "Esc to exit", "Enter to confirm", "Enter to continue", "Press Enter", "to select")


class Reading:
    """One look: the state, whose it is, and when to look again though nothing changes (None: never)."""

    def __init__(
        self,
        state: dict,
        session: "Session | None" = None,
        turn: "Turn | None" = None,
        again: "float | None" = None,
    ) -> None:
        self.state = {"reason": "", **state}
        self.session = session
        self.turn = turn
        self.again = again
        self.begun = str(state.get("since", "")) if state.get("value") == "working" else ""


def look(before: "Reading | None" = None) -> Reading:
    """What Claude does now; `before` is what it did when it was last looked at."""
    pane = agent_state.pane()
    if pane is None:
        return Reading({"value": "starting", "source": "pane"})
    session = claude_session.of_pane(pane)
    if session is not None:
        return _told(session, before.begun if before is not None else "")
    running = claude_session.process(pane)
    if running is not None:
        return (
            _asked_before_it_begins()
            if running[1] > STARTING_SECONDS
            else Reading({"value": "starting", "source": "its process"}, again=0.5)
        )
    if pane.status is not None:
        return Reading(pane.end(), again=2)
    return Reading({"value": "starting", "source": "pane"}, again=0.5)


def _told(session: Session, begun: str) -> Reading:
    """What the session file and the transcript tell; `begun` is when the turn began that was under way a moment ago."""
    source = "Claude's session file"
    if session.status in {"busy", "shell"}:
        return Reading({"value": "working", "since": session.since, "source": source}, session)
    turn = claude_session.last_turn(session.transcript)
    if session.status == "waiting":
        left = PATIENCE_SECONDS - (time.time() - session.changed)
        if not turn.tool and session.waiting_for != "dialog open" and left > 0:
            return Reading({"value": "working", "source": source}, session, turn, again=left + 0.05)
        question = _question(session, turn)
        state = {
            "value": "waiting",
            "since": session.since,
            "reason": question["text"],
            "question": question,
            "source": source,
        }
        return Reading(state, session, turn)
    if not session.status:
        return Reading({"value": "starting", "source": source}, session)
    if session.status != "idle":
        return Reading(
            {"value": "unknown", "reason": f"Claude says that it is {session.status!r}", "source": source},
            session,
            turn,
        )
    left = PATIENCE_SECONDS - (time.time() - max(session.changed, _written(session.transcript)))
    if left > 0 and ((turn.at and not turn.over) or turn.at < begun):
        state = {"value": "working", "since": begun, "source": source}
        if not begun:
            state = {"value": "working", "source": "Claude's transcript"}
        return Reading(state, session, turn, again=left + 0.05)
    since = max(session.since, turn.at)
    if turn.login:
        question = {"kind": "login", "text": turn.error, "choices": []}
        state = {
            "value": "waiting",
            "since": since,
            "reason": turn.error,
            "question": question,
            "source": "Claude's transcript",
        }
    elif turn.error:
        state = {"value": "failed", "since": since, "reason": turn.error, "source": "Claude's transcript"}
    else:
        state = {"value": "idle", "since": since, "source": source}
    return Reading(state, session, turn)


def _question(session: Session, turn: Turn) -> dict:
    """What it waits for, with the words of the tool call that has no result yet; its id is that of the call and of the moment."""
    return {**_asked(session, turn), "id": f"{turn.tool.get('id', '')}@{session.since}"}


def _asked(session: Session, turn: Turn) -> dict:
    asked = claude_session.questions(turn.tool)
    if asked:
        text = (
            "\n".join(f"{one['question']} ({' / '.join(one['options'])})" for one in asked)
            if len(asked) > 1
            else asked[0]["question"]
        )
        choices = asked[0]["options"] if len(asked) == 1 and not asked[0]["several"] else []
        return {"kind": "question", "text": text[:4000], "choices": choices}
    if session.waiting_for in PERMISSIONS:
        text = claude_session.described(turn.tool) if turn.tool else session.waiting_for
        return {"kind": "permission", "text": text[:4000], "choices": ["once", "always", "reject"]}
    if session.waiting_for == "input needed":
        return {"kind": "question", "text": "it asks for something in its terminal", "choices": []}
    return {"kind": "dialog", "text": "a dialog is open in its terminal", "choices": []}


def _asked_before_it_begins() -> Reading:
    """No interface tells of the dialogs before the first prompt; only there its screen is looked at."""
    rows = [row.strip() for row in _screen().split("\n") if row.strip()]
    text = "\n".join(row for row in rows if set(row) - set("\u2500\u2594 "))[:1000]
    if not any(words in text for words in ASKING):
        return Reading({"value": "starting", "source": "its process"}, again=1)
    sort = "login" if "login" in text.lower() or "API key" in text else "dialog"
    question = {"kind": sort, "text": text, "choices": []}
    return Reading(
        {"value": "waiting", "reason": text, "question": question, "source": "its terminal"}, again=1
    )


def _screen() -> str:
    """What the first terminal shows; without subprocess, which costs a follower a megabyte."""
    words = [
        "timeout",
        "5",
        "zellij",
        "--session",
        os.environ.get("AGENT_SESSION_NAME", ""),
        "action",
        "dump-screen",
        "--pane-id",
        "terminal_0",
    ]
    reading, writing = os.pipe()
    pid = os.posix_spawnp("timeout", words, os.environ, file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)])
    os.close(writing)
    with open(reading, "rb") as pipe:
        shown = pipe.read(200_000)
    os.waitpid(pid, 0)
    return shown.decode("utf-8", "replace")


def _written(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
