"""Agents are folders; agent.yaml is read strictly."""

from pathlib import Path

import pytest

from agent_session.agents.agent_yaml import find_agent, read_agent, read_agents
from agent_session.agents.catalog import Agent, HostFile, choose
from agent_session.agents.errors import AgentNotFound
from agent_session.errors import ConfigurationError

REPOSITORY = Path(__file__).parents[3]
REAL = sorted([*REPOSITORY.glob("images/*/agent.yaml"), *REPOSITORY.glob("tests/images/*/agent.yaml")])

FULL = """
title: Stub
environment: [STUB_KEY, STUB_URL]
files:
  - source: ~/.stub.json
    target: stub.json
    title: Stub credentials
  - {source: ~/.stubrc, target: stubrc}
credentials: [STUB_KEY, stub.json]
hint: "stub login"
"""


def agent_yaml(folder: Path, text: str, name: str = "stub") -> Path:
    file = folder / name / "agent.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


def test_a_whole_agent_is_read(tmp_path: Path) -> None:
    file = agent_yaml(tmp_path, FULL)
    assert read_agent(file) == Agent(
        name="stub",
        title="Stub",
        folder=file.parent,
        environment=("STUB_KEY", "STUB_URL"),
        files=(
            HostFile(source="~/.stub.json", target="stub.json", title="Stub credentials"),
            HostFile(source="~/.stubrc", target="stubrc", title="stubrc"),
        ),
        credentials=("STUB_KEY", "stub.json"),
        hint="stub login",
    )


def test_an_empty_file_is_an_agent_called_like_its_folder(tmp_path: Path) -> None:
    file = agent_yaml(tmp_path, "")
    assert read_agent(file) == Agent(name="stub", title="stub", folder=file.parent)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("titel: X\n", "unknown key 'titel'"),
        ("server: {port: '4096'}\n", "server needs a port"),
        ("server: {port: true}\n", "server needs a port"),
        ("server: {port: 4096, password: x}\n", "server needs a port"),
        ("server: {port: 80}\n", "1024 to 65535"),
        ("1: X\n", "unknown key '1'"),
        ("title: 1\n", "title must be a text"),
        ("environment: KEY\n", "environment must be a list"),
        ("environment: [1]\n", "environment must be a list of texts"),
        ("environment: ['A B']\n", "'A B' cannot name a variable"),
        ("environment: ['X=$(reboot)']\n", "cannot name a variable"),
        ("files: {source: a, target: b}\n", "files must be a list"),
        ("files: 3\n", "files must be a list"),
        ("files: [~/.stub.json]\n", "each of files needs source and target"),
        ("files: [{source: ~/a}]\n", "each of files needs source and target"),
        ("files: [{source: ~/a, target: b, mode: 600}]\n", "each of files needs source and target"),
        ("files: [{source: ~/a, target: ../b}]\n", "target must be a plain file name"),
        ("files: [{source: ~/a, target: ..}]\n", "target must be a plain file name"),
        ("files: [{source: ~/a, target: ''}]\n", "target must be a plain file name"),
        ("credentials: [KEY]\n", "credentials names 'KEY'"),
        ("hint: [a]\n", "hint must be a text"),
        ("- title\n", "must be a mapping"),
        ("title: 'X\n", "is not YAML"),
    ],
)
def test_what_cannot_be_followed_is_refused_and_the_file_named(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = agent_yaml(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        read_agent(file)
    assert str(file) in caught.value.message
    assert reason in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["Upper", "a b", "-a", "ä"])
def test_a_folder_whose_name_no_image_could_carry_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name an agent"):
        read_agent(agent_yaml(tmp_path, "", name))


def test_agents_are_sorted_and_a_users_own_replaces_a_shipped_one(tmp_path: Path) -> None:
    agent_yaml(tmp_path / "shipped", "title: Shipped", "b")
    agent_yaml(tmp_path / "shipped", "title: Shipped", "a")
    agent_yaml(tmp_path / "own", "title: Own", "b")
    agents = read_agents([tmp_path / "shipped", tmp_path / "own", tmp_path / "missing"])
    assert [(agent.name, agent.title) for agent in agents.values()] == [("a", "Shipped"), ("b", "Own")]


def test_a_folder_without_agent_yaml_is_no_agent(tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "versions.yaml").touch()
    assert read_agents([tmp_path]) == {}


def test_an_unknown_agent_is_answered_with_those_there_are(tmp_path: Path) -> None:
    agent_yaml(tmp_path, "", "one")
    agent_yaml(tmp_path, "", "two")
    with pytest.raises(AgentNotFound, match="agent 'three' not found; there are: one, two"):
        choose(read_agents([tmp_path]), "three")


def test_there_are_agents_to_read() -> None:
    assert "shell" in {file.parent.name for file in REAL}


@pytest.mark.parametrize("file", REAL, ids=lambda file: file.parent.name)
def test_every_agent_of_the_repository_can_be_read_and_built(file: Path) -> None:
    agent = read_agent(file)
    assert agent.title != agent.name
    assert (file.parent / "Containerfile").is_file()
    assert not agent.credentials or agent.hint


def test_an_agent_found_alone_is_the_one_among_all(tmp_path: Path) -> None:
    shipped, own = tmp_path / "shipped", tmp_path / "own"
    for folder, name in ((shipped, "a"), (shipped, "b"), (own, "b")):
        (folder / name).mkdir(parents=True)
        (folder / name / "agent.yaml").write_text(f"title: {name} of {folder.name}\n")
    everywhere = (shipped, own, tmp_path / "absent")
    assert {name: find_agent(everywhere, name) for name in ("a", "b")} == read_agents(everywhere)
    assert find_agent(everywhere, "c") is None
    assert find_agent(everywhere, "../own/b") is None
