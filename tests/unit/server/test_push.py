"""Notifications: what is told, when, to whom, and that only the browser it is for can read it."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from playwright.sync_api import Browser, BrowserContext, Page, expect

from agent_session.errors import UsageError
from agent_session.server.push import encryption, pusher, subscriptions
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation
from tests.browser import beside, browsing, visiting
from tests.fake_engine import FakeEngine
from tests.fakes.push_service import PushService, push_service
from tests.served import Served, serving
from tests.unit.server.agent import QUESTION, until
from tests.unit.server.test_page import axe, in_state, make

KNOWN = Settings().push_hosts


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def service() -> Iterator[PushService]:
    with push_service() as service:
        yield service
    assert not service.complaints


@pytest.fixture
def served(
    house: FakeEngine, home: Path, tmp_path: Path, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Served]:
    monkeypatch.setattr(pusher, "AFTER_SECONDS", {"waiting": 0.5, "finished": 0.2, "failed": 0.0})
    monkeypatch.setattr(pusher, "APART_SECONDS", 0.0)
    installation = Installation(environment={}, home=home)
    with serving(tmp_path / "state", house, installation, push_hosts=service.url) as served:
        yield served


@dataclass(frozen=True)
class Device:
    """A browser that is logged in."""

    url: str
    cookie: str

    def ask(self, method: str, path: str = "/api/push", **more: Any) -> httpx2.Response:
        headers = {"Cookie": f"agent-session={self.cookie}"}
        return httpx2.request(method, self.url + path, headers=headers, trust_env=False, **more)

    @property
    def on(self) -> bool:
        """Whether it gets notifications."""
        told: bool = self.ask("GET").json()["on"]
        return told


def logged_in(served: Served, login: str = "local") -> Device:
    return Device(served.url, beside(lambda: served.cookie(login)))


def subscribed(served: Served, service: PushService, browser: str, login: str = "local") -> Device:
    device = logged_in(served, login)
    answer = device.ask("PUT", json=service.subscribe(browser))
    assert answer.status_code == 200, answer.text
    assert device.on
    return device


def titles(service: PushService, browser: str = "phone") -> list[str]:
    return [message["title"] for to, message in service.messages if to == browser]


def test_a_message_is_encrypted_as_the_standard_says() -> None:
    """The example of RFC 8291, appendix A."""
    read = encryption.as_bytes
    number = int.from_bytes(read("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw"), "big")
    body = encryption.encrypt(
        b"When I grow up, I want to be a watermelon",
        p256dh=read(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4"
        ),
        auth=read("BTBZMqHH6r4Tts7J_aSIgg"),
        salt=read("DGv6ra1nlYgDCS1FRnbzlw"),
        sender=ec.derive_private_key(number, ec.SECP256R1()),
    )
    assert encryption.as_text(body) == (
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6Tlz"
        "AC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )


def test_a_browser_is_told_once_that_an_agent_waits_and_what_it_asks(
    served: Served, service: PushService
) -> None:
    subscribed(served, service, "phone")
    name = make(served)
    in_state(served, name, "waiting", question=QUESTION)
    until(lambda: len(service.messages) == 1)
    time.sleep(1)  # nothing more may come
    in_state(served, name, "working")
    assert service.messages == [
        (
            "phone",
            {
                "title": "Fix login waits for you",
                "body": "Bash: make",
                "tag": name,
                "url": f"/sessions/{name}",
            },
        )
    ]
    assert service.headers[0]["urgency"] == "high"
    in_state(served, name, "idle")
    until(lambda: titles(service)[1:] == ["Fix login has finished"])
    in_state(served, name, "failed", reason="no credit")
    until(lambda: titles(service)[2:] == ["Fix login has failed"])
    assert service.messages[-1][1]["body"] == "no credit"


def test_what_passes_is_not_told_and_what_comes_soon_after_is_told_later(
    served: Served, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pusher, "AFTER_SECONDS", {"waiting": 1.0, "finished": 0.2, "failed": 0.0})
    monkeypatch.setattr(pusher, "APART_SECONDS", 4.0)
    subscribed(served, service, "phone")
    name = make(served)
    in_state(served, name, "waiting", question=QUESTION)
    until(lambda: served.parts.watching.values() == ["waiting"])
    in_state(served, name, "working")
    until(lambda: served.parts.watching.values() == ["working"])
    in_state(served, name, "failed")
    until(lambda: titles(service) == ["Fix login has failed"])
    told = time.monotonic()
    in_state(served, name, "waiting", question=QUESTION | {"id": "q2"})
    until(lambda: len(service.messages) == 2)
    assert time.monotonic() - told > 3
    assert titles(service)[1:] == ["Fix login waits for you"]


def test_others_are_told_nothing_and_who_switched_it_off_neither(
    served: Served, service: PushService
) -> None:
    subscribed(served, service, "stranger", login="mallory")
    off = subscribed(served, service, "off")
    assert off.ask("DELETE").status_code == 200
    out = subscribed(served, service, "out")
    out.ask("POST", "/auth/logout")
    gone = subscribed(served, service, "gone")
    del service.keys["gone"]
    subscribed(served, service, "phone")
    in_state(served, make(served), "failed")
    until(lambda: [to for to, _ in service.messages] == ["phone"])
    until(lambda: not gone.on)


@pytest.mark.parametrize(
    ("endpoint", "good"),
    [
        ("https://fcm.googleapis.com/fcm/send/x", True),
        ("https://updates.push.services.mozilla.com/wpush/v2/x", True),
        ("https://wns2-par02p.notify.windows.com/w/?token=x", True),
        ("https://web.push.apple.com/x", True),
        ("http://fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com:8443/x", False),
        ("https://fcm.googleapis.com.evil.example/x", False),
        ("https://evilpush.services.mozilla.com.example/x", False),
        ("https://user@fcm.googleapis.com/x", False),
        ("https://fcm.googleapis.com@127.0.0.1/x", False),
        ("https://127.0.0.1/x", False),
        ("https://169.254.169.254/latest", False),
        ("https://localhost/x", False),
        ("https://[::1]/x", False),
        ("https://[/x", False),
        ("file:///etc/passwd", False),
    ],
)
def test_notifications_go_to_known_push_services_alone(endpoint: str, good: bool) -> None:
    if good:
        subscriptions.check(endpoint, KNOWN)
    else:
        with pytest.raises(UsageError):
            subscriptions.check(endpoint, KNOWN)


def test_what_is_no_subscription_of_a_browser_is_refused(served: Served, service: PushService) -> None:
    good = service.subscribe("phone")
    device = logged_in(served)
    assert device.ask("PUT", json=good | {"endpoint": "https://10.0.0.1/x"}).status_code == 400
    short = good | {"keys": {"p256dh": "B" * 87, "auth": "A" * 20}}
    assert device.ask("PUT", json=short).status_code == 400
    with served.client(beside(served.token)) as program:
        assert program.put("/api/push", json=good).status_code == 400
    assert not device.on
    assert (served.settings.server_state / "push-key.pem").stat().st_mode & 0o777 == 0o600


FAKE = """(subscription) => {
  let now = null;
  const unsubscribe = async () => (now = null);
  const fake = { ...subscription, toJSON: () => subscription, options: {}, unsubscribe };
  PushManager.prototype.subscribe = async () => (now = fake);
  PushManager.prototype.getSubscription = async () => now;
}"""


CLICKED = """async () => {
  const [notification] = await registration.getNotifications();
  clients.openWindow = async (url) => (self.opened = url);
  dispatchEvent(new NotificationEvent("notificationclick", { notification }));
}"""
"""A click on the notification; a page may be opened only after a real one, so that it is only noted."""


def deliver(context: BrowserContext, page: Page, message: dict[str, Any]) -> None:
    """Have the browser get a message, as from its push service."""
    session = context.new_cdp_session(page)
    found: list[str] = []
    session.on(
        "ServiceWorker.workerRegistrationUpdated",
        lambda event: found.extend(one["registrationId"] for one in event["registrations"]),
    )
    session.send("ServiceWorker.enable")
    page.wait_for_function("navigator.serviceWorker.ready.then(() => true)")
    until(lambda: page.evaluate("1") and bool(found))
    origin = re.sub(r"(https?://[^/]+).*", r"\1/", page.url)
    words = {"origin": origin, "registrationId": found[0], "data": json.dumps(message)}
    session.send("ServiceWorker.deliverPushMessage", words)


def test_a_device_is_switched_on_in_the_settings_and_shows_what_it_is_told(
    browser: Browser, served: Served, service: PushService
) -> None:
    name = make(served)
    with visiting(browser, served) as visitor:
        visitor.context.grant_permissions(["notifications"], origin=served.url)
        visitor.context.add_init_script(f"({FAKE})({json.dumps(service.subscribe('phone'))})")
        page = visitor.page("/settings")
        page.get_by_label("Tell this device").check()
        expect(page.locator("#push-told")).to_have_text("This device is told.")
        assert axe(page) == []
        page.reload()
        expect(page.get_by_label("Tell this device")).to_be_checked()
        session = visitor.page(f"/sessions/{name}")
        expect(session.get_by_role("log")).to_contain_text("hello")
        in_state(served, name, "waiting", question=QUESTION)
        expect(session.get_by_role("region", name="The agent asks")).to_be_visible()
        time.sleep(1)
        assert service.messages == []  # the device shows the session
        in_state(served, name, "working")
        expect(session.get_by_role("region", name="The agent asks")).to_have_count(0)
        session.goto(served.url + "/new")
        until(lambda: not any(served.parts.presence._shown.values()))
        in_state(served, name, "waiting", question=QUESTION | {"id": "q2"})
        until(lambda: len(service.messages) == 1)
        deliver(visitor.context, page, service.messages[0][1])
        shown = "navigator.serviceWorker.ready.then(one => one.getNotifications())"
        told = f"{shown}.then(all => all.map(one => [one.title, one.body, one.data.url]))"
        expected = [["Fix login waits for you", "Bash: make", f"/sessions/{name}"]]
        until(lambda: page.evaluate(told) == expected)
        worker = visitor.context.service_workers[0]
        worker.evaluate(CLICKED)
        until(lambda: worker.evaluate("self.opened") == f"{served.url}/sessions/{name}")
        page.goto(served.url + "/settings")
        page.get_by_label("Tell this device").uncheck()
        expect(page.locator("#push-told")).to_have_text("This device is not told.")


def test_the_page_can_be_installed(browser: Browser, served: Served) -> None:
    with visiting(browser, served) as visitor:
        page = visitor.page()
        found = visitor.context.new_cdp_session(page).send("Page.getInstallabilityErrors")
        problems = [one["errorId"] for one in found["installabilityErrors"]]
        assert not set(problems) - {"in-incognito"}
        manifest = page.request.get(served.url + "/manifest.webmanifest")
        assert manifest.headers["content-type"] == "application/manifest+json"
        for icon in manifest.json()["icons"]:
            assert page.request.get(served.url + icon["src"]).status == 200
