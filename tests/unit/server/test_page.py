"""The page in a real browser, on an engine in memory whose agent says what a test scripts."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from agent_session.activity import terminal as screen
from agent_session.server.web import assets, changes, syntax, terminal
from agent_session.server.web.page import ROUTERS
from agent_session.sessions import find
from tests.browser import DESK, PHONE, Visitor, beside, browsing, visiting
from tests.served import Served
from tests.unit import state_file
from tests.unit.server.agent import QUESTION, Agent, end, said, until

PUBLIC = ("/static/", "/share/", "/sw.js", "/manifest.webmanifest")
"""What holds nothing of anybody, and what has a word of its own."""
MARKDOWN = (
    "Here is **it**:\n\n```python\nprint('x')\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"
    "<img src=x onerror=alert(1)> [bad](javascript:alert(1))"
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def visitor(browser: Browser, served: Served) -> Iterator[Visitor]:
    with visiting(browser, served) as visitor:
        yield visitor


def make(served: Served, title: str = "Fix login") -> str:
    def post() -> str:
        with served.client(served.token()) as program:
            name: str = program.post("/api/sessions", json={"title": title}).json()["id"]
            return name

    return beside(post)


def in_state(served: Served, name: str, value: str, **more: object) -> None:
    session = find.get(served.engine, name)
    state_file.write(served.engine, session, state_file.line(value, **more))


def addresses() -> list[tuple[str, str]]:
    """Every address of the page that tells something of somebody's, with its method."""
    found = []
    for router in ROUTERS:
        for route in router.routes:
            if isinstance(route, APIRoute) and not route.path.startswith(PUBLIC):
                found += [(method, route.path) for method in sorted(route.methods or ())]
    return found


@pytest.mark.parametrize(("method", "path"), addresses())
def test_without_a_login_no_address_of_the_page_tells_anything(
    served: Served, method: str, path: str
) -> None:
    concrete = path.replace("{id}", "00000000-0000-4000-8000-000000000000").format(
        name="web", token_name="x", agent_id=1
    )
    with served.client() as nobody:
        assert nobody.request(method, concrete).status_code == 401
        as_browser = nobody.request(method, concrete, headers={"Accept": "text/html"})
        assert as_browser.status_code == 401
        assert "This browser is not logged in" in as_browser.text


@pytest.mark.parametrize(("method", "path"), [one for one in addresses() if "{name}" in one[1]])
def test_anothers_session_is_not_there(served: Served, method: str, path: str) -> None:
    name = make(served)
    form = {"text": "x", "reply": "x"} if method == "POST" else None
    with served.client(served.token(login="mallory")) as other:
        answer = other.request(method, path.replace("{name}", name), data=form)
        assert (answer.status_code, answer.json()["detail"]) == (404, "Session not found")


def test_what_is_vendored_is_what_its_makers_published() -> None:
    folder = assets.STATIC / "vendor"
    known = json.loads((folder / "vendored.json").read_text())
    assert {file.name for file in folder.iterdir()} - {
        "vendored.json",
        "LICENSE.htmx",
        "LICENSE.xterm",
    } == set(known)
    for name, about in known.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == about["sha256"], name


