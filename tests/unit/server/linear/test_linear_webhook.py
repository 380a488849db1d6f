"""The webhook: what is Linear's is taken once and answered at once; all else is refused."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from agent_session.server.linear.signature import LARGEST
from tests.fakes.linear import APP_USER, PERSON, Linear
from tests.unit.server.agent import until
from tests.unit.server.linear.conftest import Bridge, Bridged

EVENT = {"type": "AppUserNotification", "action": "issueNewComment", "organizationId": "org-1"}


def post(bridge: Bridge, content: bytes, headers: dict[str, str]) -> httpx2.Response:
    with bridge.served.client() as client:
        return client.post("/webhooks/linear-agent", content=content, headers=headers)


def test_a_signed_webhook_is_taken(bridge: Bridge) -> None:
    answer = post(bridge, *bridge.linear.signed(EVENT, "d1", "AppUserNotification"))
    assert (answer.status_code, answer.json()) == (200, {"received": True})


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"Linear-Signature": "0" * 64}, "Invalid signature"),
        ({"Linear-Signature": "ü".encode().hex()}, "Invalid signature"),
        ({"Linear-Signature": ""}, "Missing signature"),
    ],
)
def test_a_forged_webhook_is_refused(bridge: Bridge, change: dict[str, str], error: str) -> None:
    content, headers = bridge.linear.signed(EVENT, "d1", "AppUserNotification")
    answer = post(bridge, content, headers | change)
    assert (answer.status_code, answer.json()) == (401, {"error": error})


def test_a_webhook_that_was_changed_on_the_way_is_refused(bridge: Bridge) -> None:
    content, headers = bridge.linear.signed(EVENT, "d1", "AppUserNotification")
    assert post(bridge, content.replace(b"org-1", b"org-2"), headers).status_code == 401
    assert post(bridge, content[:-10], headers).status_code == 401


def test_the_signature_is_over_the_bytes_that_were_sent(bridge: Bridge) -> None:
    content, headers = bridge.linear.signed(EVENT, "d1", "AppUserNotification")
    assert post(bridge, content.replace(b": ", b":"), headers).status_code == 401


@pytest.mark.parametrize("seconds", [-61, 90, -86400])
def test_a_stale_webhook_is_refused_whatever_its_header_says(bridge: Bridge, seconds: int) -> None:
    sent = bridge.linear.now() + timedelta(seconds=seconds)
    content, headers = bridge.linear.signed(EVENT, "d1", "AppUserNotification", sent=sent)
    now = str(int(time.time() * 1000))
    answer = post(bridge, content, headers | {"linear-timestamp": now})
    assert (answer.status_code, answer.json()) == (401, {"error": "Stale timestamp"})


@pytest.mark.parametrize("stamp", [None, "now", True, [], float("nan"), 1e300])
def test_a_webhook_needs_its_own_time(bridge: Bridge, stamp: Any) -> None:
    import hashlib
    import hmac
    import json

    content = json.dumps(EVENT | {"webhookTimestamp": stamp}).encode()
    signature = hmac.new(bridge.linear.secret.encode(), content, hashlib.sha256).hexdigest()
    assert post(bridge, content, {"Linear-Signature": signature}).status_code == 401


def test_both_secrets_hold_while_one_takes_the_others_place(bridged: Bridged) -> None:
    bridge = bridged(linear_webhook_secret="a-new-secret-of-linear,lin_wh_test_secret_of_the_fake")
    for secret in ("a-new-secret-of-linear", bridge.linear.secret):
        content, headers = bridge.linear.signed(EVENT, secret, "AppUserNotification", secret=secret)
        assert post(bridge, content, headers).status_code == 200


def test_an_oversized_webhook_is_refused(bridge: Bridge) -> None:
    content, headers = bridge.linear.signed(EVENT | {"x": "x" * LARGEST}, "d1", "AppUserNotification")
    answer = post(bridge, content, headers)
    assert (answer.status_code, answer.json()) == (413, {"error": "Payload too large"})


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"\xff"])
def test_half_a_webhook_is_refused(bridge: Bridge, body: bytes) -> None:
    import hashlib
    import hmac

    signature = hmac.new(bridge.linear.secret.encode(), body, hashlib.sha256).hexdigest()
    assert post(bridge, body, {"Linear-Signature": signature}).status_code == 400


@pytest.mark.parametrize("lacking", ["agentSession", "organizationId", "agentActivity", "appUserId"])
def test_a_webhook_that_lacks_something_breaks_nothing(bridge: Bridge, lacking: str) -> None:
    session = bridge.linear.mention()
    bridge.answered(session)
    for action in ("created", "prompted"):
        body: dict[str, Any] = {
            "type": "AgentSessionEvent", "action": action, "organizationId": "org-1", "appUserId": APP_USER,
            "agentSession": bridge.linear.told(session, PERSON) | {"id": f"other-{lacking}"},
            "agentActivity": {"id": "a1", "user": PERSON, "content": {"type": "prompt", "body": "x"}},
        }  # fmt: skip
        body.pop(lacking)
        content, headers = bridge.linear.signed(body, f"{action}-{lacking}", "AgentSessionEvent")
        assert post(bridge, content, headers).status_code == 200


def test_only_posts_are_taken(bridge: Bridge) -> None:
    with bridge.served.client() as client:
        assert client.get("/webhooks/linear-agent").status_code == 405


def test_without_linear_there_is_no_webhook(served: Any) -> None:
    with served.client() as client:
        refused = client.post("/webhooks/linear-agent", content=b"{}")
    assert (refused.status_code, refused.json()["code"]) == (404, "linear-not-set-up")


def test_a_replayed_webhook_is_done_once_even_by_the_next_server(bridged: Bridged) -> None:
    bridge = bridged()
    session = bridge.linear.mention()
    bridge.answered(session)
    delivery = bridge.linear.deliveries[0]
    assert bridge.linear.send(delivery) == 200
    other = bridged(state="state2", database_url=f"sqlite+aiosqlite:///{bridge.served.settings.server_state}"
                    "/database.sqlite3")  # fmt: skip
    assert other.linear.send(delivery) == 200
    delivery.id = "another-delivery-of-the-same"
    assert other.linear.send(delivery) == 200
    other.settled()
    assert len(bridge.agent.prompts) == 1
    assert other.statistics()["total"] == 1


def test_a_message_that_comes_before_its_session_is_not_lost(bridge: Bridge) -> None:
    linear = bridge.linear
    webhook, linear.webhook = linear.webhook, "http://127.0.0.1:9/"
    session = linear.mention("help me with the first thing")
    linear.webhook = webhook
    linear.prompt(session, "the second thing")
    bridge.answered(session)
    linear.move(minutes=2)
    bridge.answered(session, times=2)
    assert "the second thing" in bridge.agent.prompts[0]
    assert "the first thing" in bridge.agent.prompts[1]
    assert linear.deliveries[0].answers == [0, 200]


def test_a_hundred_webhooks_in_a_second_are_all_answered_and_done(bridge: Bridge) -> None:
    linear = bridge.linear
    issues = [linear.issue(f"ENG-{number}") for number in range(100)]
    took: list[float] = []

    def mention(issue: dict[str, Any]) -> None:
        begun = time.monotonic()
        linear.mention(issue=issue)
        took.append(time.monotonic() - begun)

    with ThreadPoolExecutor(10) as many:
        list(many.map(mention, issues))
    assert [one.answers for one in linear.deliveries] == [[200]] * 100
    assert statistics.median(took) < 1
    until(lambda: bridge.statistics()["total"] == 60 and bridge.statistics()["active"] == 0, 120)
    sessions = linear.sessions.values()
    until(lambda: sum("an hour" in "".join(one.said("response")) for one in sessions) == 40, 120)


def test_what_we_wrote_ourselves_is_passed_over(bridged: Bridged) -> None:
    bridge = bridged(linear_comments=True)
    issue = bridge.linear.issue()
    until(lambda: bool(bridge.linear.requests))
    until(lambda: bridge.linear.comment("x", issue=issue).answers == [200])
    bridge.linear.comment("@opencodeagent help me", issue=issue, by={"id": APP_USER, "name": "Agent"})
    bridge.linear.comment("@opencodeagent help me", issue=issue, botActor={"id": "b"})
    assert bridge.statistics()["total"] == 0


def test_other_events_are_taken_and_nothing_is_done(bridge: Bridge, fake_linear: Linear) -> None:
    for kind, action in [("AppUserNotification", "issueMention"), ("Project", "update"), ("X", "y")]:
        assert fake_linear.tell(kind, action).answers == [200]
    assert bridge.statistics()["total"] == 0
