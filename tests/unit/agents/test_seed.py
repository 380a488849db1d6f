"""What crosses over into a session: variables and private copies of files,
and nothing of the host is changed.
"""

import io
import json
import os
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from agent_session.agents import seed
from agent_session.agents.catalog import Agent, HostFile, Login

AGENT = Agent(
    name="stub",
    title="Stub",
    folder=Path("/agents/stub"),
    environment=("STUB_KEY", "STUB_URL"),
    files=(HostFile(source="~/.stub.json", target="stub.json", title="Stub credentials"),),
    credentials=("STUB_KEY", "stub.json"),
    hint="stub login",
)


def content(gathered: seed.Seed) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(gathered.archive)) as tar:
        opened = {member.name: tar.extractfile(member) for member in tar if member.isreg()}
        return {name: file.read() for name, file in opened.items() if file}


def sourced(gathered: seed.Seed, name: str) -> bytes:
    """The variable's value after a shell has sourced the seed's environment."""
    script = content(gathered)["environment"] + b'\nprintf %s "$' + name.encode() + b'"'
    return subprocess.run(["sh", "-s"], input=script, capture_output=True, check=True, env={}).stdout


def test_variables_that_are_set_cross_over_and_no_others() -> None:
    gathered = seed.gather(
        AGENT, {"STUB_KEY": "k", "STUB_URL": "", "OTHER": "secret"}, timezone="Europe/Berlin"
    )
    assert content(gathered)["environment"].splitlines() == [b"export TZ=Europe/Berlin", b"export STUB_KEY=k"]


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "two words",
        "it's",
        'say "x"',
        "$HOME",
        "`id`",
        "$(id)",
        "a\nb\n\nc",
        "back\\slash",
        "'; exit 1; '",
        "größe",
        "a\tb",
        "!x",
        "\\n",
        "~",
    ],
)
def test_a_shell_reads_back_exactly_what_the_host_had(value: str) -> None:
    gathered = seed.gather(AGENT, {"STUB_KEY": value}, timezone="UTC")
    assert sourced(gathered, "STUB_KEY") == value.encode()


def test_a_value_that_is_not_utf_8_crosses_over_byte_by_byte() -> None:
    gathered = seed.gather(AGENT, {"STUB_KEY": os.fsdecode(b"caf\xe9")}, timezone="UTC")
    assert sourced(gathered, "STUB_KEY") == b"caf\xe9"


def test_a_file_crosses_over_as_a_private_copy_of_any_bytes(home: Path) -> None:
    (home / ".stub.json").write_bytes(bytes(range(256)))
    gathered = seed.gather(AGENT, {}, timezone="UTC")
    assert content(gathered)["files/stub.json"] == bytes(range(256))
    assert gathered.notes == ()
    with tarfile.open(fileobj=io.BytesIO(gathered.archive)) as tar:
        assert {member.mode for member in tar} == {0o600}


def test_a_link_to_a_file_stands_for_the_file(home: Path) -> None:
    (home / "real").write_text("{}")
    (home / ".stub.json").symlink_to(home / "real")
    assert content(seed.gather(AGENT, {}, timezone="UTC"))["files/stub.json"] == b"{}"


def test_a_missing_file_is_left_out_without_a_word() -> None:
    gathered = seed.gather(AGENT, {}, timezone="UTC")
    assert set(content(gathered)) == {"environment"}
    assert gathered.notes == ()


def test_a_directory_in_place_of_a_file_is_left_out_and_said(home: Path) -> None:
    (home / ".stub.json").mkdir()
    gathered = seed.gather(AGENT, {}, timezone="UTC")
    assert set(content(gathered)) == {"environment"}
    assert gathered.notes == ("~/.stub.json was left out: it is not a regular file",)


def test_a_pipe_in_place_of_a_file_does_not_hang(home: Path) -> None:
    os.mkfifo(home / ".stub.json")
    assert seed.gather(AGENT, {}, timezone="UTC").notes == (
        "~/.stub.json was left out: it is not a regular file",
    )


def test_a_file_that_is_too_large_is_left_out_and_said(home: Path) -> None:
    with (home / ".stub.json").open("wb") as file:
        file.truncate(seed.LARGEST + 1)
    (note,) = seed.gather(AGENT, {}, timezone="UTC").notes
    assert note.startswith("~/.stub.json was left out: it has more than 10485760 bytes")


def test_a_file_that_may_not_be_read_is_left_out_and_said(ordinary_folder: Path) -> None:
    (ordinary_folder / "locked").touch(mode=0o000)
    agent = replace(
        AGENT, files=(HostFile(source=str(ordinary_folder / "locked"), target="stub.json", title="x"),)
    )
    assert seed.gather(agent, {}, timezone="UTC").notes == (
        f"{ordinary_folder}/locked was left out: Permission denied",
    )


