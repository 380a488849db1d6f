"""`agent-session chat`: a conversation with a session's agent on this terminal."""

import contextlib
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.activity.errors import OrderRefused
from agent_session.cli import hints
from agent_session.cli.commands import prompt as prompting
from agent_session.cli.context import Invocation, note, on_terminal
from agent_session.cli.options import NameOrDefault
from agent_session.cli.parameters import Argument
from agent_session.cli.stdin_text import message
from agent_session.cli.transcript import Transcript
from agent_session.errors import AgentSessionError, Hint, Interrupted, NotFoundError, UsageError
from agent_session.host import signals
from agent_session.sessions.errors import SessionStopped

if TYPE_CHECKING:
    from agent_session.activity.protocol import Ended
    from agent_session.activity.state import Question
    from agent_session.engine.protocol import Engine
    from agent_session.sessions.session import Session

Message = Annotated[
    str | None,
    Argument(metavar="MESSAGE", help="Send this message, print the answer and leave."),
]
SHOWN_ENTRIES = 6


def chat(invocation: Invocation, name: NameOrDefault = None, text: Message = None) -> None:
    """Talk with an agent: its words and tools as they come, its questions asked here. It stays where it is
    when you leave.

    Ctrl-C ends the agent's turn, a second one the chat, as do Ctrl-D and exit. A line that ends in a
    backslash goes on in the next. Without a terminal the message is MESSAGE or what comes on standard input,
    and the answer alone is printed.
    """
    from agent_session.activity import conversation, terminal

    with invocation.engine(one_question=True) as engine:
        name, text = invocation.addressed(engine, name, text, verb="chat")
        session = terminal.running(engine, name)
        if not on_terminal():
            words = message(text, hint=Hint("chat", [name, "what did you change?"]))
            prompting.tell(session, conversation.whole_turn(engine, session, words))
        elif text is not None:
            words = message(text, hint=Hint("chat", [name]))
            conversation.check(session, Chat(engine, session).turn(words))
        else:
            Chat(engine, session).talk()


