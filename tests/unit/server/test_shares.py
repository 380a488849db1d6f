"""A link to watch one session: a stranger sees it and can do nothing, until it ends or is taken back."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from agent_session.activity import terminal as screen
from agent_session.server.database.models import Share
from agent_session.server.web import shared
from agent_session.sessions.installation import Installation
from tests.browser import PHONE, beside, browsing, visiting
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit.server.agent import QUESTION, Agent
from tests.unit.server.test_page import axe, in_state, make


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def served(
    house: FakeEngine, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    monkeypatch.setattr(screen, "shown", lambda *_: "the very screen")
    monkeypatch.setattr(shared, "CHECK_SECONDS", 0.2)
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation) as served:
        yield served


def share(served: Served, name: str, lasts: str = "1h") -> dict[str, Any]:
    def post() -> dict[str, Any]:
        with served.client(served.token()) as program:
            made = program.post(f"/api/sessions/{name}/shares", json={"lasts": lasts})
            assert made.status_code == 201, made.text
            told: dict[str, Any] = made.json()
            return told

    return beside(post)


def take_back(served: Served, name: str, made: dict[str, Any]) -> None:
    def delete() -> None:
        with served.client(served.token()) as program:
            assert program.delete(f"/api/sessions/{name}/shares/{made['id']}").status_code == 200

    beside(delete)


def test_a_stranger_sees_the_conversation_and_the_terminal_and_can_do_nothing(
    browser: Browser, served: Served, agent: Agent
) -> None:
    name = make(served)
    link = share(served, name)["url"]
    in_state(served, name, "waiting", question=QUESTION)
    with visiting(browser, served, login=False) as stranger:
        page = stranger.page(link.removeprefix(served.url))
        expect(page.get_by_role("log")).to_contain_text("hello")
        asked = page.get_by_role("region", name="The agent asks")
        expect(asked).to_contain_text("Bash: make")
        expect(page.get_by_role("button")).to_have_count(0)
        expect(page.get_by_role("textbox")).to_have_count(0)
        in_state(served, name, "idle")
        expect(asked).to_have_count(0)
        assert axe(page) == []
        page.get_by_role("link", name="Terminal").click()
        expect(page.locator(".xterm-rows")).to_contain_text("the very screen")
        expect(page.locator("#told")).to_have_text("You watch; nothing is typed.")
        assert axe(page) == []
        page.goto(served.url)
        expect(page.get_by_role("heading")).to_have_text("This browser is not logged in")
    with visiting(browser, served, PHONE, login=False) as stranger:
        page = stranger.page(link.removeprefix(served.url))
        expect(page.get_by_role("log")).to_contain_text("hello")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
    assert not [order for order in agent.others if order[0] == "answer"]


def test_who_watches_cannot_type_resize_or_ask_for_more(served: Served) -> None:
    name, other = make(served), make(served, "Another")
    link = share(served, name)["url"]
    with connect(link.replace("http", "ws") + "/screen", proxy=None) as socket:
        assert b"the very screen" in bytes(socket.recv(20))  # type: ignore[arg-type]
        socket.send(b"typed")
        socket.send('{"cols": 20, "rows": 5}')
        with pytest.raises(TimeoutError):
            socket.recv(1)
    word = link.rpartition("/")[2]
    with served.client() as stranger:
        for path in (f"/api/sessions/{name}", f"/page/sessions/{name}/status", f"/sessions/{other}"):
            assert stranger.get(path).status_code == 401
            assert stranger.get(path, headers={"Authorization": f"Bearer {word}"}).status_code == 401
            assert stranger.get(path, headers={"Cookie": f"agent-session={word}"}).status_code == 401
        for path in ("prompt", "answer", "terminal"):
            assert stranger.post(f"/share/{word}/{path}").status_code in {404, 405}


def test_a_link_that_is_taken_back_shows_no_more_on_open_pages(browser: Browser, served: Served) -> None:
    name = make(served)
    made = share(served, name)
    with visiting(browser, served, login=False) as stranger:
        path = made["url"].removeprefix(served.url)
        chat, terminal = stranger.page(path), stranger.page(f"{path}/terminal")
        expect(chat.get_by_role("log")).to_contain_text("hello")
        expect(terminal.locator(".xterm-rows")).to_contain_text("the very screen")
        take_back(served, name, made)
        expect(terminal.locator("#told")).to_contain_text("this link has ended")
        expect(chat.get_by_role("heading")).to_have_text("This link is over")


def test_a_link_ends_by_itself(served: Served) -> None:
    name = make(served)
    made = share(served, name)

    async def age(db: AsyncSession) -> None:
        await db.execute(update(Share).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))

    with (
        connect(made["url"].replace("http", "ws") + "/screen", proxy=None) as socket,
        served.client(beside(served.token)) as owner,
    ):
        socket.recv(20)
        beside(lambda: served.database(age))
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4003
        assert owner.get(made["url"]).status_code == 404
        assert owner.get(f"/api/sessions/{name}/shares").json() == []


def test_a_link_does_not_show_another_session_that_got_the_name(served: Served) -> None:
    with served.client(beside(served.token)) as owner:
        owner.post("/api/sessions", json={"name": "web"})
        link = owner.post("/api/sessions/web/shares").json()["url"]
        assert owner.get(link).status_code == 200
        owner.delete("/api/sessions/web")
        assert owner.get(link).status_code == 404
        owner.post("/api/sessions", json={"name": "web"})
        assert owner.get(link).json()["code"] == "share-over"


@pytest.mark.parametrize("lasts", ["0h", "31d", "soon", "1w", "-1h"])
def test_a_link_lasts_for_a_time_that_is_one(served: Served, lasts: str) -> None:
    with served.client(beside(served.token)) as owner:
        owner.post("/api/sessions", json={"name": "web"})
        assert owner.post("/api/sessions/web/shares", json={"lasts": lasts}).status_code == 400


def test_only_who_sees_both_shares_a_session_and_only_ones_own(served: Served) -> None:
    name = make(served)
    made = share(served, name)
    for scope in ("sessions:read", "terminal"):
        with served.client(beside(partial(served.token, scope))) as program:
            assert program.post(f"/api/sessions/{name}/shares").status_code == 403
    with served.client(beside(lambda: served.token(login="mallory"))) as other:
        assert other.post(f"/api/sessions/{name}/shares").status_code == 404
        assert other.delete(f"/api/sessions/{name}/shares/{made['id']}").status_code == 404
        assert other.get(made["url"]).status_code == 200


def test_words_cannot_be_tried_one_after_the_other(served: Served) -> None:
    with served.client() as stranger:
        codes = [stranger.get(f"/share/x{number}").status_code for number in range(12)]
    assert codes == [404] * 10 + [429] * 2


def test_the_owner_shares_on_the_page_and_takes_it_back(browser: Browser, served: Served) -> None:
    name = make(served)
    with visiting(browser, served) as visitor, visiting(browser, served, login=False) as stranger:
        page = visitor.page(f"/sessions/{name}")
        page.get_by_role("button", name="Share").click()
        page.get_by_role("button", name="Make a link").click()
        link = page.locator("#share-made code").text_content() or ""
        other = stranger.page(link.removeprefix(served.url))
        expect(other.get_by_role("log")).to_contain_text("hello")
        assert axe(page) == []
        page.get_by_role("button", name="Take back").click()
        expect(page.locator("#shares li")).to_have_count(0)
        expect(other.get_by_role("heading")).to_have_text("This link is over")
        with served.client(beside(served.token)) as program:
            actions = {one["action"] for one in program.get("/api/audit").json()}
        assert {"share_session", "revoke_share", "watch_shared"} <= actions
