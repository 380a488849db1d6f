"""Settings of the server: where they come from, and what is refused because strangers could get in."""

from typing import Any

import pytest

from agent_session.errors import ConfigurationError
from agent_session.server import settings
from agent_session.server.errors import Unsafe


@pytest.mark.parametrize(
    "chosen",
    [
        {"host": "0.0.0.0"},
        {"host": "::"},
        {"host": "192.168.1.5"},
        {"host": "example.org"},
        {"host": "0.0.0.0", "behind_proxy": True},
        {"host": "0.0.0.0", "behind_proxy": True, "public_url": "http://example.org"},
        {"behind_proxy": True, "public_url": "http://example.org"},
    ],
)
def test_what_strangers_could_read_is_refused(home: Any, chosen: dict[str, Any]) -> None:  # noqa: ARG001
    with pytest.raises(Unsafe) as refused:
        settings.read(**chosen)
    assert refused.value.hints


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"host": "127.0.0.2"},
        {"host": "::1"},
        {"host": "localhost"},
        {"host": "0.0.0.0", "behind_proxy": True, "public_url": "https://example.org"},
        {"host": "0.0.0.0", "tls_cert": "/c.pem", "tls_key": "/k.pem"},
    ],
)
def test_what_is_safe_is_taken(chosen: dict[str, Any]) -> None:
    settings.read(**chosen)


@pytest.mark.parametrize(
    ("chosen", "named"),
    [
        ({"port": "x"}, "AGENT_SESSION_PORT"),
        ({"port": "70000"}, "AGENT_SESSION_PORT"),
        ({"tls_cert": "/c.pem"}, "--tls-key"),
        ({"database_url": "mysql://x"}, "AGENT_SESSION_DATABASE_URL"),
    ],
)
def test_what_is_wrong_is_named(chosen: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        settings.read(**chosen)


def test_a_flag_beats_a_variable_and_an_empty_one_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENT_SESSION_PORT", "8123")
    monkeypatch.setenv("AGENT_SESSION_HOST", "")
    assert (settings.read().port, settings.read().host) == (8123, "127.0.0.1")
    assert settings.read(port="8124").port == 8124


def test_its_names_are_those_by_which_it_is_called() -> None:
    found = settings.read(
        host="0.0.0.0", behind_proxy=True, public_url="https://a.example:8443/x", allowed_hosts="b.example, C"
    )
    assert found.names() == {"localhost", "127.0.0.1", "::1", "a.example", "b.example", "c"}
