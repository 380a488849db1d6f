"""The connection to Podman, without Podman: a closed one starts no service."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from agent_session.engine.podman import program, service
from agent_session.engine.podman.connection import Connection
from agent_session.engine.podman.service import Service
from agent_session.errors import EngineUnavailable


def test_what_an_interrupted_command_has_left_running_begins_no_service_any_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[Service] = []

    def connect(_environment: Mapping[str, str], *_: object) -> Service:
        begun.append(Service(url="unix:///run/nobody.sock"))
        return begun[-1]

    monkeypatch.setattr(service, "connect", connect)
    monkeypatch.setattr(program, "podman", lambda: "podman")
    connection = Connection({})
    with ThreadPoolExecutor(1) as left:
        left.submit(connection.open).result()
        connection.close()
        with pytest.raises(EngineUnavailable):
            left.submit(connection.open).result()
    with pytest.raises(EngineUnavailable):
        connection.open()
    assert len(begun) == 1
