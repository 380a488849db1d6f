"""Logins of browsers and programs: a link once, a cookie that can be taken away, a token with its scopes."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from agent_session.server.database.models import LoginLink
from tests.served import Served


def test_a_link_logs_a_browser_in_once(served_on_both: Served) -> None:
    served = served_on_both
    link = served.link()
    with served.client() as browser:
        answer = browser.get(link, headers={"User-Agent": "A browser"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert browser.get("/auth/me").json()["github_login"] == "local"
        assert "Sessions" in browser.get("/").text
    with served.client() as other:
        answer = other.get(link)
        assert answer.status_code == 401
        assert "used" in answer.json()["detail"]
        assert other.get("/auth/me").status_code == 401


def test_of_two_browsers_at_once_one_gets_in(served_on_both: Served) -> None:
    link = served_on_both.link()

    def use(_number: int) -> int:
        with served_on_both.client() as browser:
            return browser.get(link).status_code

    with ThreadPoolExecutor(8) as many:
        assert sorted(many.map(use, range(8))) == [303, *[401] * 7]


def test_a_link_is_good_for_ten_minutes(served: Served) -> None:
    link = served.link()

    async def grow_old(session: AsyncSession) -> None:
        await session.execute(update(LoginLink).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    served.database(grow_old)
    with served.client() as browser:
        assert browser.get(link).status_code == 401


def test_who_tries_link_after_link_is_refused(served: Served) -> None:
    with served.client() as stranger:
        codes = [stranger.get("/login", params={"token": f"x{i}"}).status_code for i in range(12)]
        assert codes == [*[401] * 10, 429, 429]
        assert stranger.get("/login", params={"token": "y"}).headers["retry-after"] == "60"
        assert stranger.get(served.link()).status_code == 429


def test_a_browser_is_logged_out_by_itself_and_from_elsewhere(served_on_both: Served) -> None:
    served = served_on_both
    with served.client() as first, served.client() as second:
        first.get(served.link())
        second.get(served.link())
        listed = first.get("/api/devices").json()
        assert [device["current"] for device in listed].count(True) == 1
        (other,) = [device["id"] for device in listed if not device["current"]]
        assert first.delete(f"/api/devices/{other}").status_code == 200
        assert second.get("/auth/me").status_code == 401
        assert first.delete(f"/api/devices/{other}").status_code == 404
        assert first.post("/auth/logout").json() == {"message": "Logged out successfully"}
        assert first.get("/auth/me").status_code == 401


def test_a_token_does_what_its_scopes_say(served_on_both: Served) -> None:
    served = served_on_both
    with served.client(served.token("tokens", "sessions:read")) as program:
        made = program.post("/api/tokens", json={"name": "ci", "scopes": ["sessions:read"]})
        assert made.status_code == 201
        assert made.json()["token"].startswith("as_")
        more = program.post("/api/tokens", json={"name": "more", "scopes": ["admin"]})
        assert (more.status_code, more.json()["code"]) == (403, "forbidden")
        again = program.post("/api/tokens", json={"name": "ci", "scopes": ["sessions:read"]})
        assert again.status_code == 409
        listed = {token["name"]: token for token in program.get("/api/tokens").json()}
        assert listed["ci"]["last_used"] is None
        assert "token" not in listed["ci"]
    with served.client(made.json()["token"]) as weak:
        assert weak.get("/auth/me").json()["scopes"] == ["sessions:read"]
        assert weak.get("/api/tokens").status_code == 403
        assert weak.get("/metrics").status_code == 403
    with served.client(served.token()) as strong:
        assert strong.delete("/api/tokens/ci").status_code == 200
        assert b"agent_session_requests_total" in strong.get("/metrics").content
    with served.client(made.json()["token"]) as weak:
        assert weak.get("/auth/me").status_code == 401


def test_a_token_for_one_session_makes_none_for_others(served: Served) -> None:
    with served.client(served.token("tokens", "sessions:read", only="web")) as program:
        wanted = {"name": "x", "scopes": ["sessions:read"]}
        assert program.post("/api/tokens", json=wanted).status_code == 400
        assert program.post("/api/tokens", json=wanted | {"session": "web"}).status_code == 201


def test_a_token_that_has_expired_is_refused(served: Served) -> None:
    old = served.token(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    with served.client(old) as program:
        assert program.get("/auth/me").status_code == 401


@pytest.mark.parametrize("word", ["as_no", "as_\u00e4", "x" * 5000])
def test_words_that_are_no_token_are_refused(served: Served, word: str) -> None:
    with served.client() as program:
        answer = program.get("/auth/me", headers={b"Authorization": f"Bearer {word}".encode("latin-1")})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_wrong_token_is_not_mended_by_a_cookie(served: Served) -> None:
    with served.client("as_wrong", Cookie=f"agent-session={served.cookie()}") as program:
        assert program.get("/auth/me").status_code == 401


def test_no_word_is_kept_or_written_down(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    link, token = served.link(), served.token()
    with served.client() as browser:
        browser.get(link)
        cookie = browser.cookies["agent-session"]
    with served.client(token) as program:
        made = program.post("/api/tokens", json={"name": "ci", "scopes": ["tokens"]}).json()["token"]
        program.get(f"/nowhere?token={token}")
    words = [link.partition("=")[2], token, cookie, made]
    kept = b"".join(file.read_bytes() for file in served.settings.server_state.rglob("*") if file.is_file())
    written = capsys.readouterr()
    for word in words:
        assert word.encode() not in kept
        assert word not in written.out + written.err


def test_the_audit_log_tells_who_changed_and_who_was_denied(served_on_both: Served) -> None:
    served = served_on_both
    with served.client() as stranger:
        stranger.get("/api/tokens")
    with served.client(served.token()) as program:
        program.get("/api/tokens")
        program.post("/api/tokens", json={"name": "ci", "scopes": ["tokens"]})
        entries = program.get("/api/audit").json()
    told = [(entry["user"], entry["action"], entry["status"]) for entry in entries]
    assert told == [("local", "create_token", 201), (None, "list_tokens", 401)]
    file = served.settings.server_state / "audit.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["user"], line["action"], line["status"]) for line in lines] == told[::-1]
    assert file.stat().st_mode & 0o777 == 0o600


FILTERS = [
    ({"denied": "true"}, ["list_tokens"]),
    ({"denied": "false"}, ["remove_token", "create_token"]),
    ({"user": "local"}, ["remove_token", "create_token"]),
    ({"action": "create_token"}, ["create_token"]),
    ({"status": "201"}, ["create_token"]),
    ({"session": "web"}, []),
    ({"address": "127.0.0.1", "limit": "1"}, ["remove_token"]),
    ({"since": "2099-01-01T00:00:00"}, []),
    ({"until": "2099-01-01T00:00:00Z", "before": "3"}, ["create_token", "list_tokens"]),
]


def test_the_audit_log_is_searched(served_on_both: Served) -> None:
    with served_on_both.client() as stranger:
        stranger.get("/api/tokens")
    with served_on_both.client(served_on_both.token()) as program:
        program.post("/api/tokens", json={"name": "ci", "scopes": ["tokens"]})
        program.delete("/api/tokens/ci")
        for asked, expected in FILTERS:
            found = program.get("/api/audit", params=asked).json()
            assert [entry["action"] for entry in found] == expected, asked


FOREIGN = [
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": "http://127.0.0.1:1"}, 403),
    ({"Sec-Fetch-Site": "same-origin"}, 200),
    ({"Sec-Fetch-Site": "none"}, 200),
    ({}, 200),
]


@pytest.mark.parametrize(("headers", "status"), FOREIGN)
def test_a_foreign_page_changes_nothing(served: Served, headers: dict[str, str], status: int) -> None:
    with served.client(Cookie=f"agent-session={served.cookie()}", **headers) as browser:
        assert browser.get("/auth/me").status_code == 200
        assert browser.post("/auth/logout").status_code == status
        assert browser.get("/auth/me").status_code == (401 if status == 200 else 200)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "", "127.0.0.1.evil.example", "[::1"])
def test_a_foreign_name_reaches_nothing(served: Served, host: str) -> None:
    with served.client(served.token()) as program:
        answer = program.get("/auth/me", headers={"Host": host})
        assert answer.status_code in {400, 421}


@pytest.mark.parametrize("host", ["localhost:1234", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_its_own_names_reach_it(served: Served, host: str) -> None:
    with served.client() as program:
        assert program.get("/health", headers={"Host": host}).status_code == 200


def test_it_tells_its_health_to_everybody(served_on_both: Served) -> None:
    answer = httpx2.get(f"{served_on_both.url}/health", trust_env=False)
    found = answer.json()
    assert found["status"] == "healthy"
    assert found["database_status"] == "online"
    assert {"timestamp", "version", "app", "agent", "sessions", "configuration"} <= found.keys()
    assert answer.headers["x-content-type-options"] == "nosniff"
