"""What was asked becomes what the engine is told."""

import json
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from agent_session.agents.catalog import Agent
from agent_session.engine.container import ContainerSpec, Mount
from agent_session.sessions import plan
from agent_session.sessions.errors import BadName
from agent_session.sessions.labels import session_labels
from agent_session.sessions.names import check_name, hostname
from agent_session.sessions.request import SessionRequest
from agent_session.workspace.projects import Project

AGENT = Agent(name="stub", title="Stub “Agent”", folder=Path("/agents/stub"), environment=("STUB_KEY",))
APP = Project(source=Path("/src/my app"), target=PurePosixPath("/workspace/my app"))
LIB = Project(source=Path("/src/größe"), target=PurePosixPath("/workspace/größe"))
REQUEST = SessionRequest(name="my.name", agent=AGENT, image="localhost/agent-session-stub:1", projects=(APP,))


def binds(spec: ContainerSpec) -> list[Mount]:
    return [mount for mount in spec.mounts if mount.kind == "bind"]


@pytest.mark.parametrize("name", ["a", "A", "9", "a_b.c-d", "x" * 63])
def test_a_good_name_names_a_session(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a b", "a/b", "../a", "ä", "a\n", "a:b", "x" * 64, "a\0"]
)
def test_a_bad_name_is_refused_with_the_rule(name: str) -> None:
    with pytest.raises(BadName, match=r"letters, digits, '_', '\.' and '-'"):
        check_name(name)


def test_the_container_is_called_after_the_session() -> None:
    assert plan.container_spec(REQUEST).name == "agent_my.name"


def test_one_project_is_where_the_agent_starts() -> None:
    assert plan.container_spec(REQUEST).workdir == APP.target


def test_several_projects_are_below_where_the_agent_starts() -> None:
    assert plan.container_spec(replace(REQUEST, projects=(APP, LIB))).workdir == PurePosixPath("/workspace")


def test_projects_are_mounted_read_write() -> None:
    assert binds(plan.container_spec(replace(REQUEST, projects=(APP, LIB)))) == [
        Mount(kind="bind", source="/src/my app", target=APP.target),
        Mount(kind="bind", source="/src/größe", target=LIB.target),
    ]


def test_the_home_is_a_volume_of_the_session_and_secrets_have_memory_only() -> None:
    mounts = plan.container_spec(REQUEST).mounts
    assert Mount(kind="volume", source="agent_my.name_home", target=PurePosixPath("/home/agent")) in mounts
    assert Mount(kind="tmpfs", target=PurePosixPath("/run/agent-session")) in mounts


def test_mounts_are_read_only_and_kob_is_not_both_at_their_own_path() -> None:
    spec = plan.container_spec(
        replace(REQUEST, mounts=(Path("/data/a"), Path("/data/b c")), kob=Path("/kob"))
    )
    assert binds(spec)[1:] == [
        Mount(kind="bind", source="/data/a", target=PurePosixPath("/data/a"), read_only=True),
        Mount(kind="bind", source="/data/b c", target=PurePosixPath("/data/b c"), read_only=True),
        Mount(kind="bind", source="/kob", target=PurePosixPath("/kob")),
    ]


def test_the_hosts_certificates_are_mounted_read_only_where_the_image_looks() -> None:
    spec = plan.container_spec(replace(REQUEST, ca_bundle=Path("/etc/pki/bundle.crt")))
    target = PurePosixPath("/etc/ssl/certs/ca-certificates.crt")
    assert binds(spec)[1:] == [
        Mount(kind="bind", source="/etc/pki/bundle.crt", target=target, read_only=True)
    ]


def test_labels_say_everything_that_ls_shows() -> None:
    labels = session_labels(replace(REQUEST, projects=(APP, LIB), mounts=(Path("/m"),), kob=Path("/k")))
    assert labels["agent-session.name"] == "my.name"
    assert labels["agent-session.agent"] == "stub"
    assert json.loads(labels["agent-session.projects"]) == [
        {"source": "/src/my app", "target": "/workspace/my app"},
        {"source": "/src/größe", "target": "/workspace/größe"},
    ]
    assert json.loads(labels["agent-session.mounts"]) == [
        {"path": "/m", "read_only": True},
        {"path": "/k", "read_only": False},
    ]


def test_no_secret_can_reach_the_specification(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "sk-secret")
    assert "sk-secret" not in repr(plan.container_spec(REQUEST))


def test_the_container_knows_its_session() -> None:
    environment = plan.container_spec(replace(REQUEST, projects=(APP, LIB))).environment
    assert environment["AGENT_SESSION_NAME"] == "my.name"
    assert environment["AGENT_SESSION_AGENT"] == "stub"
    assert environment["AGENT_SESSION_TITLE"] == "Stub “Agent”"
    assert json.loads(environment["AGENT_SESSION_PROJECTS"]) == ["/workspace/my app", "/workspace/größe"]


@pytest.mark.parametrize(
    ("name", "expected"), [("web", "web"), ("my.long_name", "my-long-name"), ("a-", "a"), ("9.", "9")]
)
def test_the_host_name_is_the_sessions_as_far_as_host_names_go(name: str, expected: str) -> None:
    assert hostname(name) == expected
    assert len(hostname("x" * 63)) <= 63
