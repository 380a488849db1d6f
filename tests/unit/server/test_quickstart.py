"""The quick start of agent containers on the page: a login, an agent by its code, two sessions, a chat."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from agent_session.images import build
from agent_session.sessions.installation import Installation
from tests.browser import browsing, visiting
from tests.fake_engine import FakeEngine
from tests.fakes.github import CLIENT_ID, CLIENT_SECRET, GitHub, github
from tests.served import Served, serving
from tests.unit.server.agent import Agent, until

REAL = Path(__file__).resolve().parents[3] / "images" / "opencode" / "agent.yaml"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def fake() -> Iterator[GitHub]:
    with github() as running:
        yield running


@pytest.fixture
def served(house: FakeEngine, home: Path, tmp_path: Path, fake: GitHub) -> Iterator[Served]:
    """A server of a team that octocat is of, with OpenCode as it is in the repository."""
    written = re.sub(r"package:\n(  .*\n)+", "", REAL.read_text())
    (tmp_path / "images" / "opencode" / "agent.yaml").write_text(written)
    installation = Installation(environment={}, home=home)
    opencode = installation.agents()["opencode"]
    build.ensure_image(house, installation.workshop(), opencode, tell=lambda *_: None)
    with serving(
        tmp_path / "state", house, installation, github_url=fake.url, allowed_users="octocat",
        github_client_id=CLIENT_ID, github_client_secret=CLIENT_SECRET, github_copilot_client_id=CLIENT_ID,
    ) as served:  # fmt: skip
        yield served


def test_somebody_who_has_never_seen_it_does_the_five_steps(
    browser: Browser, served: Served, fake: GitHub, agent: Agent
) -> None:
    with visiting(browser, served, login=False) as visitor:
        page = visitor.page()
        page.get_by_role("link", name="Log in with GitHub").click()
        expect(page.get_by_text("There are no sessions yet.")).to_be_visible()

        page.get_by_role("link", name="Settings").click()
        page.locator("#agent-name").fill("Copilot")
        page.get_by_label("Description").fill("for everything")
        page.get_by_label("Login").select_option("github")
        page.get_by_role("button", name="Create the agent").click()
        code = page.locator("#agents pre.code code")
        expect(code).to_have_text(next_code(fake))
        expect(page.get_by_role("link", name=f"{fake.url}/login/device")).to_be_visible()
        expect(page.get_by_role("button", name="Copy")).to_be_visible()
        fake.settle("approved", code.text_content())
        expect(page.locator("#agents li")).to_contain_text("logged in")

        names = []
        for title in ("First thing", "Second thing"):
            page.goto(f"{served.url}/new")
            expect(page.get_by_label("Copilot")).to_be_checked()
            page.get_by_label("What shall it do?").fill(title)
            page.get_by_role("button", name="Start the session").click()
            page.wait_for_url("**/sessions/*")
            names.append(page.url.rpartition("/")[2])
            expect(page.get_by_role("log")).to_contain_text("hello")
        page.get_by_label("Message to the agent").fill("and a message")
        page.get_by_role("button", name="Send").click()
        until(lambda: agent.prompts == ["First thing", "Second thing", "and a message"])

        containers = {one.name for one in served.engine.containers("")}
        assert containers == {f"agent_{name}" for name in names}
        given = ["\n".join(words) for words in agent.seeds]
        assert len(given) == 2
        assert all(any(token in one for token in fake.tokens) for one in given)
        assert not any(token in page.content() for token in fake.tokens)
        page.goto(served.url)
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("link", name="Log in with GitHub")).to_be_visible()


def next_code(fake: GitHub) -> str:
    """The code that a device's login was given."""
    until(lambda: bool(fake.user_codes))
    return next(iter(fake.user_codes))
