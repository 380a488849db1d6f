"""Which repository a session works on: by label, project, team, Linear's guess, or asked for."""

import re
from typing import TYPE_CHECKING

from agent_session.server import team
from agent_session.server.linear import client, operations
from agent_session.server.linear.errors import LinearRefused
from agent_session.server.linear.issue import Issue
from agent_session.server.linear.settings import LinearSettings, pairs
from agent_session.server.linear.tables import LinearSession

if TYPE_CHECKING:
    from agent_session.server.parts import Parts

LABEL = re.compile(r"repo:\s*(.+)", re.IGNORECASE)
NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9_][\w.-]*")
NONE = "none"
"""The answer for a session without a repository."""


def candidates(choices: LinearSettings) -> list[str]:
    """Return the repositories that are named, those of owner/* not among them."""
    words = [word.rpartition("=")[2].strip() for word in choices.linear_repositories.split(",")]
    return list(dict.fromkeys(word for word in words if word and not word.endswith("/*")))


def is_allowed(choices: LinearSettings, name: str) -> bool:
    """Say whether a repository may be cloned: whoever can set a label must not choose any that we reach."""
    if not NAME.fullmatch(name):
        return False
    listed = {word.rpartition("=")[2].strip() for word in team.listed(choices.linear_repositories)}
    return name.lower() in listed or f"{name.lower().partition('/')[0]}/*" in listed


async def choose(parts: "Parts", session: LinearSession, issue: Issue) -> str | None:
    """Return the repository by the rules; "": there is none to choose; None: it has to be asked for."""
    choices = parts.settings.linear
    for label in issue.labels:
        found = LABEL.fullmatch(label.strip())
        if found and is_allowed(choices, found[1].strip()):
            return found[1].strip()
    defaults = pairs(choices.linear_repositories)
    for name in (f"project:{issue.project}", issue.team_key, issue.team):
        if name and (default := defaults.get(name.lower())):
            return default
    known = candidates(choices)
    if len(known) <= 1:
        return known[0] if known else ""
    return await _suggested(parts, session, known)


async def _suggested(parts: "Parts", session: LinearSession, known: list[str]) -> str | None:
    if not session.issue:
        return None
    variables = {
        "issueId": session.issue,
        "agentSessionId": session.linear_id,
        "candidates": [{"hostname": "github.com", "repositoryFullName": name} for name in known],
    }
    try:
        told = await client.ask(parts, session.organization, operations.SUGGESTIONS, variables)
    except LinearRefused:
        return None
    found = (told.get("issueRepositorySuggestions") or {}).get("suggestions") or []
    best = max(found, key=lambda one: one.get("confidence") or 0.0, default=None)
    if best and (best.get("confidence") or 0.0) >= parts.settings.linear.linear_confidence:
        name = str(best.get("repositoryFullName"))
        return name if name in known else None
    return None


def answered(choices: LinearSettings, text: str) -> str | None:
    """Read a person's choice; None where it names no repository that may be cloned."""
    word = text.strip().removeprefix("https://github.com/").removesuffix(".git").strip("/")
    if word.lower() == NONE:
        return ""
    for name in candidates(choices):
        if word.lower() in {name.lower(), name.partition("/")[2].lower()}:
            return name
    return word if is_allowed(choices, word) else None


def address(choices: LinearSettings, name: str) -> str:
    """Return what is cloned."""
    return choices.linear_repository_url.replace("{repository}", name)
