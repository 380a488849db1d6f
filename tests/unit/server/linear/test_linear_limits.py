"""What may go wrong or run away: limits, access, Linear away, a server that ends in the middle."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import ConfigurationError
from agent_session.server.linear import settings as linear_settings
from agent_session.server.linear.tables import LinearSession, Workspace
from tests.fakes.linear import APP_USER, CLIENT_ID, CLIENT_SECRET, ORGANIZATION, SECRET
from tests.unit.server.agent import until
from tests.unit.server.linear.conftest import Bridge, Bridged

OTHER = {"id": "user-2", "name": "Bob", "email": "bob@example.org"}


def texts(bridge: Bridge) -> list[str]:
    return [comment["body"] for comment in bridge.linear.comments.values()]


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"session_allowed_users": "user-1"}, "SESSION_ALLOWED_USERS"),
        ({"session_allowed_teams": "OPS"}, "SESSION_ALLOWED_TEAMS"),
        ({"session_require_auth": True, "linear_users": "user-1=local"}, "SESSION_REQUIRE_AUTH"),
    ],
)
def test_who_may_not_ask_is_told_so(bridged: Bridged, chosen: dict[str, Any], words: str) -> None:
    bridge = bridged(**chosen)
    session = bridge.linear.mention(by=OTHER)
    assert words in bridge.answered(session)[0]
    assert bridge.agent.prompts == []
    assert bridge.served.engine.containers("") == []


def test_who_is_on_the_list_may_and_another_may_not_follow_up(bridged: Bridged) -> None:
    bridge = bridged(session_allowed_users="user-1", session_allowed_teams="eng")
    session = bridge.linear.mention()
    bridge.answered(session)
    bridge.linear.prompt(session, "do more", by=OTHER)
    assert "SESSION_ALLOWED_USERS" in bridge.answered(session, times=2)[1]
    assert len(bridge.agent.prompts) == 1


@pytest.mark.parametrize("by", [None, {"id": APP_USER, "name": "Agent"}, {"id": "x", "type": "app"}])
def test_nobody_and_other_agents_are_not_answered(bridge: Bridge, by: Any) -> None:
    bridge.linear.mention(by=by)
    assert bridge.linear.deliveries[0].answers == [200]
    assert bridge.statistics()["total"] == 0


def test_a_server_without_sessions_says_why(bridged: Bridged) -> None:
    bridge = bridged(enable_sessions=False)
    assert "ENABLE_SESSIONS" in bridge.answered(bridge.linear.mention())[0]


def test_a_session_takes_so_many_messages(bridged: Bridged) -> None:
    bridge = bridged(session_max_messages=2)
    session = bridge.linear.mention()
    bridge.answered(session)
    bridge.linear.prompt(session, "more")
    assert "had its 2 messages" in bridge.answered(session, "error")[0]


def test_three_errors_end_a_session(bridged: Bridged) -> None:
    bridge = bridged(linear_repositories="a/b", linear_repository_url="/nowhere/{repository}")
    session = bridge.linear.mention()
    bridge.answered(session, "error")
    for times in (2, 3, 4):
        bridge.linear.prompt(session, "again")
        bridge.answered(session, "error", times=times)
    assert "ended after three errors" in session.said("error")[3]
    assert bridge.statistics()["error"] == 1


def test_more_sessions_than_may_run_wait_in_line_and_say_so(bridged: Bridged) -> None:
    bridge = bridged(max_concurrent_sessions=1)
    bridge.agent.go_on.clear()
    first = bridge.linear.mention()
    until(lambda: bool(bridge.agent.prompts))
    second = bridge.linear.mention(issue=bridge.linear.issue("ENG-2"))
    until(lambda: any("in line" in text for text in second.said("thought")))
    bridge.agent.go_on.set()
    bridge.answered(first)
    bridge.answered(second)


def test_a_session_in_which_nothing_happens_times_out_and_is_taken_up_again(bridge: Bridge) -> None:
    bridge.agent.go_on.clear()
    session = bridge.linear.mention()
    until(lambda: bool(bridge.agent.prompts))
    bridge.linear.move(minutes=12)
    until(lambda: "I am still at it." in session.said("thought"))
    bridge.linear.move(minutes=20)
    assert "30 minutes" in bridge.answered(session, "error")[0]
    assert bridge.statistics()["timeout"] == 1
    bridge.agent.go_on.set()
    bridge.linear.prompt(session, "go on")
    bridge.answered(session)
    assert bridge.statistics()["timeout"] == 0


def test_linear_down_for_ten_minutes_loses_and_repeats_nothing(bridge: Bridge) -> None:
    bridge.agent.go_on.clear()
    session = bridge.linear.mention()
    until(lambda: bool(bridge.agent.prompts))
    bridge.linear.down = True
    bridge.agent.go_on.set()
    bridge.settled()
    for _ in range(10):
        bridge.linear.move(minutes=1)
    bridge.linear.down = False
    bridge.linear.move(minutes=2)
    assert len(bridge.answered(session)) == 1
    assert len(bridge.agent.prompts) == 1


def test_a_token_that_is_revoked_in_the_middle_ends_the_sessions(bridge: Bridge) -> None:
    bridge.agent.go_on.clear()
    bridge.linear.mention()
    until(lambda: bool(bridge.agent.prompts))
    bridge.linear.tokens.clear()
    bridge.agent.go_on.set()

    async def status(db: AsyncSession) -> str | None:
        return await db.scalar(select(Workspace.status))

    until(lambda: bridge.served.database(status) == "revoked")
    bridge.settled()
    asked = len(bridge.linear.requests)
    bridge.linear.move(minutes=5)
    assert len(bridge.linear.requests) == asked


def test_a_session_that_is_deleted_in_linear_ends_and_nothing_is_sent_for_ever(bridge: Bridge) -> None:
    bridge.agent.go_on.clear()
    session = bridge.linear.mention()
    until(lambda: bool(bridge.agent.prompts))
    session.archived = True
    bridge.agent.go_on.set()
    bridge.settled()
    until(lambda: any("Entity not found: AgentSession" in one for one in bridge.linear.complaints))
    asked = len(bridge.linear.requests)
    bridge.linear.move(minutes=30)
    assert len(bridge.linear.requests) <= asked + 1


def test_a_rate_limit_is_obeyed_until_its_reset(bridge: Bridge) -> None:
    until(lambda: bool(bridge.linear.requests))
    bridge.linear.requests_left = 1
    bridge.linear.reset = bridge.linear.now().replace(microsecond=0)
    bridge.linear.moved -= bridge.linear.moved
    from datetime import timedelta

    bridge.linear.reset += timedelta(minutes=30)
    session = bridge.linear.mention()
    until(lambda: bool(bridge.served.parts.linear.paused))
    asked = len(bridge.linear.requests)
    bridge.linear.move(minutes=5)
    assert len(bridge.linear.requests) == asked
    bridge.linear.move(minutes=30)
    assert bridge.answered(session)


def test_a_server_that_ends_in_the_middle_is_taken_up_by_the_next(bridged: Bridged) -> None:
    bridge = bridged()
    database = f"sqlite+aiosqlite:///{bridge.served.settings.server_state}/database.sqlite3"
    bridge.agent.go_on.clear()
    session = bridge.linear.mention("help me once")
    until(lambda: bool(bridge.agent.prompts))
    bridge.served.loop.call_soon_threadsafe(bridge.served.parts.hub.close)
    until(lambda: len(_tasks(bridge)) == 0, 60)
    bridged(state="state2", database_url=database, keys=_keys(bridge))
    bridge.agent.go_on.set()
    bridge.answered(session)
    assert len(session.said("response")) == 1


def _tasks(bridge: Bridge) -> list[Any]:
    async def find() -> list[Any]:
        return [one for one in asyncio.all_tasks() if "_for_ever" in repr(one)]

    return asyncio.run_coroutine_threadsafe(find(), bridge.served.loop).result(20)


def _keys(bridge: Bridge) -> str:
    return (bridge.served.settings.server_state / "keys").read_text().split()[0]


def test_comments_begin_sessions_by_the_documents_words(bridged: Bridged) -> None:
    bridge = bridged(linear_comments=True)
    issue = bridge.linear.issue()
    bridge.linear.issues["issue-ENG-1"] = issue

    async def known(db: AsyncSession) -> Any:
        return await db.scalar(select(Workspace.app_user))

    until(lambda: bool(bridge.served.database(known)))
    bridge.linear.comment("@opencodeagent hello", issue=issue)
    until(lambda: any("Tell me what to do" in text for text in texts(bridge)))
    first = bridge.linear.comment("@opencodeagent help me implement authentication", issue=issue)
    until(lambda: any("Session Started!" in text for text in texts(bridge)))
    until(lambda: any("You said" in text for text in texts(bridge)))
    root = first.body["data"]["id"]
    bridge.linear.comment("add OAuth2 support", issue=issue, parent=root)
    until(lambda: len(bridge.agent.prompts) == 2)
    assert "add OAuth2 support" in bridge.agent.prompts[1]
    assert len(bridge.served.engine.containers("")) == 1


def test_the_apps_own_token_is_fetched_kept_encrypted_and_renewed(bridged: Bridged) -> None:
    bridge = bridged(linear_api_key="", linear_client_id=CLIENT_ID, linear_client_secret=CLIENT_SECRET)
    bridge.answered(bridge.linear.mention())

    async def token(db: AsyncSession) -> Any:
        return await db.scalar(select(Workspace.access_token).where(Workspace.organization == ORGANIZATION))

    kept = bridge.served.database(token)
    assert kept
    assert "lin_oauth" not in kept
    bridge.linear.tokens.clear()
    bridge.answered(bridge.linear.mention(issue=bridge.linear.issue("ENG-2")))
    assert bridge.linear.grants == ["client_credentials"] * 2


def test_a_workspace_that_revokes_the_app_is_forgotten(bridge: Bridge) -> None:
    bridge.answered(bridge.linear.mention())
    bridge.linear.tell("OAuthApp", "revoked")

    async def rows(db: AsyncSession) -> Any:
        found = await db.scalar(select(Workspace))
        return found and (found.status, found.access_token)

    assert bridge.served.database(rows) == ("revoked", None)


def test_texts_of_linear_are_deleted_after_their_time(bridge: Bridge) -> None:
    bridge.answered(bridge.linear.mention())
    bridge.settled()
    bridge.linear.move(days=31)

    async def text(db: AsyncSession) -> Any:
        return await db.scalar(select(LinearSession.context))

    until(lambda: bridge.served.database(text) == "")


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"session_timeout_minutes": 0}, "SESSION_TIMEOUT_MINUTES must be greater than 0"),
        ({"session_max_messages": "x"}, "SESSION_MAX_MESSAGES must be a whole number"),
        ({"enable_sessions": "perhaps"}, "ENABLE_SESSIONS must be true or false"),
        ({"opencode_session_api_url": "nowhere"}, "OPENCODE_SESSION_API_URL must be an address"),
        ({"session_storage_url": "mongo://x"}, "SESSION_STORAGE_URL must be the database's address"),
        ({"enable_signature_verification": False}, "ENABLE_SIGNATURE_VERIFICATION cannot be false"),
        ({"linear_webhook_secret": "short"}, "LINEAR_WEBHOOK_SECRET must be one secret or two"),
        ({"linear_webhook_secret": SECRET}, "LINEAR_CLIENT_ID is required"),
        ({"linear_repositories": "not one"}, "LINEAR_REPOSITORIES"),
        ({"linear_api_key": "x"}, "LINEAR_WEBHOOK_SECRET is required"),
    ],
)
def test_a_choice_that_cannot_be_is_refused_at_the_start(chosen: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        linear_settings.read(**chosen)


def test_health_shows_the_choices_without_secrets(bridged: Bridged) -> None:
    bridge = bridged(session_storage_url="redis://localhost:6379", session_allowed_users="user-1")
    with bridge.served.client() as client:
        answer = client.get("/health")
    told = answer.json()["linear"]
    assert told["enabled"] is True
    assert told["configuration"]["session_timeout_minutes"] == 30
    assert told["configuration"]["linear_webhook_secret"] is True
    assert told["configuration"]["session_allowed_users"] == 1
    assert SECRET not in answer.text
    assert "user-1" not in answer.text
