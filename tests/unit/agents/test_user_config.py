"""What the user has user_config an agent is read within bounds,
and nothing that a link leads to elsewhere.
"""

import os
from pathlib import Path

import pytest

from agent_session.agents import user_config
from agent_session.agents.catalog import UserConfig
from agent_session.errors import ConfigurationError

ITEMS = (
    UserConfig(source="~/.stub/NOTES.md", target="NOTES.md"),
    UserConfig(source="~/.stub/skills", target="skills"),
)


@pytest.fixture
def stub(home: Path) -> Path:
    (home / ".stub" / "skills" / "one").mkdir(parents=True)
    return home / ".stub"


def names() -> list[str]:
    return [copy.name for copy in user_config.read(ITEMS).copies]


def test_files_and_directories_are_read_with_their_modes(stub: Path) -> None:
    (stub / "NOTES.md").write_text("notes")
    program = stub / "skills" / "one" / "run"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    found = user_config.read(ITEMS)
    assert [(c.name, c.content, c.executable) for c in found.copies] == [
        ("NOTES.md", b"notes", False),
        ("skills/one/run", b"#!/bin/sh\n", True),
    ]
    assert found.notes == ()


def test_nothing_there_is_nothing_to_copy(home: Path) -> None:  # noqa: ARG001
    assert user_config.read(ITEMS) == user_config.Reading()


def test_what_agent_yaml_names_may_be_a_link_and_a_link_inside_may_not_lead_out(
    stub: Path, home: Path
) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "notes").write_text("notes")
    (home / "secret").write_text("secret")
    (stub / "NOTES.md").symlink_to(home / "dotfiles" / "notes")
    (stub / "skills" / "real.md").write_text("real")
    (stub / "skills" / "same.md").symlink_to("real.md")
    (stub / "skills" / "secret.md").symlink_to(home / "secret")
    (stub / "skills" / "all").symlink_to(home)
    (stub / "skills" / "loop").symlink_to("loop")
    found = user_config.read(ITEMS)
    assert names() == ["NOTES.md", "skills/real.md", "skills/same.md"]
    assert "~/.stub/skills: 2 left out: a link that leads elsewhere: all, secret.md" in found.notes


def test_a_linked_skill_is_followed_one_level(stub: Path, home: Path) -> None:
    installed = home / "installed" / "review"
    (installed / "parts").mkdir(parents=True)
    (installed / "SKILL.md").write_text("review")
    (installed / "parts" / "a.md").write_text("a")
    (installed / "out").symlink_to(home)
    (stub / "skills" / "review").symlink_to(installed)
    (stub / "skills" / "one" / "deeper").symlink_to(installed)
    assert names() == ["skills/review/SKILL.md", "skills/review/parts/a.md"]
    assert user_config.read(ITEMS).notes == (
        "~/.stub/skills: 2 left out: a link that leads elsewhere: out, deeper",
    )


def test_imports_of_instructions_come_along_or_are_named(stub: Path, home: Path) -> None:
    (stub / "more").mkdir()
    (home / "elsewhere.md").write_text("elsewhere")
    (stub / ".secret").write_text("secret")
    (stub / "extra.md").write_text("see @more/deep.md and @NOTES.md")
    (stub / "more" / "deep.md").write_text("deep")
    (stub / "code.md").write_text("not imported")
    (stub / "NOTES.md").write_text(
        "# Rules\n@extra.md\n- @~/elsewhere.md, ask @nobody or me@host.org\n`@code.md`\n"
        "```\n@code.md\n```\n@./.secret\n"
    )
    items = (UserConfig(source="~/.stub/NOTES.md", target="NOTES.md", imports=True),)
    found = user_config.read(items)
    assert [copy.name for copy in found.copies] == ["NOTES.md", "extra.md", "more/deep.md"]
    assert found.notes == (
        "~/.stub/NOTES.md: 2 left out: an import from elsewhere: @~/elsewhere.md, @./.secret",
    )


def test_histories_and_dependencies_stay(stub: Path) -> None:
    for name in user_config.NEVER:
        (stub / "skills" / name).mkdir()
        (stub / "skills" / name / "file").touch()
    assert names() == []


def test_too_much_is_left_out_and_said(stub: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_config, "LARGEST_FILE", 10)
    monkeypatch.setattr(user_config, "MOST_FILES", 1)
    (stub / "NOTES.md").write_text("x" * 11)
    for name in "ab":
        (stub / "skills" / name).touch()
    os.mkfifo(stub / "skills" / "c")
    found = user_config.read(ITEMS)
    assert [copy.name for copy in found.copies] == ["skills/a"]
    assert found.notes == (
        "~/.stub/NOTES.md: 1 left out: it has more than 10 bytes: NOTES.md",
        "~/.stub/skills: 1 left out: too much altogether: b",
        "~/.stub/skills: 1 left out: it is not a regular file: c",
    )


RULES = (UserConfig(source="~/.stub/rules.json", target="rules.json", rules=True),)


@pytest.mark.parametrize("trouble", ["too large", "a pipe", "mode 000"])
def test_rules_that_cannot_be_read_are_refused_and_not_left_out(stub: Path, trouble: str) -> None:
    rules = stub / "rules.json"
    if trouble == "a pipe":
        os.mkfifo(rules)
    else:
        rules.write_bytes(b" " * (user_config.LARGEST_FILE + 1 if trouble == "too large" else 1))
    if trouble == "mode 000":
        rules.chmod(0)
        if os.access(rules, os.R_OK):
            pytest.skip("root reads every file")
    with pytest.raises(ConfigurationError) as caught:
        user_config.read(RULES)
    assert "what it forbids the agent would be allowed" in caught.value.message
    assert "ls -ld ~/.stub/rules.json" in caught.value.hint


def test_rules_that_are_not_there_are_none(stub: Path) -> None:
    assert user_config.read(RULES) == user_config.Reading()
    (stub / "rules.json").symlink_to("nowhere")
    assert user_config.read(RULES) == user_config.Reading()
