"""Logins that all sessions share: found on a recorded screen, checked, never quoted."""

from pathlib import Path

import pytest

from agent_session.agents import login
from agent_session.agents.catalog import Login
from agent_session.errors import UsageError

CLAUDE = Login(command=("claude", "setup-token"), variable="TOKEN", pattern=r"sk-ant-oat01-[A-Za-z0-9_-]+")
FILE = Login(
    command=("opencode", "auth", "login"), file=".local/share/opencode/auth.json", target="auth.json"
)
TOKEN = "sk-ant-oat01-" + "aB3_-" * 19
AROUND = (
    (
        "\x1b[2J\x1b[1;1H\x1b]0;Claude\x07 ✓ \x1b[32mLong-lived authentication token created\x1b[0m\r\n"
        "\r\nYour OAuth token (valid for 1 year):\r\n\r\n"
    ),
    (
        "\r\n\r\nStore this token securely. "
        "You won't be able to see it again.\r\n\r\nUse this token by setting: export TOKEN=<token>\r\n"
    ),
)


@pytest.mark.parametrize("width", [20, 40, 54, 80, 107, 108, 200])
@pytest.mark.parametrize("colour", ["", "\x1b[38;2;255;193;7m"])
@pytest.mark.parametrize("indent", ["", " "])
def test_the_token_is_found_at_every_width_of_the_terminal(width: int, colour: str, indent: str) -> None:
    lines = [f"{indent}{colour}{TOKEN[at : at + width]}\x1b[39m" for at in range(0, len(TOKEN), width)]
    assert login.token_in(AROUND[0] + "\r\n".join(lines) + AROUND[1], CLAUDE.pattern) == TOKEN


def test_the_last_token_counts() -> None:
    assert login.token_in(f"{TOKEN}x\r\n\r\n{TOKEN}\r\n", CLAUDE.pattern) == TOKEN


@pytest.mark.parametrize(
    "screen", ["", "Login failed\r\n", "sk-ant-oat01-", "https://claude.com/?token=sk-other"]
)
def test_where_no_token_is_none_is_found(screen: str) -> None:
    assert login.token_in(screen, CLAUDE.pattern) is None


def test_what_surrounds_a_token_is_no_part_of_it() -> None:
    assert login.check(CLAUDE, f"  {TOKEN}\n") == TOKEN
    assert login.check(FILE, '{"x": {"key": "k"}}\n') == '{"x": {"key": "k"}}'


@pytest.mark.parametrize(
    "text", ["", "\n", "sk-ant-api03-secret", f"{TOKEN} x", f"{TOKEN}\nsecret", "secret\x00", "x" * 500_000]
)
def test_what_cannot_be_a_token_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        login.check(CLAUDE, text)
    assert "secret" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("text", ["", "secret", "[]", '{"secret'])
def test_what_cannot_be_the_file_is_refused_and_not_quoted(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        login.check(FILE, text)
    assert "secret" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize(
    "typed",
    [
        b"\x03\x03",
        b"code\r\x03\x03more",
        b"\x1b[99;5u\x1b[99;5u",
        b"\x1b[99;5:1u\x1b[99;5:3u\x1b[99;5:1u\x1b[99;5:3u",
        b"\x1b[27;5;99~\x1b[27;5;99~",
        b"\x03\x1b[I\x03",
    ],
)
def test_ctrl_c_twice_cancels_however_the_terminal_sends_it(tmp_path: Path, typed: bytes) -> None:
    (tmp_path / "typed").write_bytes(b"Script started\n" + typed)
    assert login.is_cancelled(tmp_path)


@pytest.mark.parametrize("typed", [b"", b"\x03", b"\x03x\x03", b"ccc", b"\x1b[99;5:1u\x1b[99;5:3u"])
def test_less_than_that_cancels_nothing(tmp_path: Path, typed: bytes) -> None:
    assert not login.is_cancelled(tmp_path)
    (tmp_path / "typed").write_bytes(typed)
    assert not login.is_cancelled(tmp_path)
