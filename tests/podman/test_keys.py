"""The keys of docs/keys.md, each sent by a terminal and read by a program in a session."""

import re

import pytest

from tests.account import Account
from tests.claude import start
from tests.keyboard import attached
from tests.opencode import READY, session_of
from tests.storage import REPOSITORY, Storage
from tests.waiting import until

READER = """
import os, sys, tty
tty.setraw(0)
os.write(1, sys.argv[1].encode().decode("unicode_escape").encode())
with open("/tmp/keys", "wb", buffering=0) as kept:
    os.rename("/tmp/starting", "/tmp/reading")
    while b"QUIT" not in (read := os.read(0, 1000)):
        kept.write(read)
os.write(1, b"\\x1b[<u")
"""
NEW_LINES = (b"\x1b[13;2u", b"\x1b\r", b"\x1b[106;5u", b"\n", b"\x1b[27;2;13~")
"""Shift Enter, Alt Enter and Ctrl j; the last is Shift Enter of a terminal that was set up so."""
ROW = re.compile(r"\| (.+?) \| `(.+?)` \| `(.+?)` \| `(.+?)` \|")


def written(text: str) -> bytes:
    """The bytes of `ESC [ A`, as the page writes them."""
    return b"".join(
        bytes([int(word, 16)]) if len(word) == 2 else b"\x1b" if word == "ESC" else word.encode()
        for word in text.split()
    )


def keys() -> list[tuple[str, bytes, bytes, bytes]]:
    rows = ROW.findall((REPOSITORY / "docs" / "keys.md").read_text())
    return [(name, *map(written, columns)) for name, *columns in rows]


def arrived(account: Account) -> list[bytes]:
    """What the reader has read between the bars."""
    got = account.podman("exec", "agent_k", "od", "-An", "-v", "-tx1", "-w100000", "/tmp/keys")
    return bytes.fromhex(got.replace(" ", "")).split(b"|")


@pytest.mark.parametrize(("asks", "column"), [("", 2), ("\\x1b[>1u", 3)], ids=["plain", "kitty"])
def test_each_key_arrives_as_the_page_says(account: Account, asks: str, column: int) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "k", cwd=account.project(reader__py=READER))
    account.ok("send", "k", f"touch /tmp/starting; python3 reader.py '{asks}'")
    until(
        lambda: account.podman_done("exec", "agent_k", "test", "-e", "/tmp/reading").code == 0, "the reader"
    )
    tells_apart = next(key for key in keys() if key[2] != key[3])
    with attached(account, "k") as keyboard:
        pressed = 0

        def keys_are_as_asked() -> bool:
            nonlocal pressed
            pressed += 1
            keyboard.press(tells_apart[1])
            keyboard.press(b"|", seconds=0.5)
            return tells_apart[column] in arrived(account)[:-1]

        until(keys_are_as_asked, "the protocol that was asked for")
        for _, sent, *_ in keys():
            keyboard.press(sent)
            keyboard.press(b"|", seconds=0.05)
        keyboard.press(b"QUIT")
    found = arrived(account)[pressed:]
    wrong = [
        (key[0], key[column], came) for key, came in zip(keys(), found, strict=False) if key[column] != came
    ]
    assert (wrong, len(found)) == ([], len(keys()) + 1)


def test_shift_enter_is_a_new_line_for_claude(account: Account, claude: str) -> None:  # noqa: ARG001
    session = start(account)
    with attached(account, "default") as keyboard:
        keyboard.take_in(4)
        for number, key in enumerate(NEW_LINES):
            keyboard.press(f"first{number}".encode())
            keyboard.press(key)
            keyboard.press(b"second", seconds=1)
            assert session.model.turns() == [], f"{key!r} sent it"
            keyboard.press(b"\x03", seconds=0.5)
        keyboard.press(b"whole\r", seconds=1)
    until(lambda: session.model.turns(), "a turn")
    assert session.prompts() == ["whole"]


@pytest.mark.usefixtures("opencode")
def test_shift_enter_is_a_new_line_for_opencode(storage: Storage) -> None:
    with session_of(storage) as (account, model):
        model.begin()
        until(lambda: account.state()["value"] == "idle", "OpenCode")
        model.shown(READY)
        with attached(account, "default") as keyboard:
            keyboard.take_in(4)
            for number, key in enumerate(NEW_LINES):
                keyboard.press(f"first{number}".encode())
                keyboard.press(key)
                keyboard.press(b"second", seconds=1)
                assert model.turns() == [], f"{key!r} sent it"
                keyboard.press(b"\x03", seconds=0.5)
            keyboard.press(b"whole\r", seconds=1)
        model.shown("echo: whole")
