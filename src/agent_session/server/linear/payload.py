"""The webhooks' bodies, read with care: a signature says who sent them, not that they are whole."""

from dataclasses import dataclass
from typing import Any

LONGEST = 20000
"""Characters of a text of Linear's that go on."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What somebody wants, whichever webhook said so. Texts are "" where there is nothing."""

    organization: str
    linear_id: str | None
    """Of the agent session; None where the conversation is in comments."""
    app_user: str
    issue: str
    identifier: str
    title: str
    team: str
    team_key: str
    comment: str
    """The first comment of the thread."""
    author: str
    author_name: str
    author_email: str
    by_program: bool
    """Whether an agent, an integration or nobody at all is its author."""
    text: str
    context: str
    reference: str
    """The id of what was said, under which it is done once."""
    stop: bool = False


def text(found: Any, *path: str) -> str:
    """Return the text at a path of keys, shortened; "" where there is none."""
    for key in path:
        found = found.get(key) if isinstance(found, dict) else None
    return found[:LONGEST] if isinstance(found, str) else ""


def of_agent_session(body: dict[str, Any]) -> Asked:
    """Read an AgentSessionEvent, created or prompted."""
    session, activity = _object(body, "agentSession"), _object(body, "agentActivity")
    created = text(body, "action") == "created"
    author = _object(session, "creator") if created else _object(activity, "user")
    who = text(author, "id") or (text(session, "creatorId") if created else text(activity, "userId"))
    said = text(session, "comment", "body") if created else _said(activity)
    app_user = text(body, "appUserId") or text(session, "appUserId")
    return Asked(
        organization=text(body, "organizationId") or text(session, "organizationId"),
        linear_id=text(session, "id"),
        app_user=app_user,
        issue=text(session, "issue", "id") or text(session, "issueId"),
        identifier=text(session, "issue", "identifier"),
        title=text(session, "issue", "title"),
        team=text(session, "issue", "team", "id") or text(session, "issue", "teamId"),
        team_key=text(session, "issue", "team", "key"),
        comment=text(session, "comment", "id") or text(session, "commentId"),
        author=who,
        author_name=text(author, "name"),
        author_email=text(author, "email"),
        by_program=not who or who == app_user or _is_program(author),
        text=said,
        context=_context(body, session) if created else "",
        reference=text(session, "id") if created else text(activity, "id"),
        stop=text(activity, "signal") == "stop",
    )


def of_comment(body: dict[str, Any], app_user: str) -> Asked:
    """Read a Comment's webhook."""
    data = _object(body, "data")
    author = _object(data, "user") or _object(body, "actor")
    who = text(data, "userId") or text(author, "id")
    program = any(data.get(key) for key in ("botActor", "externalUser"))
    return Asked(
        organization=text(body, "organizationId"),
        linear_id=None,
        app_user=app_user,
        issue=text(data, "issueId") or text(data, "issue", "id"),
        identifier=text(data, "issue", "identifier"),
        title=text(data, "issue", "title"),
        team=text(data, "issue", "team", "id") or text(data, "issue", "teamId"),
        team_key=text(data, "issue", "team", "key"),
        comment=text(data, "parentId") or text(data, "parent", "id") or text(data, "id"),
        author=who,
        author_name=text(author, "name"),
        author_email=text(author, "email"),
        by_program=program or not who or who == app_user or _is_program(author),
        text=text(data, "body"),
        context="",
        reference=text(data, "id"),
    )


def of_issue(body: dict[str, Any], app_user: str) -> Asked:
    """Read an Issue's webhook."""
    data, actor = _object(body, "data"), _object(body, "actor")
    who = text(actor, "id") or text(data, "creatorId")
    return Asked(
        organization=text(body, "organizationId"),
        linear_id=None,
        app_user=app_user,
        issue=text(data, "id"),
        identifier=text(data, "identifier"),
        title=text(data, "title"),
        team=text(data, "team", "id") or text(data, "teamId"),
        team_key=text(data, "team", "key"),
        comment="",
        author=who,
        author_name=text(actor, "name"),
        author_email=text(actor, "email"),
        by_program=bool(data.get("botActor")) or not who or who == app_user or _is_program(actor),
        text=text(data, "description"),
        context="",
        reference=text(data, "id"),
    )


def is_given(body: dict[str, Any], app_user: str) -> bool:
    """Whether an Issue's webhook says that it was given to us just now."""
    data, before = _object(body, "data"), _object(body, "updatedFrom")
    return any(
        text(data, key) == app_user and (text(body, "action") == "create" or key in before)
        for key in ("assigneeId", "delegateId")
    )


def _said(activity: dict[str, Any]) -> str:
    # the documentation says `body`, the schema and all implementations `content.body`
    return text(activity, "content", "body") or text(activity, "body")


def _context(body: dict[str, Any], session: dict[str, Any]) -> str:
    parts = [text(body, "promptContext")]
    if not parts[0]:
        parts = [text(session, "issue", "title"), text(session, "issue", "description")]
    for rule in body.get("guidance") or []:
        if said := text(rule, "body"):
            parts.append(f"<guidance>{said}</guidance>")
    return "\n\n".join(part for part in parts if part)


def _is_program(author: dict[str, Any]) -> bool:
    return author.get("type") in {"app", "integration", "oauthClient"} or author.get("app") is True


def _object(found: Any, key: str) -> dict[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}
