"""The models that the caller's running sessions can use, in the words of the original page."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from agent_session.activity import conversation
from agent_session.errors import AgentSessionError
from agent_session.server.auth import ownership
from agent_session.server.auth.authentication import Reader
from agent_session.server.parts import OfServer
from agent_session.sessions import find

router = APIRouter(tags=["conversations"])


class ProviderModel(BaseModel):
    """A model."""

    id: str
    name: str


class Provider(BaseModel):
    """Who offers models."""

    id: str
    name: str
    models: list[ProviderModel]


class Models(BaseModel):
    """All of them; `default` has the model in use by provider."""

    providers: list[Provider]
    default: dict[str, str]


@router.get("/api/models")
async def list_models(asking: Reader, parts: OfServer) -> Models:
    """List the models that your running sessions can use, asked of their agents now."""
    sees = ownership.sees(asking)

    def look() -> list[Any]:
        found: list[Any] = []
        for session in find.list_sessions(parts.engine):
            if session.running and sees(session.owner, session.name):
                try:
                    found += conversation.models(parts.engine, session)
                except AgentSessionError:
                    continue  # an agent that has no models, or has quit, keeps the others' from nobody
        return found

    names: dict[str, dict[str, str]] = {}
    default: dict[str, str] = {}
    for model in await parts.threads.run(look):
        provider, _, rest = model.id.rpartition("/")
        names.setdefault(provider or "agent", {})[rest] = model.name
        if model.current:
            default.setdefault(provider or "agent", rest)
    providers = [
        Provider(id=id, name=id, models=[ProviderModel(id=one, name=name) for one, name in models.items()])
        for id, models in sorted(names.items())
    ]
    return Models(providers=providers, default=default)
