"""Claude's models: those its API lists for this session's login, and which one the conversation uses."""

import http.client
import json
import os
import urllib.parse
import urllib.request
from pathlib import Path

import agent_state
import claude_session
from agent_orders import fail

SECONDS = 8
LARGEST_ANSWER = 5_000_000
PROVIDERS = {
    "CLAUDE_CODE_USE_BEDROCK": "Bedrock",
    "CLAUDE_CODE_USE_VERTEX": "Vertex",
    "CLAUDE_CODE_USE_FOUNDRY": "Foundry",
}


def offered() -> list[dict]:
    """[{"id", "name", "current"}]; the current one first where the API does not list it."""
    for variable, name in PROVIDERS.items():
        if os.environ.get(variable, "") not in {"", "0", "false"}:
            fail("server", f"Claude uses {name} here, which does not list its models")
    listed = [
        {"id": model["id"], "name": str(model.get("display_name") or model["id"])}
        for model in asked()
        if isinstance(model, dict) and isinstance(model.get("id"), str)
    ]
    now = current()
    if now and now not in {model["id"] for model in listed}:
        listed.insert(0, {"id": now, "name": now})
    return [model | {"current": model["id"] == now} for model in listed]


def asked() -> list:
    """What GET /v1/models answers."""
    base = os.environ.get("ANTHROPIC_BASE_URL", "").rstrip("/") or "https://api.anthropic.com"
    host = urllib.parse.urlsplit(base).hostname
    try:
        request = urllib.request.Request(f"{base}/v1/models?limit=1000", headers=login())
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            found = json.loads(answer.read(LARGEST_ANSWER))
    except (OSError, ValueError, http.client.HTTPException) as error:
        why = (
            f"HTTP {error.code}"
            if isinstance(error, urllib.error.HTTPError)
            else str(getattr(error, "reason", error))
        )
        fail("server", f"{host} does not tell its models: {why}")
    models = found.get("data") if isinstance(found, dict) else None
    if not isinstance(models, list):
        fail("server", f"{host} does not tell its models: its answer is something else")
    return models


def login() -> dict[str, str]:
    """The headers of this session's login, in the order in which Claude looks for one."""
    headers = {"anthropic-version": "2023-06-01", "user-agent": "agent-session"}
    if token := os.environ.get("ANTHROPIC_AUTH_TOKEN"):
        return headers | {"authorization": f"Bearer {token}"}
    if key := os.environ.get("ANTHROPIC_API_KEY"):
        return headers | {"x-api-key": key}
    oauth = _object(Path(claude_session.CONFIG, ".credentials.json")).get("claudeAiOauth")
    token = os.environ.get("CLAUDE_CODE_OAUTH_TOKEN") or (
        oauth.get("accessToken") if isinstance(oauth, dict) else None
    )
    if isinstance(token, str) and token:
        return headers | {"authorization": f"Bearer {token}", "anthropic-beta": "oauth-2025-04-20"}
    key = _object(Path.home() / ".claude.json").get("primaryApiKey")
    if isinstance(key, str) and key:
        return headers | {"x-api-key": key}
    return fail("server", "Claude is not logged in here")


def current() -> str:
    """The model of the last answer; before the first, the one that is set; "" where only Claude knows."""
    pane = agent_state.pane()
    session = claude_session.of_pane(pane) if pane else None
    model = claude_session.last_model(session.transcript) if session else ""
    settings = _object(Path(claude_session.CONFIG, "settings.json")).get("model")
    return model or os.environ.get("ANTHROPIC_MODEL", "") or (settings if isinstance(settings, str) else "")


def _object(path: Path) -> dict:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
