"""Workspaces: the app is installed by an administrator, and what is taken from it ends."""

from urllib.parse import parse_qs, urlsplit

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.linear.tables import Workspace
from tests.fakes.linear import CLIENT_ID, CLIENT_SECRET, TEAM
from tests.unit.server.agent import until
from tests.unit.server.linear.conftest import Bridge, Bridged


def with_oauth(bridged: Bridged) -> Bridge:
    return bridged(linear_api_key="", linear_client_id=CLIENT_ID, linear_client_secret=CLIENT_SECRET)


def test_an_administrator_installs_the_app_in_a_workspace(bridged: Bridged) -> None:
    bridge = with_oauth(bridged)
    bridge.linear.client_credentials = False
    with bridge.served.client(bridge.served.token()) as client:
        sent = client.get("/linear/install")
        assert sent.status_code == 303
        query = {key: value[0] for key, value in parse_qs(urlsplit(sent.headers["location"]).query).items()}
        assert query["actor"] == "app"
        back = urlsplit(bridge.linear.authorize(query))
        done = client.get(f"{back.path}?{back.query}")
    assert (done.status_code, done.json()) == (200, {"message": "Installed in the workspace Acme"})
    assert bridge.linear.complaints == []

    async def way(db: AsyncSession) -> str | None:
        return await db.scalar(select(Workspace.way))

    assert bridge.served.database(way) == "oauth"
    bridge.linear.tokens.clear()
    assert bridge.answered(bridge.linear.mention())
    assert "refresh_token" in bridge.linear.grants


def test_nobody_else_installs_it(bridged: Bridged) -> None:
    bridge = with_oauth(bridged)
    with bridge.served.client() as stranger:
        assert stranger.get("/linear/install").status_code == 401
    with bridge.served.client(bridge.served.token("sessions:write")) as program:
        assert program.get("/linear/install").status_code == 403
    with bridge.served.client(bridge.served.token()) as other:
        assert other.get("/linear/callback?code=a&state=b").status_code == 401


def test_an_issue_or_a_team_that_is_taken_from_us_ends_its_session(bridge: Bridge) -> None:
    bridge.agent.go_on.clear()
    first = bridge.linear.issue()
    bridge.linear.mention(issue=first)
    bridge.linear.mention(issue=bridge.linear.issue("ENG-2"))
    until(lambda: len(bridge.agent.prompts) == 2)
    gone = {"issueId": first["id"]}
    bridge.linear.tell("AppUserNotification", "issueUnassignedFromYou", notification=gone)
    until(lambda: bridge.statistics()["active"] == 1)
    bridge.linear.tell("PermissionChange", "teamAccessChanged", removedTeamIds=[TEAM])
    until(lambda: bridge.statistics()["active"] == 0)
    bridge.agent.go_on.set()
