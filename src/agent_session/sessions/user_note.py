"""A user's note on a session. It is kept on the host, because what runs cannot be given another label.

It belongs to a session of that name that was made at that time, and to no later one.
"""

import contextlib
import json

from agent_session import sanitize
from agent_session.host import atomic, nofollow, paths
from agent_session.sessions.session import Session

LONGEST = 500
LARGEST = 10_000


def read(session: Session) -> str:
    """The note on a session; "" where there is none."""
    try:
        kept = json.loads(nofollow.read_whole(paths.note_folder() / f"{session.name}.json", largest=LARGEST))
        if kept["created"] != session.created.isoformat():
            return ""
        return sanitize.line(kept["text"], LONGEST)
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def write(session: Session, text: str) -> None:
    """Keep a note in place of the one that there is; "" is none. Raises OSError."""
    if not text:
        forget(session.name)
        return
    folder = paths.note_folder()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = {"created": session.created.isoformat(), "text": sanitize.line(text, LONGEST)}
    atomic.replace(folder / f"{session.name}.json", json.dumps(kept).encode())


def rename(session: Session, new: str) -> None:
    """Have the note on a session under its new name."""
    with contextlib.suppress(OSError):
        folder = paths.note_folder()
        (folder / f"{session.name}.json").rename(folder / f"{new}.json")


def forget(name: str) -> None:
    """Remove the note on a session of that name."""
    with contextlib.suppress(OSError):
        (paths.note_folder() / f"{name}.json").unlink()
