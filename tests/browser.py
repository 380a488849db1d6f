"""A real browser, Debian's Chromium without a window, and what its console and its policy complain of."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.served import Served

T = TypeVar("T")
DESK, PHONE = (1280, 800), (390, 844)
PROGRAMS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
MILLISECONDS = 30_000


@contextlib.contextmanager
def browsing() -> Iterator[Browser]:
    """Run a browser for as long as the block lasts."""
    expect.set_options(timeout=MILLISECONDS)
    program = next(name for name in PROGRAMS if Path(name).exists())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True, kw_only=True)
class Visitor:
    """Somebody with a browser of their own; `complaints` should stay empty."""

    context: BrowserContext
    url: str
    complaints: list[str] = field(default_factory=list)

    def page(self, path: str = "/") -> Page:
        """Open a page."""
        page = self.context.new_page()
        page.on("console", lambda message: self._console(message))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.goto(self.url + path)
        return page

    def _console(self, message: Any) -> None:
        expected = "Failed to load resource" in message.text or "ERR_CONNECTION" in message.text
        if message.type in {"error", "warning"} and not expected:
            self.complaints.append(message.text)


@contextlib.contextmanager
def visiting(
    browser: Browser,
    served: Served,
    size: tuple[int, int] = DESK,
    *,
    scheme: str = "light",
    login: bool = True,
    **more: Any,
) -> Iterator[Visitor]:
    """Visit a server with a new browser profile, logged in by a link."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme,  # type: ignore[arg-type]
        has_touch=size == PHONE, is_mobile=size == PHONE, **more,
    )  # fmt: skip
    context.set_default_timeout(MILLISECONDS)
    visitor = Visitor(context=context, url=served.url)
    try:
        if login:
            page = context.new_page()
            page.goto(beside(served.link))
            page.close()
        yield visitor
    finally:
        context.close()
    assert not visitor.complaints, visitor.complaints


def beside(work: Callable[[], T]) -> T:
    """Do something in a thread: Playwright has an event loop in this one."""
    found: list[T] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]
