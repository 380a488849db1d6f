"""Linear's tables: workspaces, what was received, sessions, the queue of work, and what is to be sent."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Integer, String, Text, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from agent_session.server.database.models import Base, Moment


class Workspace(Base):
    """A workspace that has the app, with its tokens, encrypted (keys.py)."""

    __tablename__ = "linear_workspaces"
    organization: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    app_user: Mapped[str] = mapped_column(String(64))
    way: Mapped[str] = mapped_column(String(20))
    """oauth, client (client_credentials) or token."""
    status: Mapped[str] = mapped_column(String(20))
    """ready or revoked."""
    access_token: Mapped[str | None] = mapped_column(Text)
    refresh_token: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None] = mapped_column(Moment)
    created_at: Mapped[datetime] = mapped_column(Moment)


class Received(Base):
    """Something that was received, by its name: a delivery, an event of a session, a comment. For good."""

    __tablename__ = "linear_received"
    name: Mapped[str] = mapped_column(String(160), primary_key=True)
    received_at: Mapped[datetime] = mapped_column(Moment)


class LinearSession(Base):
    """A session as Linear sees it, or a thread of comments; `container` is the session behind it."""

    __tablename__ = "linear_sessions"
    __table_args__ = (UniqueConstraint("organization", "linear_id", name="one_row_of_an_agent_session"),)
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    organization: Mapped[str] = mapped_column(String(64))
    linear_id: Mapped[str | None] = mapped_column(String(64))
    """Of the agent session; None: the conversation is in comments."""
    issue: Mapped[str | None] = mapped_column(String(64), index=True)
    identifier: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(Text)
    comment: Mapped[str | None] = mapped_column(String(64))
    """The first comment of the thread."""
    creator: Mapped[str] = mapped_column(String(64))
    creator_name: Mapped[str] = mapped_column(Text)
    team: Mapped[str] = mapped_column(String(64))
    team_key: Mapped[str] = mapped_column(String(64))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    container: Mapped[str] = mapped_column(String(63), index=True)
    repository: Mapped[str | None] = mapped_column(String(255))
    """None: not chosen yet; "": none at all."""
    branch: Mapped[str] = mapped_column(Text)
    context: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(String(20), index=True)
    """creating, active, completed, error or timeout."""
    question: Mapped[Any] = mapped_column(JSON, nullable=True)
    messages: Mapped[int] = mapped_column(Integer)
    errors: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(Moment)
    last_activity: Mapped[datetime] = mapped_column(Moment)
    last_said: Mapped[datetime] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class Job(Base):
    """Something to be done for a session; those of one lane are done one after the other."""

    __tablename__ = "linear_jobs"
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True, default=uuid.uuid4)
    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("linear_sessions.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(20))
    """work, answer or stop."""
    lane: Mapped[str] = mapped_column(String(100), index=True)
    body: Mapped[Any] = mapped_column(JSON)
    created_at: Mapped[datetime] = mapped_column(Moment)
    not_before: Mapped[datetime] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(Integer)
    step: Mapped[str] = mapped_column(String(20))
    """How far it came: new, queued, given (the agent may have the prompt)."""


class Outgoing(Base):
    """Something to be sent to Linear, under an id of ours: sent twice, it is there once."""

    __tablename__ = "linear_outgoing"
    id: Mapped[uuid.UUID] = mapped_column(Uuid, primary_key=True)
    session_id: Mapped[uuid.UUID] = mapped_column(
        ForeignKey("linear_sessions.id", ondelete="CASCADE"), index=True
    )
    number: Mapped[int] = mapped_column(Integer)
    """In the order of its session."""
    kind: Mapped[str] = mapped_column(String(20))
    """activity, session, issue or comment."""
    body: Mapped[Any] = mapped_column(JSON)
    ephemeral: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(Moment)
    not_before: Mapped[datetime] = mapped_column(Moment)
    attempts: Mapped[int] = mapped_column(Integer)
    status: Mapped[str] = mapped_column(String(20), index=True)
    """waiting, sent or refused."""
