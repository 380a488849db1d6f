"""Turns of agents: one at a time for each session, followed as they go, and prompts that wait in line."""

import asyncio
import time
import uuid
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select

from agent_session.activity import conversation, shapes
from agent_session.activity.errors import NeedsAnswer, OrderRefused
from agent_session.activity.protocol import Asked, Ended, Event, Said, Taken, Used
from agent_session.activity.state import State
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError, Hint, NotFoundError
from agent_session.host.clock import utc
from agent_session.server import threads
from agent_session.server.database.connection import Database
from agent_session.server.database.models import Prompt
from agent_session.server.events import Hub
from agent_session.server.metrics import Metrics
from agent_session.sessions.session import Session

SETTLING_SECONDS = 10.0


@dataclass(kw_only=True, eq=False)
class Turn:
    """One prompt, from when it is asked for to its answer. `over` gets the answer, or why there is none."""

    id: uuid.UUID
    session: str
    owner: str
    text: str
    model: str
    created: datetime
    over: "asyncio.Future[Ended]"
    queued: bool = False
    """Whether it has waited in line, and so is in the database."""
    begun: float = 0.0
    begun_at: datetime | None = None
    spoke: bool = False
    asked: bool = False
    events: list[Event] = field(default_factory=list)
    """What the agent has said and used in it so far."""
    followers: list["asyncio.Queue[Event | None]"] = field(default_factory=list)

    def follow(self) -> "asyncio.Queue[Event | None]":
        """Return what happens in the turn from now on; None is its end."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.followers.append(queue)
        return queue


class Turns:
    """The turns of all sessions. Everything but the following threads happens in the event loop."""

    def __init__(self, engine: Engine, database: Database, hub: Hub, metrics: Metrics) -> None:
        self._engine = engine
        self._database = database
        self._hub = hub
        self._metrics = metrics
        self._now: dict[str, Turn] = {}
        self._lines: dict[str, deque[Turn]] = {}
        self._idle: dict[str, Session] = {}

    async def restore(self) -> None:
        """Take up the prompts that were in line when an earlier server ended."""
        async with self._database.transaction() as session:
            rows = (await session.scalars(select(Prompt).order_by(Prompt.created_at))).all()
        for row in rows:
            turn = _turn(row.session, row.owner, row.text, row.model or "", id=row.id, created=row.created_at)
            turn.queued = True
            self._line(row.session).append(turn)

    def is_busy(self, name: str) -> bool:
        """Say whether a turn of ours goes on in a session, or some are in line."""
        return name in self._now or bool(self._lines.get(name))

    def now(self, name: str) -> Turn | None:
        """Return the turn of ours that goes on in a session."""
        return self._now.get(name)

    async def settle(self, name: str, state: State) -> None:
        """Wait a moment for a turn that its agent has ended already, before its end is told here."""
        turn = self._now.get(name)
        ended = turn and turn.begun_at and state.since and state.since > turn.begun_at
        if turn and ended and state.value == "idle":
            await asyncio.wait({turn.over}, timeout=SETTLING_SECONDS)

    def begin(self, session: Session, text: str, model: str = "") -> Turn:
        """Give a session's agent a turn. OrderRefused where one goes on."""
        if self.is_busy(session.name):
            raise OrderRefused(session.name, f"session '{session.name}' is working", doing="working")
        turn = _turn(session.name, session.owner, text, model)
        self._give(session, turn)
        return turn

    async def enqueue(self, session: Session, text: str, model: str = "") -> Turn:
        """Put a prompt in line; it gets its turn when all before it are over."""
        turn = _turn(session.name, session.owner, text, model)
        turn.queued = True
        async with self._database.transaction() as db:
            row = Prompt(
                id=turn.id,
                session=turn.session,
                owner=turn.owner,
                text=text,
                created_at=turn.created,
                model=model,
            )
            db.add(row)
        self._line(session.name).append(turn)
        self._tell_line(session.name, session.owner)
        self._advance(session.name)
        return turn

    def line(self, name: str) -> list[dict[str, Any]]:
        """Return the prompts in line, the next first."""
        return [
            {"id": str(turn.id), "text": turn.text, "created_at": utc(turn.created)}
            for turn in self._lines.get(name, ())
        ]

    async def cancel(self, name: str, id: uuid.UUID) -> None:
        """Take a prompt out of the line. NotFoundError where it is not in it (any more)."""
        found = next((turn for turn in self._lines.get(name, ()) if turn.id == id), None)
        if found is None:
            raise NotFoundError(
                "this prompt is not in line", hint=Hint(shell=f"GET /api/sessions/{name}/queue")
            )
        self._lines[name].remove(found)
        found.over.cancel()
        await self._forget(found)
        self._tell_line(name, found.owner)

    def on_state(self, session: Session, state: State) -> None:
        """Go on with a session's line when its agent rests."""
        if state.value == "idle":
            self._idle[session.name] = session
            self._advance(session.name)
        else:
            self._idle.pop(session.name, None)

    def on_gone(self, session: Session) -> None:
        """Drop the line of a session that was removed."""
        self._idle.pop(session.name, None)
        for turn in self._lines.pop(session.name, ()):
            turn.over.cancel()
            _later(self._forget(turn))

    def _line(self, name: str) -> deque[Turn]:
        return self._lines.setdefault(name, deque())

    def _advance(self, name: str) -> None:
        line, session = self._lines.get(name), self._idle.get(name)
        if line and session and name not in self._now:
            turn = line.popleft()
            self._tell_line(name, turn.owner)
            self._give(session, turn)

    def _give(self, session: Session, turn: Turn) -> None:
        self._now[session.name] = turn
        turn.begun, turn.begun_at = time.monotonic(), datetime.now(UTC)
        loop = asyncio.get_running_loop()

        def follow() -> None:
            failure: BaseException | None = None
            last: Event | None = None
            try:
                said = conversation.converse(
                    self._engine, session, turn.text, model=turn.model, through_questions=True
                )
                for last in said:
                    threads.post(loop, lambda event=last: self._happened(turn, event))  # type: ignore[misc]
                if isinstance(last, Ended):
                    conversation.check(session, last)
            except BaseException as error:
                failure = error
            threads.post(loop, lambda: self._end(turn, session, last, failure))

        threads.begin(follow)

    def _happened(self, turn: Turn, event: Event) -> None:
        match event:
            case Taken():
                self._publish(turn, "turn", {"text": turn.text})
                if turn.queued:
                    _later(self._forget(turn))
            case Said(text=text):
                if not turn.spoke:
                    turn.spoke = True
                    self._metrics.first_piece_seconds.observe(time.monotonic() - turn.begun)
                self._publish(turn, "text", {"text": text})
            case Used():
                self._publish(turn, "tool", shapes.tool(event))
            case Asked(question=question):
                turn.asked = True
                told = {"kind": question.kind, "text": question.text, "choices": list(question.choices)}
                self._publish(turn, "question", {"question": told | {"id": question.id}})
            case Ended():
                return  # `_end` tells it, when the session is free again
        turn.events.append(event)
        for queue in turn.followers:
            queue.put_nowait(event)

    def _end(self, turn: Turn, session: Session, last: Event | None, failure: BaseException | None) -> None:
        self._now.pop(turn.session, None)
        if isinstance(failure, OrderRefused) and failure.doing == "working" and turn.queued:
            self._idle.pop(turn.session, None)  # somebody else was faster: in line again, as the first
            self._line(turn.session).appendleft(turn)
            self._tell_line(turn.session, turn.owner)
            return
        if failure is None and isinstance(last, Ended):
            self._metrics.turns.labels("done").inc()
            self._publish(turn, "end", shapes.turn_end(last))
            if not turn.over.done():
                turn.over.set_result(last)
        else:
            self._metrics.turns.labels("failed").inc()
            error = failure or AgentSessionError("the turn has no end")
            expected = isinstance(error, AgentSessionError)
            words = (
                error.message if isinstance(error, AgentSessionError) else "this is a bug in agent-session"
            )
            self._publish(turn, "failed", {"detail": words, "expected": expected})
            if turn.queued:
                _later(self._forget(turn))
            if not turn.over.done():
                turn.over.set_exception(error)
                turn.over.exception()  # perhaps nobody waits for it
        for queue in turn.followers:
            queue.put_nowait(None)
        self._idle[turn.session] = session
        self._advance(turn.session)

    def _publish(self, turn: Turn, kind: str, data: dict[str, Any]) -> None:
        self._hub.publish(kind, owner=turn.owner, session=turn.session, data={"turn": str(turn.id), **data})

    def _tell_line(self, name: str, owner: str) -> None:
        self._hub.publish("queue", owner=owner, session=name, data={"prompts": self.line(name)})

    async def _forget(self, turn: Turn) -> None:
        async with self._database.transaction() as session:
            await session.execute(delete(Prompt).where(Prompt.id == turn.id))


def needs_answer(session: Session, state: State) -> NeedsAnswer:
    """Return the refusal of a prompt to an agent that waits for an answer."""
    question = state.question
    choice = question.choices[0] if question and question.choices else "TEXT"
    return NeedsAnswer(session.name, (question.text if question else "") or state.reason, choice)


def _turn(
    name: str,
    owner: str,
    text: str,
    model: str,
    *,
    id: uuid.UUID | None = None,
    created: datetime | None = None,
) -> Turn:
    return Turn(
        id=id or uuid.uuid4(),
        session=name,
        owner=owner,
        text=text,
        model=model,
        created=created or datetime.now(UTC),
        over=asyncio.get_running_loop().create_future(),
    )


_tasks: set["asyncio.Task[None]"] = set()


def _later(work: Any) -> None:
    """Do something soon; the loop itself keeps no task alive."""
    task = asyncio.get_running_loop().create_task(work)
    _tasks.add(task)
    task.add_done_callback(_tasks.discard)
