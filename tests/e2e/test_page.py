"""The page with the real OpenCode in real Podman: a link, an answer, a permission, changes, the terminal."""

import json
import subprocess
from collections.abc import Iterator, Mapping

import pytest
from playwright.sync_api import expect

from tests.account import Account
from tests.browser import browsing
from tests.claude import ENVIRONMENT
from tests.models.model import Model
from tests.opencode import READY, log_in
from tests.storage import LAUNCHER, Storage
from tests.waiting import COMMAND_SECONDS, until

pytestmark = [pytest.mark.e2e]


@pytest.fixture(scope="module")
def account(storage: Storage, opencode: str) -> Iterator[Account]:  # noqa: ARG001
    account = Account(storage.path, storage.driver)
    try:
        log_in(account)
        yield account
    finally:
        account.close()


class Server:
    """`agent-session serve`; `link` is what it printed at its first start."""

    def __init__(self, account: Account, environment: Mapping[str, str] | None = None) -> None:
        self._account = account
        self._environment = account.environment | dict(environment or {})
        self.link = self.start()

    def start(self) -> str:
        """Start it, and return its link."""
        self._process = subprocess.Popen(
            [LAUNCHER, "serve"], env=self._environment, cwd=self._account.home,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert self._process.stdout
        return self._process.stdout.readline().strip()

    def kill(self) -> None:
        """End it as a failing machine would."""
        self._process.kill()
        self._process.communicate(timeout=COMMAND_SECONDS)

    def end(self) -> None:
        """End it as a person would."""
        self._process.terminate()
        self._process.communicate(timeout=COMMAND_SECONDS)


@pytest.fixture
def server(account: Account) -> Iterator[Server]:
    server = Server(account)
    try:
        yield server
    finally:
        server.end()


def test_a_person_starts_talks_allows_reads_changes_and_types_in_the_terminal(
    account: Account, server: Server
) -> None:
    project = account.project()
    (project / "note.txt").write_text("old\n")
    for words in (
        ["init", "-q"],
        ["add", "."],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"],
    ):
        subprocess.run(["git", "-C", project, *words], check=True)
    with browsing() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(90_000)
        page.goto(server.link)
        page.get_by_role("link", name="New session").click()
        page.get_by_text("opencode", exact=True).check()
        page.get_by_label("Project").fill(str(project))
        page.get_by_role("button", name="Start the session").click()
        page.wait_for_url("**/sessions/*")
        name = page.url.rpartition("/")[2]
        assert account.sessions() == {name: "running"}
        slow = "First **point**\n\nand a second paragraph"
        model = Model(account, name).begin({"text": slow, "pause": 0.2})
        model.shown(READY)

        page.get_by_label("Message to the agent").fill("say the PAPAYA")
        page.keyboard.press("Enter")
        expect(page.locator("#live .prompt")).to_have_text("You: say the PAPAYA")
        expect(page.locator("#live strong")).to_have_text("point")
        expect(page.locator("#history .agent, #history .assistant")).to_contain_text("second paragraph")
        expect(page.locator("#live > *")).to_have_count(0)
        expect(page.get_by_text("say the PAPAYA")).to_have_count(1)

        command = f"echo new >/workspace/{project.name}/note.txt"
        model.script(
            {"tool": "bash", "input": {"command": command, "description": "write"}}, {"text": "Written"}
        )
        page.get_by_label("Message to the agent").fill("write it")
        page.get_by_role("button", name="Send").click()
        asked = page.get_by_role("region", name="The agent asks")
        expect(asked).to_contain_text("note.txt")
        page.get_by_role("button", name="Yes, once").click()
        expect(asked).to_have_count(0)
        expect(page.get_by_role("log")).to_contain_text("Written")

        page.get_by_role("link", name="Changes").click()
        expect(page.locator(".line.added")).to_contain_text("new")
        expect(page.locator(".line.removed")).to_contain_text("old")

        page.get_by_role("link", name="Terminal").click()
        screen = page.locator(".xterm-rows")
        expect(screen).to_contain_text(READY)
        model.script({"text": "Typed it is"})
        page.keyboard.type("typed word")
        expect(screen).to_contain_text("typed word")
        page.keyboard.press("Enter")
        expect(screen).to_contain_text("Typed it is")
        assert clients(account, name) == 1
        page.get_by_label("Only watch").check()
        expect(page.locator("#told")).to_have_text("You watch; nothing is typed.")
        expect(screen).to_contain_text("Typed it is")
        page.get_by_role("link", name="Chat").click()
        expect(page.get_by_role("log")).to_contain_text("typed word")
        until(lambda: clients(account, name) == 0, "the terminals' clients to be gone")

        model.script({"text": "one two three four five " * 6 + "and PAPAYAS at last", "pause": 0.3})
        page.get_by_label("Message to the agent").fill("count until the server is back")
        page.keyboard.press("Enter")
        expect(page.locator("#live")).to_contain_text("three")
        server.kill()
        server.start()
        expect(page.get_by_role("log")).to_contain_text("PAPAYAS at last")
        expect(page.locator("#live > *")).to_have_count(0)
        expect(page.get_by_text("count until the server is back")).to_have_count(1)
        expect(page.get_by_text("PAPAYAS at last")).to_have_count(1)

        stranger = browser.new_context().new_page()
        stranger.goto(account.run("share", name, "--for", "15m").out.strip())
        expect(stranger.get_by_role("log")).to_contain_text("typed word", timeout=90_000)
        (shared,) = json.loads(account.run("share", "--list", "--json").out)
        account.run("share", "--revoke", shared["id"])
        expect(stranger.get_by_role("heading")).to_have_text("This link is over", timeout=90_000)


def clients(account: Account, name: str) -> int:
    """How many clients of Zellij there are in a session."""
    found = account.run("exec", name, "sh", "-c", "pgrep -fc '^[^ ]*zellij (attach|watch)' || true")
    return int(found.out.strip() or 0)


@pytest.mark.usefixtures("claude")
def test_claude_answers_and_asks_on_the_page_and_a_second_device_allows_it(account: Account) -> None:
    server = Server(account, ENVIRONMENT)
    project = account.project("claudes")
    try:
        with browsing() as browser:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(90_000)
            page.goto(server.link)
            page.goto(f"{server.link.partition('/login')[0]}/new")
            page.get_by_text("claude", exact=True).check()
            page.get_by_label("Project").fill(str(project))
            page.get_by_text("More", exact=True).click()
            page.get_by_label("Mount the directory itself").check()
            page.get_by_role("button", name="Start the session").click()
            page.wait_for_url("**/sessions/*")
            model = Model(account, page.url.rpartition("/")[2]).begin({"text": "A **MANGO** it is"})
            page.get_by_label("Message to the agent").fill("say the fruit")
            page.keyboard.press("Enter")
            expect(page.locator("#history strong")).to_have_text("MANGO", timeout=90_000)

            write = {"command": "echo allowed >note.txt", "description": "write it"}
            model.script({"text": "I write", "tool": "Bash", "input": write}, {"text": "Written it is"})
            page.get_by_label("Message to the agent").fill("write it")
            page.keyboard.press("Enter")
            other = browser.new_context().new_page()
            other.goto(account.run("serve", "--url").out.strip())
            other.goto(page.url)
            asked = [one.get_by_role("region", name="The agent asks") for one in (page, other)]
            for one in asked:
                expect(one).to_contain_text("note.txt", timeout=90_000)
            other.get_by_role("button", name="Yes, once").click()
            for one in asked:
                expect(one).to_have_count(0, timeout=90_000)
            expect(page.get_by_role("log")).to_contain_text("Written it is", timeout=90_000)
            expect(page.locator("#notice")).to_be_hidden()
            assert (project / "note.txt").read_text() == "allowed\n"
    finally:
        server.end()
