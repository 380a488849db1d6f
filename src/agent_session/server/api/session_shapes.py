"""Sessions and their conversations as the API tells them."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class NewSession(BaseModel):
    """A session to be made; everything can be left out.

    `projects` are directories of this machine or git URLs. Directories are cloned, or with `mount` mounted.
    """

    title: str | None = Field(default=None, max_length=200)
    name: str | None = Field(default=None, max_length=63, description="Else made of the title.")
    agent: str | None = Field(default=None, max_length=63)
    projects: list[str] = Field(default=[], max_length=20)
    mount: bool = False
    auto_approve: bool = False
    model: str | None = Field(default=None, max_length=255, description="The agent's own, else.")


class Asked(BaseModel):
    """What an agent waits for."""

    kind: str
    text: str
    choices: list[str]
    id: str


class AgentState(BaseModel):
    """What an agent does, since when and why; `source` says who says so."""

    value: Literal["starting", "working", "waiting", "idle", "failed", "exited", "unknown"]
    since: str | None
    reason: str
    source: str
    question: Asked | None = None


class SessionShape(BaseModel):
    """A session: what `agent-session ls --json` tells, and its id, which is its name."""

    model_config = ConfigDict(extra="allow")

    id: str
    title: str
    created_at: str
    name: str
    agent: str
    status: Literal["running", "stopped"]
    state: AgentState
    projects: list[dict[str, Any]]
    base_url: str | None
    notes: list[str] = []


class Part(BaseModel):
    """A part of a prompt; only texts are taken."""

    model_config = ConfigDict(extra="allow")

    type: str = "text"
    text: str = ""


class Model(BaseModel):
    """A model by OpenCode's words."""

    providerID: str
    modelID: str


class Chat(BaseModel):
    """A prompt: `prompt`, or `parts` as OpenCode has them."""

    model_config = ConfigDict(extra="ignore")

    prompt: str | None = Field(default=None, max_length=1_000_000)
    message: str | None = Field(default=None, max_length=1_000_000)
    parts: list[Part] = Field(default=[], max_length=1000)
    model: Model | Annotated[str, Field(max_length=255)] | None = None
    agent: str | None = None
    when_busy: Literal["refuse", "queue"] = "refuse"

    def text(self) -> str:
        """Return the words of it."""
        said = self.prompt if self.prompt is not None else self.message
        return (
            said if said is not None else "\n".join(part.text for part in self.parts if part.type == "text")
        )


class Answered(BaseModel):
    """A turn that is over."""

    content: str
    session_id: str
    turn: str
    tools: list[dict[str, Any]]
    usage: dict[str, int]
    duration_s: float | None
    state: AgentState


class QueuedPrompt(BaseModel):
    """A prompt in line."""

    id: str
    text: str
    created_at: str


class Reply(BaseModel):
    """An answer to an agent's question: one of its choices, or a text; `message` goes with a rejection."""

    answer: str = Field(min_length=1, max_length=100_000)
    message: str = Field(default="", max_length=100_000)


class Screen(BaseModel):
    """What a terminal shows; with colours as the only escape sequences."""

    text: str


class Said(BaseModel):
    """An entry of a conversation, in OpenCode's shape."""

    info: dict[str, Any]
    parts: list[dict[str, Any]]


class ModelShape(BaseModel):
    """A model that a session's agent can use."""

    id: str
    name: str
    current: bool
