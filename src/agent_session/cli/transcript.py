"""A conversation on a terminal: the agent's words as they come, its tools, and what the person said."""

import os
from typing import TYPE_CHECKING

from agent_session import sanitize

if TYPE_CHECKING:
    from agent_session.activity.protocol import Entry, Event, Used

LONGEST_ENTRY = 2000
LONGEST_INPUT = 100


class Transcript:
    """What has been printed of a conversation, so that the next words stand where they belong."""

    def __init__(self) -> None:
        self.coloured = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self._middle = False  # of a line
        self._silent = True  # nothing of the answer was shown since its last tool

    def show(self, event: "Event") -> None:
        """Show the next event of a turn."""
        from agent_session.activity.protocol import Ended, Said, Used

        if isinstance(event, Said):
            self._write(sanitize.lines(event.text))
            self._silent = self._silent and not event.text.strip()
        elif isinstance(event, Used):
            self.new_line()
            print(self.faint(_tool(event)), flush=True)
            self._silent = True
        elif isinstance(event, Ended):
            if self._silent:
                self._write(sanitize.lines(event.text))
            self.new_line()
            self._silent = True

    def show_entry(self, entry: "Entry") -> None:
        """Show an entry of the history."""
        text = sanitize.lines(entry.text).strip()
        text = text if len(text) <= LONGEST_ENTRY else f"{text[:LONGEST_ENTRY]}..."
        for tool in entry.tools:
            print(self.faint(_tool(tool)))
        if text:
            print(self.strong(f"> {text}") if entry.role == "user" else text)

    def _write(self, text: str) -> None:
        if text:
            print(text, end="", flush=True)
            self._middle = not text.endswith("\n")

    def new_line(self) -> None:
        """End the line that is being written, if there is one."""
        if self._middle:
            print(flush=True)
            self._middle = False

    def faint(self, text: str) -> str:
        """The text as less than the agent's words."""
        return f"\x1b[2m{text}\x1b[m" if self.coloured else text

    def strong(self, text: str) -> str:
        """The text as something that the person is to see."""
        return f"\x1b[1m{text}\x1b[m" if self.coloured else text


def _tool(tool: "Used") -> str:
    """A tool in a line: its name, and the texts it was given."""
    given = tool.input if isinstance(tool.input, dict) else {"": tool.input}
    words = sanitize.message(
        ", ".join(value for value in given.values() if isinstance(value, str)), LONGEST_INPUT + 1
    )
    cut = words if len(words) <= LONGEST_INPUT else f"{words[:LONGEST_INPUT]}..."
    return f"* {sanitize.message(tool.name)}{': ' if cut else ''}{cut}"
