"""Gives a person's answer to the agent that waits for it."""

import uuid
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.activity import answers, conversation
from agent_session.activity.state import Question
from agent_session.errors import AgentSessionError
from agent_session.server.auth import ownership
from agent_session.server.database.models import User
from agent_session.server.linear import access, outgoing
from agent_session.server.linear.changing import changing
from agent_session.server.linear.tables import Job, LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LABELS = {"once": "Allow once", "always": "Allow always", "reject": "Reject"}


async def do(parts: "Parts", job: Job) -> None:
    """Answer the agent's question; words that answer nothing are asked for again."""
    async with changing(parts) as db:
        session = await db.get(LinearSession, job.session_id)
        user = await db.get(User, session.user_id) if session else None
    if session is None or user is None or not session.question:
        return
    asked = session.question
    words, instead = _words(asked, str(job.body["text"]))

    def give() -> str:
        there = ownership.get(parts.engine, access.caller(user), session.container)
        return conversation.answer(parts.engine, there, words, instead=instead).done

    now = parts.linear.now()
    try:
        done = await parts.threads.run(give)
    except AgentSessionError as error:
        async with changing(parts) as db:
            kept = await db.get(LinearSession, job.session_id)
            if kept is not None:
                await ask(db, parts, kept, _question(asked), note=error.message, id=uuid.uuid5(job.id, "end"))
        return
    async with changing(parts) as db:
        kept = await db.get(LinearSession, job.session_id)
        if kept is not None:
            kept.question = None if kept.question == asked else kept.question
            kept.last_activity = now
            await outgoing.say(db, kept, outgoing.thought(done), now, id=uuid.uuid5(job.id, "end"))


async def ask(
    db: AsyncSession,
    parts: "Parts",
    session: LinearSession,
    question: Question,
    *,
    note: str = "",
    id: uuid.UUID | None = None,
) -> None:
    """Ask in Linear what the agent asks, with its choices."""
    session.question = {
        "kind": question.kind, "text": question.text, "choices": list(question.choices), "id": question.id,
    }  # fmt: skip
    before = f"{note}\n\n" if note else ""
    what = "May I do this?" if question.kind == "permission" else "I have a question:"
    options = [
        (choice, LABELS.get(choice, "") if question.kind == "permission" else "")
        for choice in question.choices
    ]
    words = outgoing.elicitation(f"{before}{what}\n\n{question.text}")
    await outgoing.say(db, session, words, parts.linear.now(), id=id, options=options)


def _words(asked: dict[str, object], text: str) -> tuple[str, str]:
    """Return the answer, and for a permission what shall be done instead, where it is in free words."""
    word = text.strip()
    if asked.get("kind") != "permission":
        return word, ""
    for short, label in LABELS.items():
        if word.lower() == label.lower():
            return short, ""
    return (word, "") if word.lower() in answers.PERMISSION_WORDS else ("reject", word)


def _question(asked: dict[str, object]) -> Question:
    choices = asked.get("choices")
    return Question(
        kind=str(asked.get("kind")),
        text=str(asked.get("text")),
        choices=tuple(map(str, choices)) if isinstance(choices, list) else (),
        id=str(asked.get("id") or ""),
    )
