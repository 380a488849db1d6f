"""Conversations and their messages as /api/agent-sessions tells them."""

import uuid
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Role = Literal["user", "assistant", "system", "tool"]
LONGEST = 1_000_000


class NewConversation(BaseModel):
    """A conversation to be made."""

    session_id: str = Field(min_length=1, max_length=255)
    session_name: str | None = Field(default=None, max_length=255)
    description: str | None = Field(default=None, max_length=1000)
    agent_name: str | None = Field(default=None, max_length=255)
    agent_instructions: str | None = Field(default=None, max_length=20_000)
    is_active: bool = True


class ConversationChange(BaseModel):
    """What of a conversation may be changed; what is left out stays."""

    session_name: str | None = Field(default=None, max_length=255)
    description: str | None = Field(default=None, max_length=1000)
    agent_name: str | None = Field(default=None, max_length=255)
    agent_instructions: str | None = Field(default=None, max_length=20_000)
    is_active: bool | None = None


class ConversationShape(BaseModel):
    """A conversation."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    session_id: str
    session_name: str | None
    description: str | None
    is_active: bool
    user_id: uuid.UUID
    agent_name: str | None
    agent_instructions: str | None
    created_at: datetime
    updated_at: datetime


class NewMessage(BaseModel):
    """A message to be added."""

    role: Role
    content: str = Field(min_length=1, max_length=LONGEST)
    tool_call_id: str | None = Field(default=None, max_length=255)
    tool_name: str | None = Field(default=None, max_length=255)
    extra_data: str | None = Field(default=None, max_length=LONGEST)


class MessageChange(BaseModel):
    """What of a message may be changed."""

    content: str | None = Field(default=None, min_length=1, max_length=LONGEST)
    extra_data: str | None = Field(default=None, max_length=LONGEST)


class MessageShape(BaseModel):
    """A message."""

    model_config = ConfigDict(from_attributes=True)

    id: uuid.UUID
    role: Role
    content: str
    tool_call_id: str | None
    tool_name: str | None
    extra_data: str | None
    session_id: uuid.UUID
    created_at: datetime
    updated_at: datetime


class Said(BaseModel):
    """A message of a conversation's request."""

    model_config = ConfigDict(extra="forbid")

    role: Role
    content: str = Field(max_length=LONGEST)
    tool_call_id: str | None = None
    tool_name: str | None = None
    extra_data: str | None = None


class ConversationRequest(BaseModel):
    """What to say in a conversation, which is made where there is none with that session_id."""

    model_config = ConfigDict(extra="forbid")

    messages: list[Said] = Field(max_length=1000)
    session_id: str | None = Field(default=None, min_length=1, max_length=255)
    session_name: str | None = Field(default=None, max_length=255)
    agent_name: str | None = Field(default=None, max_length=255)
    agent_instructions: str | None = Field(default=None, max_length=20_000)


class ConversationResponse(BaseModel):
    """What the agent answered."""

    session_id: str
    session_uuid: uuid.UUID
    response: str
    messages_count: int
    session_active: bool


class Deleted(BaseModel):
    """How many messages were removed."""

    deleted_count: int
