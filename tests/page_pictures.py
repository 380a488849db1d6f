"""The page on a machine that is not there, with sessions in every state: for pictures of it."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from agent_session.activity import terminal as screen
from agent_session.engine.command import ExecResult
from agent_session.host import paths
from agent_session.images import build, zellij
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.server.web import changes
from agent_session.sessions import find
from agent_session.sessions.installation import Installation
from tests.browser import beside, visiting
from tests.fake_engine import FakeEngine
from tests.served import Served, serving
from tests.unit import state_file
from tests.unit.machine import AGENTS
from tests.unit.server.agent import Agent, said

QUESTION = {
    "kind": "permission", "text": "bash: npm install --save-dev vitest", "id": "q1",
    "choices": ["once", "always", "reject"],
}  # fmt: skip
ANSWER = """The login form kept its **old token** after a failed attempt. I changed two things:

1. `useLogin` clears the token before each attempt.
2. The form shows the server's reason instead of a bare *failed*.

```ts
export async function login(name: string, password: string) {
  tokens.clear();  // a failed attempt must not leave the last one behind
  return post("/api/login", { name, password });
}
```

| test | before | after |
|---|---|---|
| wrong password | failed | passed |
| expired token | failed | passed |

Shall I add the same to the settings page?"""
SAID = [
    {"role": "user", "text": "Why does the login page hang after a wrong password? Mend it, with a test."},
    {"role": "assistant", "text": "I look at the form and its hook first.", "tools": [
        {"name": "read", "input": {"filePath": "src/login/useLogin.ts"}},
        {"name": "bash", "input": {"command": "npm test -- login", "description": "run the tests"}},
    ]},
    {"role": "assistant", "text": ANSWER, "tools": [
        {"name": "edit", "input": {"filePath": "src/login/useLogin.ts"}}]},
]  # fmt: skip
DIFFERENCE = """diff --git a/src/login/useLogin.ts b/src/login/useLogin.ts
--- a/src/login/useLogin.ts
+++ b/src/login/useLogin.ts
@@ -4,9 +4,10 @@ import { post } from "../http";
 
 // Logs somebody in, and keeps the token that the server gives.
 export async function login(name: string, password: string) {
-  const answer = await post("/login", { name, password });
-  if (!answer.ok) throw new Error("failed");
+  tokens.clear();
+  const answer = await post("/api/login", { name, password });
+  if (!answer.ok) throw new Error(answer.reason);
   return tokens.keep(answer.token, 3600);
 }
"""
SESSIONS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Fix the login page", "waiting", {"question": QUESTION}),
    ("Move the API to pydantic 3", "working", {}),
    ("Why is the nightly build slow?", "idle", {}),
    ("Read the logs of Tuesday", "failed", {"reason": "the provider says: no credit left"}),
)


WATCHING = """
const real = matchMedia;
window.matchMedia = (query) => (query.includes("coarse") ? { matches: true } : real(query));
"""
SCREENS = {
    "list": "/", "new": "/new", "chat": "/sessions/{name}", "changes": "/sessions/{name}/changes",
    "terminal": "/sessions/{name}/terminal", "settings": "/settings", "admin": "/admin",
}  # fmt: skip


def _answers(agent: Agent) -> Callable[[str, Sequence[str], bytes], ExecResult]:
    def answer(name: str, command: Sequence[str], stdin: bytes) -> ExecResult:
        if command[0].endswith("agent-command") and command[1] == "history":
            return said({"entries": SAID})
        return agent(name, command, stdin)

    return answer


@contextlib.contextmanager
def pictured(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Served, str]]:
    """Serve sessions in every state from an empty directory; give the server and the first one's name."""
    images, home = folder / "images", folder / "home"
    home.mkdir()
    for name, text in {**AGENTS, "base": ""}.items():
        (images / name).mkdir(parents=True)
        (images / name / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\nRUN true\n")
        if text:
            (images / name / "agent.yaml").write_text(text)
    (images / "versions.yaml").touch()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(paths, "agent_folders", lambda: (images, home / "agents"))
    monkeypatch.setattr(zellij, "zellij_binary", lambda *_: images / "versions.yaml")
    monkeypatch.setattr(screen, "shown", lambda *_: "\x1b[32m❯\x1b[0m npm test\n\n \x1b[32m12 passed\x1b[0m")
    monkeypatch.setattr(changes, "_projects", lambda *_: [_project()])
    engine = FakeEngine(images=[DEFAULT_BASE_IMAGE], commands=_answers(Agent()))
    installation = Installation(environment={}, home=home)
    for one in installation.agents().values():
        build.ensure_image(engine, installation.workshop(), one, tell=lambda *_: None)
    with serving(folder / "state", engine, installation) as served:
        yield served, beside(lambda: _fill(served))


def _fill(served: Served) -> str:
    """Make the sessions, and return the first one's name."""
    names: list[str] = []
    with served.client(served.token()) as program:
        for title, value, more in SESSIONS:
            names.append(
                program.post("/api/sessions", json={"title": title, "agent": "opencode"}).json()["id"]
            )
            session = find.get(served.engine, names[-1])
            state_file.write(served.engine, session, state_file.line(value, **more))
        program.post("/api/tokens", json={"name": "ci", "scopes": ["sessions:read"]})
        program.post("/api/agents", json={"name": "My Claude", "kind": "claude", "login": {"way": "machine"}})
    return names[0]


def shown(page: Page, screen: str) -> None:
    """Wait until a screen shows all that it will."""
    page.wait_for_load_state("load")
    if screen == "chat":
        expect(page.get_by_role("log")).to_contain_text("expired token")
        expect(page.get_by_role("region", name="The agent asks")).to_be_visible()
    if screen == "changes":
        expect(page.locator(".line.added").first).to_be_visible()
    if screen == "terminal":
        page.get_by_label("Only watch").check()
        expect(page.locator(".xterm-rows")).to_contain_text("12 passed")
    page.wait_for_timeout(300)


def draw(
    browser: Browser, served: Served, name: str, wanted: Mapping[str, Path], width: int, scheme: str
) -> None:
    """Draw screens into files, as wide as a browser is."""
    size = (390, 844) if width == 390 else (width, 800)
    with visiting(browser, served, size, scheme=scheme) as visitor:
        for screen_name, file in wanted.items():
            if screen_name == "terminal":  # to watch from its first moment on
                visitor.context.add_init_script(WATCHING)
            page = visitor.page(SCREENS[screen_name].format(name=name))
            shown(page, screen_name)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (screen_name, width)
            page.screenshot(path=file)
            page.close()


def _project() -> changes.Project:
    path = "src/login/useLogin.ts"
    file = changes.File(path=path, status="modified", added=3, removed=2)
    file.lines = changes._in_colours(path, [line for _, line in changes.lines(DIFFERENCE, [path])])
    return changes.Project(name="webapp", files=[file])
