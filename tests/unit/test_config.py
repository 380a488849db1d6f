"""Choices: defaults < file < environment < flags."""

import shlex
from pathlib import Path

import pytest

from agent_session.config import Config, read_config
from agent_session.errors import ConfigurationError
from agent_session.images.base_image import DEFAULT_BASE_IMAGE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.yaml"


def test_without_any_choice_the_defaults_hold(file: Path) -> None:
    config = read_config({}, file)
    assert config == Config()
    assert (config.agent, config.build, config.detach, config.base_image) == (
        None,
        None,
        False,
        DEFAULT_BASE_IMAGE,
    )


def test_a_file_beats_the_defaults(file: Path) -> None:
    file.write_text("agent: opencode\nprojects: [~/a, ~/b]\ndetach: true\nbuild: false\n")
    config = read_config({}, file)
    assert (config.agent, config.projects, config.detach, config.build) == (
        "opencode",
        ("~/a", "~/b"),
        True,
        False,
    )


def test_the_environment_beats_the_file(file: Path) -> None:
    file.write_text("agent: opencode\nname: filed\n")
    config = read_config({"AGENT_SESSION_AGENT": "shell"}, file)
    assert (config.agent, config.name) == ("shell", "filed")


def test_flags_beat_the_environment_and_absent_ones_do_not(file: Path) -> None:
    config = read_config(
        {"AGENT_SESSION_AGENT": "shell", "AGENT_SESSION_NAME": "env", "AGENT_SESSION_DETACH": "1"}, file
    )
    flagged = config.with_flags(agent="claude", name=None, detach=False)
    assert (flagged.agent, flagged.name, flagged.detach) == ("claude", "env", False)


def test_what_somebody_insisted_on_is_told_from_what_the_file_says(file: Path) -> None:
    file.write_text("agent: opencode\n")
    config = read_config({"AGENT_SESSION_PROJECTS": "/a"}, file)
    assert config.insisted == {"projects"}
    assert config.with_flags(agent="shell", name=None).insisted == {"projects", "agent"}


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("AGENT", "shell", "agent", "shell"),
        ("NAME", "x", "name", "x"),
        ("PROJECTS", "/a:/b c", "projects", ("/a", "/b c")),
        ("DETACH", "1", "detach", True),
        ("DETACH", "0", "detach", False),
        ("BUILD", "1", "build", True),
        ("BUILD", "0", "build", False),
        ("FORCE", "1", "force", True),
        ("MOUNTS", "/a::/b:", "mounts", ("/a", "/b")),
        ("KOB", "/kob", "kob", "/kob"),
        ("DETACH_KEY", "ctrl-]", "detach_key", "Ctrl ]"),
        ("BASE_IMAGE", "debian:x", "base_image", "debian:x"),
        ("NOTIFY_URL", "https://ntfy.example/x", "notify_url", "https://ntfy.example/x"),
        ("ALLOW_SECRET_DIRECTORIES", "1", "allow_secret_directories", True),
    ],
)
def test_every_choice_has_a_variable(
    file: Path, variable: str, value: str, field: str, expected: object
) -> None:
    assert getattr(read_config({f"AGENT_SESSION_{variable}": value}, file), field) == expected


def test_an_empty_variable_is_no_choice(file: Path) -> None:
    names = ("AGENT", "NAME", "PROJECTS", "DETACH", "BUILD", "FORCE", "MOUNTS", "KOB", "CONFIG", "BASE_IMAGE")
    assert read_config({f"AGENT_SESSION_{name}": "" for name in names}, file) == Config()


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        *((word, True) for word in ("1", "true", "Yes", "ON", " 1")),
        *((word, False) for word in ("0", "False", "no", "Off")),
    ],
)
def test_a_switch_may_say_what_people_write(file: Path, value: str, meant: bool) -> None:
    for name in ("DETACH", "QUIET", "BUILD", "USER_CONFIG"):
        assert getattr(read_config({f"AGENT_SESSION_{name}": value}, file), name.lower()) is meant


@pytest.mark.parametrize("value", ["2", "y", "enabled", "-", "10"])
def test_a_switch_that_is_neither_on_nor_off_is_refused_by_its_name(file: Path, value: str) -> None:
    with pytest.raises(ConfigurationError, match="AGENT_SESSION_DETACH: must be 1 or 0"):
        read_config({"AGENT_SESSION_DETACH": value}, file)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("agnet: shell\n", "unknown key 'agnet'; did you mean 'agent'?"),
        ("Detach-Key: F12\n", "did you mean 'detach_key'?"),
        ("zzz: 1\n", "unknown key 'zzz'; known are: agent"),
        ("detach_key: q\n", "'q' is typed into the agent: a key needs Ctrl or Alt"),
        ("insisted: []\n", "unknown key"),
        ("agent: [shell]\n", "agent must be a text"),
        ("agent: 3\n", "agent must be a text"),
        ("detach: 1\n", "detach must be true or false"),
        ("projects: ~/a\n", "projects must be a list"),
        ("mounts: [1]\n", "mounts must be a list"),
        ("- agent\n", "must be a mapping"),
        ("agent: {\n", "is not YAML: line 2, column 1: "),
        ("agent: a: b\n", "is not YAML: line 1, column 9: mapping values are not allowed"),
        ("agent: 'x\n", "is not YAML: line "),
    ],
)
def test_a_file_that_cannot_be_followed_is_refused_in_one_line(file: Path, text: str, reason: str) -> None:
    file.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        read_config({}, file)
    assert caught.value.message.startswith(f"{file}: ")
    assert reason in caught.value.message
    assert "\n" not in caught.value.message
    assert "unicode string" not in caught.value.message
    assert caught.value.hint == f"$EDITOR {file}"


def test_the_hint_to_a_file_can_be_pasted_wherever_it_lies(tmp_path: Path) -> None:
    file = tmp_path / "your name" / "config.yaml"
    file.parent.mkdir()
    file.write_text("agnet: x\n")
    with pytest.raises(ConfigurationError) as caught:
        read_config({}, file)
    assert shlex.split(caught.value.hint) == ["$EDITOR", str(file)]


@pytest.mark.parametrize("text", ["", "# nothing\n", "agent:\nname: ~\n"])
def test_a_file_that_chooses_nothing_chooses_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert read_config({}, file) == Config()


def test_a_file_that_is_not_text_is_refused(file: Path) -> None:
    file.write_bytes(b"agent: \xff\n")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_config({}, file)


def test_a_file_that_is_a_directory_is_refused(file: Path) -> None:
    file.mkdir()
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_config({}, file)


def test_the_usual_file_need_not_exist_but_a_named_one_must(file: Path, home: Path) -> None:
    assert read_config({}, file) == Config()
    with pytest.raises(ConfigurationError, match=r"named\.yaml"):
        read_config({"AGENT_SESSION_CONFIG": str(home / "named.yaml")}, file)


def test_a_named_file_is_read_instead_of_the_usual_one(file: Path, home: Path) -> None:
    file.write_text("agent: usual\n")
    (home / "mine.yaml").write_text("agent: mine\n")
    assert read_config({"AGENT_SESSION_CONFIG": "~/mine.yaml"}, file).agent == "mine"


def test_a_named_file_in_nobodys_home_is_refused(file: Path) -> None:
    with pytest.raises(ConfigurationError):
        read_config({"AGENT_SESSION_CONFIG": "~nobody-of-that-name/config.yaml"}, file)
