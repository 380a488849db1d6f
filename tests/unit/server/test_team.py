"""A team logs in with GitHub, a fake that checks what it is sent; who is on no list stays outside."""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.errors import ConfigurationError
from agent_session.server import settings as server_settings
from agent_session.server.auth.github import api_url
from agent_session.server.database.models import User
from agent_session.server.errors import Unsafe
from tests.fake_engine import FakeEngine
from tests.fakes.github import CLIENT_ID, CLIENT_SECRET, GitHub, github
from tests.served import Served, serving

NOBODY = {"github_client_id": CLIENT_ID, "github_client_secret": CLIENT_SECRET}


@pytest.fixture
def fake() -> Iterator[GitHub]:
    with github() as running:
        yield running


@pytest.fixture
def serve(tmp_path: Path, fake: GitHub, database_url: str) -> Iterator[Callable[..., Served]]:
    """Serve a team with some lists."""
    with contextlib.ExitStack() as ends:

        def begin(**chosen: Any) -> Served:
            known: dict[str, Any] = NOBODY | {"github_url": fake.url, "database_url": database_url} | chosen
            return ends.enter_context(serving(tmp_path / "state", FakeEngine(), **known))

        yield begin


def arrive(browser: httpx2.Client) -> httpx2.Response:
    """Log in as a browser does: to GitHub's page, and back."""
    begun = browser.get("/auth/login", headers={"Accept": "text/html"})
    assert begun.status_code == 303
    page = httpx2.get(begun.headers["location"], trust_env=False)
    back = httpx2.URL(page.headers["location"])
    return browser.get(back.raw_path.decode())


@pytest.mark.parametrize(
    ("lists", "member"),
    [
        ({"allowed_users": "alice, OctoCat"}, {}),
        ({"allowed_users": "id:4711"}, {}),
        ({"admins": "octocat"}, {}),
        ({"allowed_organizations": "acme"}, {"organizations": {"acme"}}),
        ({"allowed_teams": "acme/core"}, {"teams": {"acme/core"}}),
    ],
)
def test_who_is_on_a_list_gets_in(
    serve: Callable[..., Served], fake: GitHub, lists: dict[str, str], member: dict[str, set[str]]
) -> None:
    for name, value in member.items():
        setattr(fake, name, value)
    with serve(**lists).client() as browser:
        answer = arrive(browser)
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        me = browser.get("/auth/me").json()
        assert (me["github_login"], me["github_id"]) == ("octocat", "4711")
        assert ("admin" in me["scopes"]) is ("admins" in lists)
    assert fake.complaints == []


@pytest.mark.parametrize(
    ("lists", "member"),
    [
        ({"allowed_users": "alice"}, {}),
        ({"allowed_users": "id:47110"}, {}),
        ({"allowed_users": "4711"}, {}),
        ({"allowed_organizations": "acme"}, {"organizations": {"acme2"}}),
        ({"allowed_teams": "acme/core"}, {"organizations": {"acme"}, "teams": {"other/core"}}),
    ],
)
def test_nobody_else_gets_in(
    serve: Callable[..., Served], fake: GitHub, lists: dict[str, str], member: dict[str, set[str]]
) -> None:
    for name, value in member.items():
        setattr(fake, name, value)
    served = serve(**lists)
    with served.client() as browser:
        answer = arrive(browser)
        assert answer.headers["location"] == "/?error=not-allowed"
        assert browser.get("/auth/me").status_code == 401

    async def users(session: AsyncSession) -> list[str]:
        return list(await session.scalars(select(User.login)))

    assert "octocat" not in served.database(users)


def test_a_login_is_bound_to_the_browser_that_began_it(serve: Callable[..., Served]) -> None:
    served = serve(allowed_users="octocat")
    with served.client() as mallory, served.client() as victim:
        begun = mallory.get("/auth/login").json()
        page = httpx2.get(begun["authorization_url"], trust_env=False)
        back = httpx2.URL(page.headers["location"]).raw_path.decode()
        assert victim.get(back).headers["location"] == "/?error=unauthenticated"
        victim.get("/auth/login")  # with an attempt of its own it is no better
        assert victim.get(back).headers["location"] == "/?error=unauthenticated"
        assert victim.get("/auth/me").status_code == 401
        other = back.replace("state=", "state=x")
        assert mallory.get(other).headers["location"] == "/?error=unauthenticated"


def test_a_code_is_good_once(serve: Callable[..., Served]) -> None:
    with serve(allowed_users="octocat").client() as browser:
        begun = browser.get("/auth/login", headers={"Accept": "text/html"})
        cookie = begun.headers["set-cookie"].partition(";")[0]
        back = httpx2.URL(httpx2.get(begun.headers["location"], trust_env=False).headers["location"])
        where = back.raw_path.decode()
        assert browser.get(where, headers={"Cookie": cookie}).headers["location"] == "/"
        again = browser.get(where, headers={"Cookie": cookie})
        assert again.headers["location"] == "/?error=unauthenticated"


def test_a_refusal_at_github_and_an_unreachable_one_are_told(
    serve: Callable[..., Served], fake: GitHub
) -> None:
    served = serve(allowed_users="octocat")
    with served.client() as browser:
        browser.get("/auth/login")
        denied = browser.get("/auth/callback?error=access_denied&state=x")
        assert denied.headers["location"] == "/?error=access_denied"
        fake.secret = "another-secret-of-16"
        assert arrive(browser).headers["location"] == "/?error=github-failed"


def test_guessing_codes_is_slowed_down(serve: Callable[..., Served]) -> None:
    with serve(allowed_users="octocat").client() as stranger:
        codes = [stranger.get("/auth/callback?code=x&state=y").status_code for _ in range(12)]
        assert codes == [*[302] * 10, 429, 429]