class Chat:
    """A person's terminal in a conversation."""

    def __init__(self, engine: "Engine", session: "Session") -> None:
        self._engine = engine
        self._session = session
        self._transcript = Transcript()

    def talk(self) -> None:
        """From the last words of the conversation until the person leaves."""
        from agent_session.activity import conversation

        with contextlib.suppress(ImportError):
            import readline

            readline.parse_and_bind(
                "set enable-bracketed-paste on"
            )  # what is pasted is one message, lines and all
        for entry in conversation.history(self._engine, self._session, limit=SHOWN_ENTRIES):
            self._transcript.show_entry(entry)
        self._check_runs()
        note(
            "Ctrl-C ends a turn; Ctrl-D or exit leaves, and the agent stays.", faint=self._transcript.coloured
        )
        self._catch_up()
        while (text := self._next()) is not None:
            self._told(text)

    def _check_runs(self) -> None:
        """OrderRefused where the agent has quit: nobody would hear what is typed here."""
        from agent_session.activity import state as states

        state = states.read(self._engine, [self._session])[self._session.name]
        if state.value == "exited":
            message = f"the agent of session '{self._session.name}' has quit: {state.reason}"
            raise OrderRefused(self._session.name, message, doing="exited")

    def turn(self, text: str) -> "Ended":
        """One turn, shown as it goes; its end, which may be no good one."""
        from agent_session.activity import conversation
        from agent_session.activity.protocol import Asked, Ended

        ended: Ended | None = None
        with self._abort_by_interrupt():
            for event in conversation.converse(self._engine, self._session, text, through_questions=True):
                self._transcript.show(event)
                if isinstance(event, Asked):
                    self._settle(event.question)
                ended = event if isinstance(event, Ended) else None
        assert ended
        return ended

    def _told(self, text: str) -> None:
        """Have a turn whose failure does not end the conversation."""
        from agent_session.activity import conversation

        try:
            conversation.check(self._session, self.turn(text))
        except (Interrupted, NotFoundError, SessionStopped):
            raise
        except AgentSessionError as error:
            self._transcript.new_line()
            note(f"error: {error.message}")
            for line in hints.lines(error.hints):
                note(line)

    def _next(self) -> str | None:
        """What the person says next, None when they leave."""
        warned = False
        while True:
            try:
                text = _read("> ").strip()
            except EOFError:
                print()
                return None
            except Interrupted as interrupted:
                if interrupted.exit_code != Interrupted.exit_code or warned:
                    raise
                warned = True
                note("\nPress Ctrl-C again, or Ctrl-D, or type exit to leave")
                continue
            if text in {"exit", "quit"}:
                return None
            if text:
                return text
            warned = False

    def _catch_up(self) -> None:
        """A turn that was under way already: its questions, and then its answer."""
        from agent_session.activity import conversation, watch

        name, last = self._session.name, None
        with self._abort_by_interrupt():
            for now in watch.follow(self._engine, named=[name]):
                state = now.get(name)
                if state is None or state.value not in {"working", "waiting"}:
                    break
                if state.question and state != last and not self._settle(state.question):
                    return
                if last is None and not state.question:
                    note("The agent is working...", faint=self._transcript.coloured)
                last = state
        if last:
            for entry in conversation.history(self._engine, self._session, limit=1):
                self._transcript.show_entry(entry)

    @contextlib.contextmanager
    def _abort_by_interrupt(self) -> Iterator[None]:
        """In the block, a first Ctrl-C ends the agent's turn, a second one the chat."""
        threads: list[threading.Thread] = []

        def abort() -> None:
            threads.append(threading.Thread(target=self._abort, daemon=True))
            threads[-1].start()

        with signals.on_interrupt(abort):
            yield
            for thread in threads:
                thread.join()

    def _abort(self) -> None:
        from agent_session.activity import conversation

        try:
            conversation.abort(self._engine, self._session)
        except AgentSessionError as error:
            note(f"error: the turn could not be ended: {error.message}")

    def _settle(self, question: "Question") -> bool:
        """Ask the person and tell the agent; returns whether the agent took it. No answer ends the turn."""
        self._transcript.new_line()
        print(
            self._transcript.strong(
                sanitize.lines(question.text)
                or f"It waits for an answer ({sanitize.message(question.kind)})."
            )
        )
        for number, choice in enumerate(question.choices, 1):
            print(f"  {number}. {sanitize.message(choice)}")
        try:
            self._answer(question)
        except EOFError:
            print()
            self._abort()
        except Interrupted as interrupted:
            if interrupted.exit_code != Interrupted.exit_code:
                raise
            print()
            self._abort()
        except OrderRefused as error:  # somebody answered it elsewhere, or it cannot be answered
            note(f"error: {error.message}")
            return False
        return True

    def _answer(self, question: "Question") -> None:
        """Ask until the person's words answer it."""
        from agent_session.activity import conversation

        while True:
            with signals.interruptible():
                reply, instead = _answer_to(question)
            try:
                conversation.answer(self._engine, self._session, reply, instead=instead)
            except UsageError as error:
                note(f"error: {error.message}")
            else:
                return


def _read(asking: str) -> str:
    """A line, and those that it goes on in."""
    lines = [input(asking)]
    while lines[-1].endswith("\\"):
        lines[-1] = lines[-1][:-1]
        lines.append(input(". "))
    return "\n".join(lines)


def _answer_to(question: "Question") -> tuple[str, str]:
    """Read a choice by its number or name, or a text; and the instruction after "reject " of a permission."""
    while not (reply := _read("answer: ").strip()):
        pass
    if reply.isdecimal() and 0 < int(reply[:9]) <= len(question.choices):
        return question.choices[int(reply) - 1], ""
    word, _, instead = reply.partition(" ")
    if question.kind == "permission" and word.lower().rstrip(":,") == "reject":
        return "reject", instead
    return reply, ""