def test_a_file_in_a_directory_that_may_not_be_entered_counts_as_not_found(ordinary_folder: Path) -> None:
    (ordinary_folder / "locked").mkdir()
    (ordinary_folder / "locked" / "key").touch()
    (ordinary_folder / "locked").chmod(0)
    agent = replace(
        AGENT,
        files=(HostFile(source=str(ordinary_folder / "locked" / "key"), target="stub.json", title="x"),),
    )
    assert [c.found for c in seed.credentials(agent, {})] == [False, False]


def test_a_file_in_nobodys_home_is_left_out_and_said() -> None:
    agent = replace(AGENT, files=(HostFile(source="~nobody-of-that-name/x", target="stub.json", title="x"),))
    (note,) = seed.gather(agent, {}, timezone="UTC").notes
    assert note.startswith("~nobody-of-that-name/x was left out: ")
    assert [c.found for c in seed.credentials(agent, {})] == [False, False]


def test_gathering_changes_nothing_of_the_hosts(home: Path) -> None:
    file = home / ".stub.json"
    file.write_text("{}")
    file.chmod(0o640)
    before = [
        (path, path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(home.rglob("*"))
    ]
    seed.gather(AGENT, {"STUB_KEY": "k"}, timezone="UTC")
    assert [
        (path, path.stat().st_mode, path.stat().st_mtime_ns, path.stat().st_ino)
        for path in sorted(home.rglob("*"))
    ] == before


def test_any_one_credential_is_a_login(home: Path) -> None:
    assert seed.login_note(AGENT, {"STUB_KEY": "k"}) is None
    (home / ".stub.json").write_text("{}")
    assert seed.login_note(AGENT, {}) is None


def test_no_credential_is_said_in_one_line_with_the_way_to_one() -> None:
    assert seed.login_note(AGENT, {"STUB_KEY": ""}) == "no login for Stub: stub login"
    login = Login(command=("stub", "login"), variable="STUB_KEY")
    assert (
        seed.login_note(replace(AGENT, hint="", login=login), {})
        == "no login for Stub: agent-session login stub"
    )
    assert seed.login_note(replace(AGENT, hint=""), {}) == "no login for Stub: STUB_KEY, ~/.stub.json"


@pytest.mark.parametrize(
    "value",
    [
        "your-anthropic-api-key-here",
        "YOUR_API_KEY",
        "YOUR-KEY",
        "yourApiKey",
        "<your key>",
        "<key>",
        "sk-ant-...",
        "sk-ant-api03-xxxxxxxx",
        "sk-\N{HORIZONTAL ELLIPSIS}",
        "${ANTHROPIC_API_KEY}",
        "an-api-key-here",
        "changeme",
        " ",
    ],
)
def test_what_guides_write_for_a_key_is_no_login(home: Path, value: str) -> None:
    assert seed.login_note(AGENT, {"STUB_KEY": value})
    assert (
        "STUB_KEY"
        not in content(seed.gather(AGENT, {"STUB_KEY": value}, timezone="UTC"))["environment"].decode()
    )
    (home / ".stub.json").write_text(json.dumps({"key": value}))
    file = HostFile(source="~/.stub.json", target="stub.json", title="Stub", login_keys=("key",))
    assert seed.login_note(replace(AGENT, files=(file,), credentials=("stub.json",)), {})


@pytest.mark.parametrize(
    "value",
    [
        "k",
        "sk-ant-api03-" + "k" * 60,
        "sk-ant-oat01-AbyourX_y-where",
        "0123abcd",
        "sk-proj-xXx1",
        "AKIAIOSFODNN7",
    ],
)
def test_a_key_is_a_login_whatever_is_in_it(value: str) -> None:
    assert seed.login_note(AGENT, {"STUB_KEY": value}) is None
    assert value in content(seed.gather(AGENT, {"STUB_KEY": value}, timezone="UTC"))["environment"].decode()


def test_what_is_no_text_is_no_key(home: Path) -> None:
    (home / ".stub.json").write_text('{"key": 5}')
    file = HostFile(source="~/.stub.json", target="stub.json", title="Stub", login_keys=("key",))
    assert seed.login_note(replace(AGENT, files=(file,), credentials=("stub.json",)), {})


def test_an_agent_that_needs_no_login_misses_none() -> None:
    assert seed.login_note(replace(AGENT, credentials=()), {}) is None


def test_an_empty_seed_is_a_tar() -> None:
    assert content(seed.EMPTY) == {}
