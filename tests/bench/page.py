"""The page's figures in a real browser, on an engine in memory: `make bench-server`.

What Podman, Zellij and an agent take comes on top.
"""

import os
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from agent_session.activity.protocol import Said
from agent_session.server.turns import Turn
from agent_session.sessions import find
from tests import page_pictures
from tests.bench.server import add, tell
from tests.browser import Visitor, browsing, visiting
from tests.served import Served
from tests.unit import state_file

PIECES, KEYS, SESSIONS, MESSAGES = 30, 60, 200, 5000
SEEN = """() => {
  window.seen = [];
  new MutationObserver(() => window.seen.push(Date.now())).observe(
    document.querySelector("%s"), { childList: true, subtree: true, characterData: true });
}"""
LONG = """() => {
  window.long = [];
  new PerformanceObserver((all) => window.long.push(...all.getEntries().map((one) => one.duration)))
    .observe({ type: "longtask", buffered: true });
}"""


def main() -> None:
    """Print a line a figure: what it is, what it was, and the goal."""
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} processors")
    with (
        pytest.MonkeyPatch.context() as patch,
        browsing() as browser,
        tempfile.TemporaryDirectory() as folder,
        page_pictures.pictured(Path(folder), patch) as (served, name),
    ):
        patch.setattr(served.engine, "attach_command", lambda *_, **__: ["cat"])
        first_paint(browser, served, name)
        with visiting(browser, served) as visitor:
            streaming(visitor, served, name)
            keys(visitor, name)
            patch.setattr(page_pictures, "SAID", [
                {"role": ("user", "assistant")[number % 2], "text": f"Message **{number}**\n\n{'word ' * 60}"}
                for number in range(MESSAGES)
            ])  # fmt: skip
            history(visitor, name)
            listing(visitor, served)


def first_paint(browser: Browser, served: Served, name: str) -> None:
    """A browser that has seen nothing of the page before, each time."""
    sizes, paints = [], []
    for _ in range(5):
        with visiting(browser, served) as visitor:
            visitor.context.clear_cookies(name="none")
            page = visitor.context.new_page()
            wire = _counted(visitor.context, page)
            page.goto(f"{served.url}/sessions/{name}")
            page_pictures.shown(page, "chat")
            sizes.append(sum(wire))
            found = "performance.getEntriesByName('first-contentful-paint')[0].startTime"
            paints.append(page.evaluate(found))
    tell("the chat page over the wire", f"{max(sizes) / 1000:.0f} KB", "<= 60 KB")
    tell("its first paint, median", f"{statistics.median(paints):.0f} ms", "<= 400 ms")


def _counted(context: BrowserContext, page: Page) -> list[float]:
    wire: list[float] = []
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", lambda event: wire.append(event["encodedDataLength"]))
    return wire


def streaming(visitor: Visitor, served: Served, name: str) -> None:
    """Pieces of an answer, each told by the server's loop; when the page has it in its elements."""
    page = visitor.page(f"/sessions/{name}")
    page_pictures.shown(page, "chat")
    page.evaluate(SEEN % "#live")
    turns: dict[str, Turn] = served.parts.turns._now
    taken = []
    for number in range(PIECES):
        begun: list[float] = []

        def publish(number: int = number, begun: list[float] = begun) -> None:
            if name not in turns:
                turns[name] = _turn(name)
            begun.append(time.time() * 1000)
            turns[name].events.append(Said(text=f"piece {number} "))
            served.parts.hub.publish("text", owner="", session=name, data={"text": "x"})

        before = page.evaluate("window.seen.length")
        served.loop.call_soon_threadsafe(publish)
        page.wait_for_function("(before) => window.seen.length > before", arg=before)
        taken.append(page.evaluate(f"window.seen[{before}]") - begun[0])
        page.wait_for_timeout(200)
    turns.pop(name)
    page.close()
    tell("a piece of an answer to the screen, p50 / p95", _spread(taken), "<= 50 ms")


def _turn(name: str) -> Turn:
    import asyncio

    return Turn(
        id=uuid.uuid4(), session=name, owner="", text="go", model="", created=datetime.now(UTC),
        over=asyncio.get_running_loop().create_future(),
    )  # fmt: skip


def keys(visitor: Visitor, name: str) -> None:
    """A key, through the socket to a program on a pseudo terminal and back, to the screen's elements."""
    page = visitor.page(f"/sessions/{name}/terminal")
    page.locator(".xterm-rows").wait_for()
    page.wait_for_timeout(1000)
    page.evaluate(SEEN % ".xterm-rows")
    page.evaluate("addEventListener('keydown', () => (window.pressed = Date.now()), true)")
    taken = []
    for _ in range(KEYS):
        before = page.evaluate("window.seen.length")
        page.keyboard.press("x")
        page.wait_for_function("(before) => window.seen.length > before", arg=before)
        taken.append(page.evaluate(f"window.seen[{before}] - window.pressed"))
        page.wait_for_timeout(30)
    page.close()
    tell("a key's echo in the terminal, p50 / p95", _spread(taken), "<= 30 ms")


def history(visitor: Visitor, name: str) -> None:
    """A conversation of thousands of messages, of which the page has the last ones."""
    page = visitor.page(f"/sessions/{name}")
    opened = _milliseconds(lambda: page.get_by_text(f"Message {MESSAGES - 1}").wait_for())
    count = page.locator("#history article").count()

    def earlier() -> None:
        page.get_by_role("button", name="Earlier").click()
        page.wait_for_function("(n) => document.querySelectorAll('article').length > n", arg=count)

    more = _milliseconds(earlier)
    page.close()
    tell(f"the end of {MESSAGES:,} messages, and 100 earlier ones", f"{opened:.0f} / {more:.0f} ms", "usable")


def listing(visitor: Visitor, served: Served) -> None:
    """A list of many sessions, while the state of one after the other changes."""
    for number in range(SESSIONS):
        add(served.engine, f"s{number:04}")
    page = visitor.page()
    page.wait_for_function("(n) => document.querySelectorAll('#list li').length >= n", arg=SESSIONS)
    page.evaluate(LONG)
    for number in range(20):
        session = find.get(served.engine, f"s{number:04}")
        state_file.write(served.engine, session, state_file.line("working"))
        page.wait_for_timeout(100)
    longest = page.evaluate("Math.max(0, ...window.long)")
    tell(f"the longest task in a list of {SESSIONS} sessions", f"{longest:.0f} ms", "<= 100 ms, no stutter")


def _milliseconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


def _spread(taken: list[float]) -> str:
    ordered = sorted(taken)
    return f"{statistics.median(ordered):.0f} / {ordered[int(len(ordered) * 0.95)]:.0f} ms"


if __name__ == "__main__":
    main()