def test_a_person_is_known_by_the_number(serve: Callable[..., Served], fake: GitHub) -> None:
    served = serve(allowed_organizations="acme")
    fake.organizations = {"acme"}
    ids = []
    for user in ({"id": 1, "login": "ann"}, {"id": 1, "login": "anna"}, {"id": 2, "login": "anna"}):
        fake.user = user
        with served.client() as browser:
            arrive(browser)
            ids.append(browser.get("/auth/me").json()["id"])
    assert ids[0] == ids[1] != ids[2]
    fake.user = {"id": 3, "login": "local"}
    served.token()  # the local user is there now
    with served.client() as browser:
        arrive(browser)
        me = browser.get("/auth/me").json()
        assert me["github_login"] == "local#3"
        assert "admin" not in me["scopes"]


def test_who_is_struck_off_the_list_is_logged_out_at_the_next_start(
    tmp_path: Path, fake: GitHub, database_url: str
) -> None:
    known: dict[str, Any] = NOBODY | {"github_url": fake.url, "database_url": database_url}
    with (
        serving(tmp_path / "state", FakeEngine(), admins="octocat", **known) as served,
        served.client() as browser,
    ):
        arrive(browser)
        cookie = f"agent-session={browser.cookies['agent-session']}"
    with (
        serving(tmp_path / "state", FakeEngine(), allowed_users="alice, octocat", **known) as served,
        served.client(Cookie=cookie) as browser,
    ):
        assert "admin" not in browser.get("/auth/me").json()["scopes"]
    with (
        serving(tmp_path / "state", FakeEngine(), allowed_users="alice", **known) as served,
        served.client(Cookie=cookie) as browser,
    ):
        assert browser.get("/auth/me").status_code == 401


def test_githubs_token_is_kept_nowhere(
    tmp_path: Path, fake: GitHub, capsys: pytest.CaptureFixture[str]
) -> None:
    known: dict[str, Any] = NOBODY | {"github_url": fake.url, "allowed_users": "octocat"}
    with serving(tmp_path / "state", FakeEngine(), **known) as served, served.client() as browser:
        arrive(browser)
    kept = b"".join(file.read_bytes() for file in (tmp_path / "state").rglob("*") if file.is_file())
    written = "".join(capsys.readouterr())
    (token,) = fake.tokens
    for word in (token, CLIENT_SECRET):
        assert word.encode() not in kept
        assert word not in written


def test_without_a_team_there_is_no_github_login(served: Served) -> None:
    with served.client() as browser:
        assert browser.get("/auth/login").status_code == 404


@pytest.mark.parametrize(
    ("url", "api"),
    [
        ("https://github.com", "https://api.github.com"),
        ("https://acme.ghe.com/", "https://api.acme.ghe.com"),
        ("https://git.example.org", "https://git.example.org/api/v3"),
        ("https://evilghe.com", "https://evilghe.com/api/v3"),
    ],
)
def test_each_kind_of_github_has_its_api(url: str, api: str) -> None:
    assert api_url(url) == api


SAFE = {
    "github_client_id": "Iv1.x",
    "github_client_secret": "0123456789abcdef" * 2,
    "public_url": "https://sessions.acme.io",
    "allowed_users": "alice",
}


@pytest.mark.parametrize(
    "chosen",
    [
        {"github_client_secret": "short"},
        {"github_client_secret": "default-secret-change-in-production"},
        {"github_client_secret": "your-client-secret-here"},
        {"github_client_secret": "a" * 40},
        {"public_url": "http://sessions.acme.io"},
    ],
)
def test_a_team_behind_a_weak_wall_is_refused(home: Any, chosen: dict[str, Any]) -> None:  # noqa: ARG001
    with pytest.raises(Unsafe) as refused:
        server_settings.read(**(SAFE | chosen))
    assert refused.value.hints


@pytest.mark.parametrize(
    "chosen",
    [
        {"github_client_secret": ""},
        {"github_client_id": ""},
        {"allowed_users": " , "},
        {"allowed_teams": "core"},
    ],
)
def test_a_team_that_lacks_something_is_told_what(home: Any, chosen: dict[str, Any]) -> None:  # noqa: ARG001
    with pytest.raises(ConfigurationError, match="AGENT_SESSION_"):
        server_settings.read(**(SAFE | chosen))


def test_the_documents_names_of_the_variables_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_CLIENT_ID", "Iv1.y")
    monkeypatch.setenv("GITHUB_CLIENT_SECRET", "0123456789abcdef" * 2)
    monkeypatch.setenv("AGENT_SESSION_ADMINS", "alice")
    found = server_settings.read()
    assert found.is_team
    assert found.github_client_id == "Iv1.y"


def test_a_membership_is_believed_for_a_day_and_then_asked_for_again(
    serve: Callable[..., Served], fake: GitHub
) -> None:
    fake.organizations = {"acme"}
    served = serve(allowed_organizations="acme", allowed_users="alice")

    async def a_day_later(session: AsyncSession) -> None:
        await session.execute(update(User).values(last_login=datetime.now(UTC) - timedelta(hours=25)))

    with served.client() as browser:
        arrive(browser)
        assert browser.get("/auth/me").status_code == 200
        with served.client(served.token(login="octocat")) as program:
            assert program.get("/api/sessions").status_code == 200
            served.database(a_day_later)
            assert program.get("/api/sessions").status_code == 401
            assert browser.get("/auth/me").status_code == 401
            arrive(browser)
            assert browser.get("/auth/me").status_code == program.get("/api/sessions").status_code == 200
            fake.organizations = set()
            served.database(a_day_later)
            assert arrive(browser).headers["location"] == "/?error=not-allowed"
            assert browser.get("/auth/me").status_code == program.get("/api/sessions").status_code == 401