def axe(page: Page) -> list[str]:
    """What axe-core finds at a page, in words."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {[node['html'][:150] for node in one['nodes']]}" for one in found]


def test_a_link_opens_the_page_once(browser: Browser, served: Served) -> None:
    with visiting(browser, served, login=False) as stranger:
        page = stranger.page()
        expect(page.get_by_role("heading")).to_have_text("This browser is not logged in")
        expect(page.locator("pre")).to_contain_text("serve --url")
        link = beside(served.link)
        page.goto(link)
        expect(page.get_by_role("heading", name="Sessions")).to_be_visible()
        expect(page.get_by_text("There are no sessions yet.")).to_be_visible()
        page.get_by_role("link", name="Settings").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading")).to_have_text("This browser is not logged in")
        page.goto(link)
        expect(page.get_by_role("main")).to_contain_text("this link has been used")


def test_a_session_is_made_with_its_first_message_and_answers(visitor: Visitor, agent: Agent) -> None:
    page = visitor.page()
    page.get_by_role("link", name="New session").click()
    page.get_by_label("What shall it do?").fill("Fix the login page\nplease")
    page.get_by_role("button", name="Start the session").click()
    page.wait_for_url("**/sessions/fix-the-login-page-*")
    expect(page.locator(".prompt, .said.user").first).to_be_visible()
    expect(page.get_by_role("log")).to_contain_text("hello")
    until(lambda: agent.prompts == ["Fix the login page\nplease"])
    page.goto(visitor.url)
    expect(page.locator("#list .name")).to_have_text("Fix the login page")


def test_a_refused_session_says_why_and_keeps_what_was_written(visitor: Visitor) -> None:
    page = visitor.page("/new")
    page.get_by_label("Project", exact=False).first.fill("~/is-not-there")
    page.get_by_label("What shall it do?").fill("Words that took long")
    page.get_by_role("button", name="Start the session").click()
    expect(page.locator("#problem")).to_contain_text("is-not-there")
    page.reload()
    expect(page.get_by_label("What shall it do?")).to_have_value("Words that took long")


def test_the_list_is_live_and_what_waits_comes_first(visitor: Visitor, served: Served) -> None:
    page = visitor.page()
    first, second = make(served, "Alpha"), make(served, "Beta")
    names = page.locator("#list .name")
    expect(names).to_have_text(["Alpha", "Beta"])
    in_state(served, second, "waiting", question=QUESTION)
    expect(names).to_have_text(["Beta", "Alpha"])
    expect(page.locator(f"#row-{second}")).to_contain_text("waiting for you")
    expect(page.locator(f"#row-{second}")).to_contain_text("Bash: make")
    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(page.locator(f"#row-{first} a")).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("beta")
    expect(page.locator(f"#row-{first}")).to_be_hidden()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()


def test_an_answer_streams_as_markdown_that_can_do_no_harm(
    visitor: Visitor, served: Served, agent: Agent
) -> None:
    agent.turn = lambda _text: said(
        {"type": "turn", "turn": "1"},
        {"type": "text", "text": MARKDOWN},
        {"type": "tool", "name": "Bash", "input": {"command": "make check"}},
        end(MARKDOWN),
    )
    page = visitor.page(f"/sessions/{make(served)}")
    agent.go_on.clear()
    page.get_by_label("Message to the agent").fill("show me")
    page.keyboard.press("Enter")
    until(lambda: agent.prompts == ["show me"])
    expect(page.get_by_label("Message to the agent")).to_have_value("")
    agent.go_on.set()
    live = page.locator("#live")
    expect(page.get_by_role("log")).to_contain_text("hello")
    assert page.locator("img").count() == 0
    assert page.locator("a[href^=javascript]").count() == 0
    expect(live).to_be_empty()


def test_what_streams_is_not_doubled_by_a_reload_or_a_second_browser(
    browser: Browser, visitor: Visitor, served: Served, agent: Agent
) -> None:
    name = make(served)
    page = visitor.page(f"/sessions/{name}")
    page.get_by_label("Message to the agent").fill("a draft")
    page.reload()
    expect(page.get_by_label("Message to the agent")).to_have_value("a draft")
    agent.go_on.clear()
    page.keyboard.press("Enter")
    expect(page.locator("#live .prompt")).to_have_count(0)
    until(lambda: agent.prompts == ["a draft"])
    with visiting(browser, served, PHONE) as phone:
        other = phone.page(f"/sessions/{name}")
        expect(other.get_by_role("log")).to_contain_text("hello")
        for one in (page, other):
            expect(one.locator("#history article")).to_have_count(2)
        agent.go_on.set()
        for one in (page, other):
            expect(one.locator("#live")).to_be_empty()
            expect(one.locator("#history article")).to_have_count(2)


def test_a_question_is_answered_on_one_device_and_vanishes_on_the_other(
    browser: Browser, visitor: Visitor, served: Served, agent: Agent
) -> None:
    name = make(served)
    page = visitor.page(f"/sessions/{name}")
    with visiting(browser, served, PHONE) as phone:
        other = phone.page(f"/sessions/{name}")
        in_state(served, name, "waiting", question=QUESTION)
        for one in (page, other):
            expect(one.get_by_role("region", name="The agent asks")).to_contain_text("Bash: make")
        other.get_by_role("button", name="Yes, once").click()
        until(lambda: any(order[0] == "answer" for order in agent.others))
        in_state(served, name, "idle")
        for one in (page, other):
            expect(one.get_by_role("region", name="The agent asks")).to_have_count(0)
        expect(page.locator("#notice")).to_be_hidden()


def test_a_session_is_stopped_started_and_deleted(visitor: Visitor, served: Served) -> None:
    name = make(served)
    page = visitor.page(f"/sessions/{name}")
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("This session is stopped.")).to_be_visible()
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("#badge")).not_to_contain_text("stopped")
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(page.get_by_role("dialog")).to_contain_text("The session and its conversation go")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("There are no sessions yet.")).to_be_visible()
    assert served.engine.containers("") == []


def test_tokens_and_devices_are_kept_in_the_settings(
    browser: Browser, visitor: Visitor, served: Served
) -> None:
    page = visitor.page("/settings")
    page.get_by_placeholder("ci").fill("ci")
    page.get_by_role("button", name="Make a token").click()
    word = page.locator(".made code").text_content() or ""
    assert word.startswith("as_")
    with served.client(word) as program:
        assert program.get("/api/sessions").status_code == 200
    page.get_by_role("button", name="Remove: ci").click()
    expect(page.get_by_text("There are no tokens.")).to_be_visible()
    with visiting(browser, served) as another:
        other = another.page()
        page.reload()
        page.get_by_role("button", name="Log out").click()
        expect(page.locator("#devices li")).to_have_count(1)
        other.reload()
        expect(other.get_by_role("heading")).to_have_text("This browser is not logged in")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_can_be_read_by_everybody_and_fits(
    browser: Browser, served: Served, size: tuple[int, int], scheme: str
) -> None:
    name = make(served)
    make(served, "A title that is much longer than the width of any telephone that is sold today")
    in_state(served, name, "waiting", question=QUESTION)
    with visiting(browser, served, size, scheme=scheme) as visitor:
        for path in (
            "/",
            "/new",
            f"/sessions/{name}",
            f"/sessions/{name}/changes",
            "/settings",
            "/admin",
            "/nothing",
        ):
            page = visitor.page(path)
            page.wait_for_load_state("load")
            if path.endswith("/changes"):
                expect(page.get_by_text("This session has no project.")).to_be_visible()
            if path.endswith(name):
                expect(page.get_by_role("log")).to_contain_text("hello")
            assert axe(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], path
            page.close()


def test_an_agent_is_created_in_the_settings_and_chosen_for_a_session(visitor: Visitor) -> None:
    page = visitor.page("/settings")
    page.locator("#agent-name").fill("Mine")
    page.get_by_role("button", name="Create the agent").click()
    expect(page.locator("#agents li")).to_contain_text("logged in")
    page.goto(visitor.url + "/new")
    expect(page.get_by_label("Mine")).to_be_checked()
    page.goto(visitor.url + "/settings")
    page.get_by_role("button", name="Remove: Mine").click()
    expect(page.get_by_text("There are no agents of yours.")).to_be_visible()


def test_an_agent_is_renamed_logged_in_with_a_key_and_removed(visitor: Visitor, served: Served) -> None:
    page = visitor.page("/settings")
    page.locator("#agent-name").fill("Router")
    page.get_by_label("Program").select_option("claude")
    page.get_by_label("Login").select_option("key")
    page.get_by_label("API key", exact=True).fill("sk-ant-api03-0123456789abcdef")
    page.get_by_role("button", name="Create the agent").click()
    row = page.locator("#agents li")
    expect(row).to_contain_text("logged in")
    assert "sk-ant" not in page.content()
    page.locator("summary[aria-label='Change: Router']").click()
    page.get_by_label("Its name").fill("Other name")
    page.get_by_role("button", name="Rename").click()
    expect(row).to_contain_text("Other name")
    page.locator("summary[aria-label='Change: Other name']").click()
    page.get_by_label("Another login").select_option("key")
    page.get_by_label("Its API key").fill("two words")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(page.locator("#refused")).not_to_be_empty()
    page.get_by_label("Its API key").fill("sk-ant-api03-another")
    page.get_by_role("button", name="Log in", exact=True).click()
    expect(row.get_by_label("Its API key")).to_have_value("")
    with served.client(beside(served.token)) as program:
        (told,) = program.get("/api/agents").json()
    assert (told["name"], told["login"]["way"], told["login"]["status"]) == ("Other name", "key", "ready")
    page.get_by_role("button", name="Remove: Other name").click()
    expect(page.get_by_text("There are no agents of yours.")).to_be_visible()


def test_a_model_is_chosen_for_a_message_and_kept(visitor: Visitor, served: Served, agent: Agent) -> None:
    agent.known.append({"id": "a/c", "name": "C"})
    page = visitor.page(f"/sessions/{make(served)}")
    page.get_by_label("Model").focus()
    expect(page.get_by_label("Model")).to_contain_text("B (in use)")
    page.get_by_label("Model").select_option("a/c")
    page.get_by_label("Message to the agent").fill("with it")
    page.keyboard.press("Enter")
    until(lambda: agent.models == ["a/c"])
    page.reload()
    expect(page.get_by_label("Model")).to_have_value("a/c")


def test_pictures_that_the_agent_made_are_shown_and_nothing_else_as_one(
    visitor: Visitor, served: Served, agent: Agent, tmp_path: Path
) -> None:
    real, other = tmp_path / "chart.png", tmp_path / "page.png"
    real.write_bytes(assets.assets()["icon-192.png"].content)
    other.write_text("<script>alert(1)</script>")
    agent.tools = [{"name": "Write", "input": {"file_path": str(one)}} for one in (real, other)]
    page = visitor.page(f"/sessions/{make(served)}")
    expect(page.get_by_role("img", name="chart.png")).to_be_visible()
    expect(page.locator(".picture")).to_have_count(1)
    assert page.locator(".picture img").evaluate("one => one.naturalWidth") == 192
    assert axe(page) == []


def test_an_administrator_sees_users_health_and_the_filtered_audit_log(
    visitor: Visitor, served: Served
) -> None:
    name = make(served)
    with served.client(beside(lambda: served.token(login="mallory"))) as other:
        other.delete(f"/api/sessions/{name}")
    page = visitor.page("/settings")
    page.get_by_role("link", name="Administration").click()
    users = page.get_by_role("region", name="Table of users")
    expect(users).to_contain_text("local")
    expect(users).to_contain_text("mallory")
    users.get_by_text("Show them").click()
    expect(users).to_contain_text(name)
    expect(page.get_by_text("sqlite")).to_be_visible()
    page.get_by_label("User", exact=True).fill("mallory")
    page.get_by_role("button", name="Filter").click()
    rows = page.locator("#audit tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("delete_session")
    page.get_by_label("Status").fill("soon")
    page.get_by_role("button", name="Filter").click()
    expect(page.get_by_role("main")).to_contain_text("'soon' cannot be looked for as status")
    with served.client(beside(lambda: served.token("sessions:read"))) as program:
        assert program.get("/admin").status_code == 403


def test_code_has_colours_and_can_do_no_harm() -> None:
    found = syntax.coloured("x.py", ["def f():", "    return '<b>'  # no", ""])
    assert found == [
        '<i class="k">def</i> <i class="f">f</i>():',
        '    <i class="k">return</i> <i class="s">&#39;</i><i class="s">&lt;b&gt;</i><i class="s">&#39;</i>'
        '  <i class="c"># no</i>',
        "",
    ]
    assert syntax.coloured("x.unknown", ["<b>"]) == ["&lt;b&gt;"]


@pytest.fixture
def shell(served: Served, monkeypatch: pytest.MonkeyPatch) -> str:
    """A session whose terminal is a program of this machine: it tells its size, and what is typed."""
    program = 'while read -r line; do echo "got <$line> at $(stty size)"; done'

    def command(_name: str, _words: list[str], _environment: object, **_more: object) -> list[str]:
        return ["bash", "-c", f"echo attached; {program}"]

    monkeypatch.setattr(screen, "shown", lambda *_: "watching")
    monkeypatch.setattr(served.engine, "attach_command", command)
    return make(served)


def on_screen(page: Page, text: str) -> None:
    expect(page.locator(".xterm-rows")).to_contain_text(text)


def test_a_terminal_is_typed_in_resized_and_connected_again(
    visitor: Visitor, served: Served, shell: str
) -> None:
    page = visitor.page(f"/sessions/{shell}/terminal")
    on_screen(page, "attached")
    page.keyboard.type("echo words\n")
    on_screen(page, "got <echo words>")
    before = page.locator(".xterm-rows > div").count()
    page.set_viewport_size({"width": 900, "height": 500})
    expect(page.locator(".xterm-rows > div")).not_to_have_count(before)
    rows = page.locator(".xterm-rows > div").count()
    page.keyboard.type("size\n")
    on_screen(page, f"got <size> at {rows} ")
    page.get_by_label("Only watch").check()
    on_screen(page, "watching")
    page.locator("#screen").click()
    page.keyboard.type("nothing\n")
    page.get_by_label("Only watch").uncheck()
    on_screen(page, "attached")
    page.keyboard.type("again\n")
    on_screen(page, "got <again>")
    assert "nothing" not in (page.locator(".xterm-rows").text_content() or "")
    with served.client(served_token(served)) as program:
        audit = program.get("/api/audit").json()
    assert {"terminal"} <= {one["action"] for one in audit}


def served_token(served: Served) -> str:
    return beside(served.token)


def test_a_terminal_tells_who_else_is_there(
    browser: Browser, visitor: Visitor, served: Served, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "OTHERS_SECONDS", 0.2)
    page = visitor.page(f"/sessions/{shell}/terminal")
    on_screen(page, "attached")
    with visiting(browser, served, PHONE) as phone:
        other = phone.page(f"/sessions/{shell}/terminal")
        expect(page.locator("#others")).to_have_text("Also here: local on Chrome on Linux (watching)")
        expect(other.locator("#others")).to_have_text("Also here: local on Chrome on Linux")
    expect(page.locator("#others")).to_have_text("")


def test_a_phone_has_keys_and_watches_first(browser: Browser, served: Served, shell: str) -> None:
    with visiting(browser, served, PHONE) as phone:
        page = phone.page(f"/sessions/{shell}/terminal")
        expect(page.get_by_label("Only watch")).to_be_checked()
        on_screen(page, "watching")
        page.get_by_label("Only watch").uncheck()
        on_screen(page, "attached")
        expect(page.locator("#told")).to_have_text("This screen's size is everybody's now.")
        page.get_by_role("button", name="⏎").tap()
        on_screen(page, "got <>")
        assert axe(page) == []


@pytest.mark.parametrize(
    ("headers", "opened"),
    [({"Origin": "http://evil.example"}, False), ({"Sec-Fetch-Site": "cross-site"}, False), ({}, True)],
)
def test_a_foreign_page_gets_no_terminal(
    served: Served, shell: str, headers: dict[str, str], opened: bool
) -> None:
    cookie = f"agent-session={beside(served.cookie)}"
    address = served.url.replace("http", "ws") + f"/page/sessions/{shell}/terminal"
    asked = {"Cookie": cookie, **headers}
    if opened:
        with connect(address, additional_headers=asked, proxy=None) as socket:
            shown = next(piece for piece in iter(lambda: socket.recv(20), None) if isinstance(piece, bytes))
            assert b"attached" in shown
    else:
        with pytest.raises(InvalidStatus) as refused, connect(address, additional_headers=asked, proxy=None):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    ("scopes", "login", "reason"),
    [
        (("sessions:read",), "local", "this needs the scope 'terminal'"),
        (("terminal",), "mallory", "not found"),
        ((), "", "Authentication required"),
    ],
)
def test_only_who_may_gets_a_terminal(
    served: Served, shell: str, scopes: tuple[str, ...], login: str, reason: str
) -> None:
    headers = {
        "Authorization": f"Bearer {beside(lambda: served.token(*scopes, login=login)) if login else 'as_x'}"
    }
    address = served.url.replace("http", "ws") + f"/page/sessions/{shell}/terminal"
    with (
        connect(address, additional_headers=headers, proxy=None) as socket,
        pytest.raises(ConnectionClosed) as closed,
    ):
        socket.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4003
    assert reason in closed.value.rcvd.reason


def test_what_changed_is_read_as_git_writes_it() -> None:
    text = (
        "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n"
        "@@ -3,2 +3,2 @@ def f():\n same\n--- old\n+new\n"
        "\\ No newline at end of file\ndiff --git a/y b/y\nnew file mode 100644\n@@ -0,0 +1 @@\n+one\n"
    )
    found = [
        (path, line.kind, line.old, line.new, line.text) for path, line in changes.lines(text, ["x", "y"])
    ]
    assert found == [
        ("x", "place", None, None, "@@ -3,2 +3,2 @@ def f():"),
        ("x", "same", 3, 3, "same"),
        ("x", "removed", 4, None, "-- old"),
        ("x", "added", None, 4, "new"),
        ("y", "place", None, None, "@@ -0,0 +1 @@"),
        ("y", "added", None, 1, "one"),
    ]
