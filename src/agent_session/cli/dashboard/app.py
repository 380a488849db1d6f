"""The dashboard's screen, made with Textual: a list of sessions, what one of them shows, and keys.

Each key types a command of this program, so that the dashboard can do nothing that a shell cannot.
"""

import subprocess
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.widgets import DataTable, Footer, Input, Static

from agent_session import sanitize
from agent_session.cli.dashboard import rows
from agent_session.cli.dashboard.feed import Feed
from agent_session.cli.dashboard.rows import Seen

Run = Callable[[Sequence[str]], tuple[int, str]]
"""Runs a command of this program without a terminal; returns its exit code and its last line."""

EMPTY = "No sessions. Press n to start one here."


def run_program(program: str, environment: Mapping[str, str]) -> Run:
    """Return what runs a command of this program beside the dashboard, with nothing on its input."""

    def run(words: Sequence[str]) -> tuple[int, str]:
        done = subprocess.run(
            [program, *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            env=dict(environment),
            check=False,
        )
        said = (done.stderr or done.stdout).strip().splitlines() or [""]
        error = next((line for line in said if line.startswith("error: ")), said[-1])
        return done.returncode, sanitize.shown(error)

    return run


class Sessions(DataTable[Text]):
    """The list. Enter attaches."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "app.attach", "Attach")]


class Dashboard(App[None]):
    """All sessions, those that wait for a person first; the rest of the screen is the chosen one's."""

    TITLE = "agent-session"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    #title { height: 1; background: $panel; padding: 0 1; }
    Sessions { height: auto; max-height: 45%; }
    #asked { height: auto; max-height: 10; padding: 0 1; border-top: solid $panel; }
    #shown { height: 1fr; border-top: solid $panel; }
    #screen { width: auto; }
    Input { display: none; border: round $accent; }
    Input.open { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("p", "write('prompt')", "Prompt"),
        Binding("c", "chat", "Chat"),
        Binding("i", "write('answer')", "Answer"),
        Binding("x", "interrupt", "Interrupt"),
        Binding("r", "review", "Review"),
        Binding("n", "new", "New"),
        Binding("s", "start_or_stop", "Start/Stop"),
        Binding("q", "quit", "Quit"),
        Binding("escape", "close", "Close", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        *(Binding(f"{number}", f"reply({number})", show=False) for number in range(1, rows.MOST_CHOICES + 1)),
    ]

    def __init__(self, feed: Feed, *, run: Run, program: str) -> None:
        super().__init__()
        self._feed = feed
        self._run = run
        self._program = program
        self._seen: dict[str, Seen] = {}
        self._writing = ("", "")
        self._drafts: dict[tuple[str, str], str] = {}

    def compose(self) -> ComposeResult:
        """Put the parts of the screen below one another."""
        yield Static(id="title", markup=False)
        yield Sessions(cursor_type="row")
        yield Static(id="asked", markup=False)
        yield VerticalScroll(Static(id="screen", markup=False), id="shown", can_focus=False)
        yield Input(select_on_focus=False)
        yield Footer(compact=True)

    def on_mount(self) -> None:
        """Give the list its columns and the keyboard, and begin to look."""
        table = self.query_one(Sessions)
        for column in rows.COLUMNS:
            table.add_column(column, key=column)
        table.focus()
        self.show_sessions([])
        self._feed.begin(
            sessions=partial(self.call_from_thread, self.show_sessions),
            screen=partial(self.call_from_thread, self.show_screen),
            failure=partial(self.call_from_thread, self.show_failure),
        )

    def on_unmount(self) -> None:
        """Look no longer."""
        self._feed.end()

    # what is shown

    def show_sessions(self, seen: Sequence[Seen]) -> None:
        """Show these sessions; the chosen one stays chosen while it is there."""
        chosen = self.chosen
        found = rows.ordered(seen)
        self._seen = {one.session.name: one for one in found}
        self.query_one("#title", Static).update(f"agent-session   {rows.summary(found)}")
        table = self.query_one(Sessions)
        with self.batch_update(), self.prevent(Sessions.RowHighlighted):
            table.clear()
            for one in found:
                table.add_row(*rows.cells(one), key=one.session.name)
            names = [*self._seen]
            table.move_cursor(row=names.index(chosen) if chosen in names else 0)
        self._show_chosen()

    def show_screen(self, name: str, text: str) -> None:
        """Show what a session's terminal shows, if it is still the chosen one."""
        if name == self.chosen:
            self.query_one("#screen", Static).update(Text.from_ansi(text, no_wrap=True))

    def show_failure(self, sentence: str) -> None:
        """Tell that something could not be done."""
        self.notify(sanitize.lines(sentence), severity="error", markup=False)

    @property
    def chosen(self) -> str:
        """The name of the session under the cursor, "" where there is none."""
        table = self.query_one(Sessions)
        names = [*self._seen]
        return names[table.cursor_row] if 0 <= table.cursor_row < len(names) else ""

    @on(Sessions.RowHighlighted)
    def _show_chosen(self) -> None:
        one = self._seen.get(self.chosen)
        self.query_one("#asked", Static).update(rows.asked(one) if one else EMPTY)
        running = one is not None and one.session.running
        if not running:
            self.query_one("#screen", Static).update("" if one is None else "It does not run: s starts it.")
        self._feed.choose(self.chosen if running else "")

    # what keys do

    @on(Sessions.RowSelected)
    def action_attach(self) -> None:
        """Put the chosen session on the whole terminal; a stopped one is started."""
        if one := self._seen.get(self.chosen):
            self._take_terminal("attach" if one.session.running else "start", *self._named(one))

    def action_chat(self) -> None:
        """Talk with the chosen session's agent, line by line."""
        if self.chosen:
            self._take_terminal("chat", self.chosen)

    def action_new(self) -> None:
        """Start a session of this directory."""
        self._take_terminal("start", "--detach")

    def action_review(self) -> None:
        """Show what differs in the chosen session's projects, until a key is pressed."""
        if self.chosen:
            self._take_terminal("review", self.chosen, wait=True)

    def action_interrupt(self) -> None:
        """End what the chosen session's agent is doing."""
        if self.chosen:
            self.perform("interrupt", self.chosen)

    def action_start_or_stop(self) -> None:
        """Start the chosen session, or stop it if it runs."""
        if one := self._seen.get(self.chosen):
            running = one.session.running
            self.perform(*(["stop"] if running else ["start", "--detach"]), *self._named(one))

    def action_reply(self, number: int) -> None:
        """Give the answer of that number to what the chosen session waits for."""
        one = self._seen.get(self.chosen)
        if one and one.state.question and number <= len(answers := rows.answers(one.state.question)):
            permission = one.state.question.kind == "permission"
            self.perform("answer", self.chosen, answers[number - 1] if permission else f"{number}")

    def action_write(self, verb: str) -> None:
        """Open a line to write a prompt, or an answer of one's own, in."""
        one = self._seen.get(self.chosen)
        if one is None or (verb == "answer" and one.state.value != "waiting"):
            return
        self._writing = verb, self.chosen
        line = self.query_one(Input)
        line.border_title = f"{verb} {self.chosen}"
        line.border_subtitle = "Enter sends it, Esc leaves"
        line.value = self._drafts.get(self._writing, "")
        line.cursor_position = len(line.value)
        line.add_class("open")
        line.focus()

    def action_close(self) -> None:
        """Leave the line; what was written for this session is there the next time."""
        line = self.query_one(Input)
        self._drafts[self._writing] = line.value
        line.remove_class("open")
        self.query_one(Sessions).focus()

    def action_move(self, rows_down: int) -> None:
        """Choose the next session, or the one before."""
        table = self.query_one(Sessions)
        table.move_cursor(row=table.cursor_row + rows_down)

    @on(Input.Submitted)
    def _send(self, event: Input.Submitted) -> None:
        if text := event.value.strip():
            self.perform(*self._writing, text)
            event.input.value = ""
        self.action_close()

    @work(thread=True)
    def perform(self, *words: str) -> None:
        """Run a command of this program beside the dashboard, and tell what came of it."""
        code, said = self._run(words)
        if said:
            tell = self.show_failure if code else self._tell
            self.call_from_thread(tell, said)

    def _tell(self, sentence: str) -> None:
        self.notify(sentence, markup=False)

    def _named(self, one: Seen) -> list[str]:
        return ["-n", one.session.name] if not one.session.running else [one.session.name]

    def _take_terminal(self, *words: str, wait: bool = False) -> None:
        """Leave the terminal to a command, and come back when it has ended."""
        self._feed.pause(True)
        with self.suspend():
            code = subprocess.run([self._program, *words], check=False).returncode
            if code or wait:
                input("\nPress Enter to come back.")
        self._feed.pause(False)
        self.refresh()
