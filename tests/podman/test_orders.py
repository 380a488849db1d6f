"""Verbs that need no knowledge of an agent: exec, cp, send, screen and logs,
on real sessions without a terminal.
"""

import json
import os
import subprocess
import tarfile
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.account import Account
from tests.storage import LAUNCHER, Storage
from tests.waiting import COMMAND_SECONDS, until

pytestmark = pytest.mark.podman
READER = """import os, tty
tty.setraw(0)
os.write(1, b"rea" + b"dy")
got = b""
while got.count(b"#") < 2:
    got += os.read(0, 65536)
open("/home/agent/got", "wb").write(got)
os.system("stty sane")
"""
FILL = """cd ~/.local/state/agent-session
for i in 1 2 3; do
    head -c 1100000 /dev/zero | tr '\\0' x >>events.jsonl
    echo >>events.jsonl
    session-event filled
done
du -sb ."""


@pytest.fixture(scope="module")
def orders(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """An account in which the shell session "default" runs on the project "app" for all tests of this
    file.
    """
    account = Account(storage.path, storage.driver)
    try:
        account.ok("start", "-d", "-a", "shell", cwd=account.project(README="hello"))
        yield account
    finally:
        account.close()


@pytest.fixture(scope="module")
def stopped(storage: Storage, shell: str) -> Iterator[Account]:  # noqa: ARG001
    """The same, and it is stopped."""
    account = Account(storage.path, storage.driver)
    try:
        account.ok("start", "-d", "-a", "shell", cwd=account.project(README="hello"))
        account.ok("stop")
        yield account
    finally:
        account.close()


@pytest.fixture(params=["running", "stopped"])
def either(request: pytest.FixtureRequest) -> Account:
    """Each in turn."""
    found: Account = request.getfixturevalue("orders" if request.param == "running" else "stopped")
    return found


def bytes_of(account: Account, *arguments: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [LAUNCHER, *arguments],
        cwd=account.home,
        env=account.environment,
        input=stdin,
        capture_output=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )


def clear(account: Account) -> None:
    account.ok("send", "default", "--key", "C-c")
    account.ok("send", "default", "--key", "C-u", "clear")


def on_screen(account: Account, *words: str) -> str:
    def shown() -> str:
        screen = account.ok("screen", "default")
        return screen if all(word in screen for word in words) else ""

    return until(shown, f"{words} on the screen", told=lambda: account.ok("screen", "default"))


# exec


def test_exec_passes_streams_byte_for_byte_and_the_status(orders: Account) -> None:
    everything = bytes(range(256)) * 40_000
    done = bytes_of(
        orders, "exec", "default", "--", "sh", "-c", "cat; echo to stderr >&2; exit 37", stdin=everything
    )
    assert (done.returncode, done.stderr) == (37, b"to stderr\n")
    assert done.stdout == everything


def test_exec_has_the_sessions_directory_and_environment(orders: Account) -> None:
    assert orders.ok(
        "exec",
        "default",
        "--",
        "sh",
        "-c",
        'pwd; echo $TZ $AGENT_SESSION_NAME; cat README; echo "$0" "$1"',
        "a b",
        "$HOME *",
    ).splitlines() == [
        "/workspace/app",
        "Europe/Vienna default",
        "helloa b $HOME *",
    ]


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (["no-such-program"], 127),
        (["/etc/passwd"], 126),
        (["sh", "-c", "kill -9 $$"], 137),
        (["sh", "-c", "kill $$"], 143),
    ],
)
def test_exec_tells_what_a_shell_would(orders: Account, command: list[str], status: int) -> None:
    assert orders.run("exec", "default", "--", *command).code == status


def test_exec_says_plainly_that_a_program_is_missing(orders: Account) -> None:
    missing = orders.run("exec", "default", "--", "no-such-program")
    assert missing.err.strip() == "agent-session: there is no program 'no-such-program' in this session"
    assert "can be run" in orders.run("exec", "default", "--", "/etc/passwd").err


def test_exec_needs_a_session_that_runs(orders: Account, stopped: Account) -> None:
    assert orders.run("exec", "no-such", "--", "true").code == 4
    done = stopped.run("exec", "default", "--", "true")
    assert (done.code, "agent-session restart default" in done.err) == (5, True)


# cp


def test_a_folder_goes_in_and_comes_out_as_it_was(either: Account, tmp_path: Path) -> None:
    here = tmp_path / "two words"
    (here / "größe 数" / "empty").mkdir(parents=True)
    (here / "größe 数" / "run me").write_bytes(b"#!/bin/sh\n")
    (here / "größe 数" / "run me").chmod(0o755)
    (here / "new\nline").write_bytes(os.urandom(300_000))
    (here / "link").symlink_to("größe 数/run me")
    name = f"tree-{tmp_path.name}"
    either.ok("cp", here, f"default:~/{name}")
    either.ok("cp", f"default:~/{name}", tmp_path / "back")
    back = tmp_path / "back"
    assert sorted(str(path.relative_to(back)) for path in back.rglob("*")) == sorted(
        str(path.relative_to(here)) for path in here.rglob("*")
    )
    assert (back / "new\nline").read_bytes() == (here / "new\nline").read_bytes()
    assert (back / "größe 数" / "run me").stat().st_mode == (here / "größe 数" / "run me").stat().st_mode
    assert (back / "größe 数" / "run me").stat().st_mtime == (here / "größe 数" / "run me").stat().st_mtime
    assert (back / "link").readlink() == Path("größe 数/run me")
    assert {path.lstat().st_uid for path in back.rglob("*")} == {os.getuid()}


def test_what_was_copied_in_belongs_to_the_agent(orders: Account, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    orders.ok("cp", tmp_path / "file", "default:/home/agent/mine")
    orders.ok("cp", tmp_path / "file", "default:in-project")
    assert (
        orders.inside("default", "stat", "-c", "%U", "/home/agent/mine", "/workspace/app/in-project")
        == "agent\nagent"
    )
    assert (orders.home / "projects/app/in-project").stat().st_uid == os.getuid()


def test_a_path_is_relative_to_where_the_agent_starts(either: Account, tmp_path: Path) -> None:
    either.ok("cp", "default:README", tmp_path / "copy")
    assert (tmp_path / "copy").read_text() == "hello"
    either.ok("cp", "default:.", tmp_path / "whole")
    assert (tmp_path / "whole" / "README").read_text() == "hello"


def test_a_colon_in_a_host_path_is_said_with_a_slash(orders: Account, tmp_path: Path) -> None:
    (tmp_path / "a:b").write_text("colon")
    assert orders.run("cp", "./a:b", "default:~/colon", cwd=tmp_path).code == 0
    assert orders.run("cp", "default:~/colon", "./c:d", cwd=tmp_path).code == 0
    assert (tmp_path / "c:d").read_text() == "colon"


def test_a_tar_goes_in_by_stdin_and_comes_out_by_stdout(either: Account, tmp_path: Path) -> None:
    out = bytes_of(either, "cp", "default:/workspace/app", "-")
    assert out.returncode == 0
    (tmp_path / "x.tar").write_bytes(out.stdout)
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert "./app/README" in tar.getnames()
    into = bytes_of(either, "cp", "-", "default:/home/agent", stdin=out.stdout)
    assert into.returncode == 0, into.stderr
    assert bytes_of(either, "cp", "default:~/app/README", "-").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["a", "b"], 2),
        (["default:a", "default:b"], 2),
        (["no-such:a", "b"], 4),
        (["default:~/nothing", "b"], 4),
        (["nothing", "default:b"], 4),
        (["default:README", "no/folder/"], 5),
    ],
)
def test_cp_says_what_is_wrong(either: Account, arguments: list[str], code: int) -> None:
    done = either.run("cp", *arguments)
    assert (done.code, done.out) == (code, "")
    assert "hint: " in done.err


def test_an_agent_cannot_lead_a_copy_out_of_where_it_belongs(orders: Account, tmp_path: Path) -> None:
    secret = tmp_path / "precious"
    secret.write_text("precious")
    evil = (
        "mkdir -p /home/agent/evil/sub; cd /home/agent/evil; ln -sfn /etc/passwd abs; "
        "ln -sfn ../../../x up; ln -sfn sub in; "
        "mkfifo -m 600 pipe; echo ok > sub/f"
    )
    orders.inside("default", "sh", "-c", evil)
    done = orders.run("cp", "default:~/evil", tmp_path / "got")
    assert (done.code, done.err.count("left out:")) == (0, 3)
    assert sorted(str(path.relative_to(tmp_path / "got")) for path in (tmp_path / "got").rglob("*")) == [
        "in",
        "sub",
        "sub/f",
    ]
    # A link on the host, in the project, that the agent made: neither written through nor walked through.
    project = orders.home / "projects" / "app"
    orders.inside("default", "ln", "-sfn", str(tmp_path), "trap")
    orders.inside("default", "ln", "-sfn", str(secret), "file-trap")
    assert orders.run("cp", "default:~/evil/sub/f", project / "trap" / "f").code == 5
    assert orders.run("cp", "default:~/evil/sub/f", f"{project}/trap/").code == 5
    orders.ok("cp", "default:~/evil/sub/f", project / "file-trap")
    assert secret.read_text() == "precious"
    assert not (tmp_path / "f").exists()


# send and screen


def test_text_is_typed_with_nobody_attached_and_seen(orders: Account) -> None:
    clear(orders)
    orders.ok("send", "default", "echo said-$((40 + 2))")
    assert "\x1b" not in on_screen(orders, "said-42")


def test_several_lines_are_one_paste(orders: Account) -> None:
    clear(orders)
    orders.ok("send", "default", "--no-enter", "echo one-$((1 + 0))\necho two-$((1 + 1))")
    assert "one-1" not in on_screen(orders, "echo two")
    orders.ok("send", "default", "--key", "Enter")
    on_screen(orders, "one-1", "two-2")


def test_keys_are_pressed_before_the_text(orders: Account) -> None:
    clear(orders)
    orders.ok("send", "default", "--no-enter", "forgotten")
    orders.ok("send", "default", "--key", "C-u", "--key", "C-l", "echo kept")
    assert "forgotten" not in on_screen(orders, "\nkept")


def test_control_characters_are_shown_and_not_obeyed(orders: Account) -> None:
    clear(orders)
    orders.ok("send", "default", "--no-enter", "echo \x1b]0;x\x07 \x03 \x04 \x9b31m end")
    assert "␛]0;x␇ ␃ ␄" in on_screen(orders, " end")


def test_a_megabyte_arrives_as_written_and_two_texts_are_never_mixed(orders: Account, tmp_path: Path) -> None:
    clear(orders)
    (tmp_path / "reader").write_text(READER)
    orders.ok("cp", tmp_path / "reader", "default:~/reader")
    orders.ok("send", "default", "python3 ~/reader")
    on_screen(orders, "ready")
    texts = [letter * 499_999 + "#" for letter in ("ö", "a")]
    senders = [
        threading.Thread(
            target=bytes_of,
            args=(orders, "send", "default", "--no-enter", "-"),
            kwargs={"stdin": text.encode()},
        )
        for text in texts
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    got = until(
        lambda: bytes_of(orders, "exec", "default", "--", "cat", "/home/agent/got").stdout.decode(),
        "the text",
    )
    assert got in {texts[0] + texts[1], texts[1] + texts[0]}


@pytest.mark.parametrize(("arguments", "code"), [(["--key", "Nonsense"], 2), ([], 2)])
def test_send_refuses_before_anything_is_typed(orders: Account, arguments: list[str], code: int) -> None:
    assert orders.run("send", "default", *arguments).code == code


def test_send_and_screen_need_a_session_that_runs(stopped: Account) -> None:
    assert stopped.run("send", "default", "x").code == 5
    assert stopped.run("screen", "default").code == 5


def test_scrollback_is_all_of_it(orders: Account) -> None:
    clear(orders)
    orders.ok("send", "default", "clear; seq 1000 1200; echo do''ne")
    assert "1001" not in on_screen(orders, "1200", "done")
    assert "\n1001\n" in orders.ok("screen", "default", "--scrollback")


def test_a_picture_has_colours_and_fetches_nothing(orders: Account, tmp_path: Path) -> None:
    clear(orders)
    orders.ok("send", "default", r"clear; printf '\033[38;2;1;102;203m<coloured>\033[0m\n'")
    on_screen(orders, "<coloured>")
    orders.ok("screen", "default", "--svg", tmp_path / "screen.svg")
    picture = (tmp_path / "screen.svg").read_text()
    ElementTree.fromstring(picture)
    assert "&lt;coloured&gt;" in picture
    assert "#0166cb" in picture.lower()
    assert "url(http" not in picture
    assert [path.name for path in tmp_path.iterdir()] == ["screen.svg"]


# logs


def told(account: Account, *arguments: str) -> list[str]:
    """What happened, but for the agent's states."""
    kinds = [
        json.loads(line)["event"] for line in account.ok("logs", "--json", *arguments, "default").splitlines()
    ]
    return [kind for kind in kinds if kind != "state"]


def test_logs_tell_what_happened_while_it_runs_and_after(stub_account: Account) -> None:
    account = stub_account
    account.ok("start", "-d", "-a", "stub", cwd=account.project())
    until(lambda: told(account) == ["start", "agent-start"], "a start", told=lambda: str(told(account)))
    account.ok("stop")
    first = told(account)
    assert first[:3] == ["start", "agent-start", "stop"]
    account.ok("restart", "-d")
    account.podman("kill", "--signal", "KILL", "agent_default")
    until(lambda: account.sessions() == {"default": "stopped"}, "the end")
    account.ok("restart", "-d")
    assert [kind for kind in told(account)[len(first) :] if kind != "agent-start"] == [
        "start",
        "killed",
        "start",
    ]
    assert told(account, "--since", "1h") == told(account)
    assert told(account, "--since", "2999-01-01T00:00:00Z") == []
    assert account.run("logs", "--since", "yesterday", "default").code == 2


def test_followed_logs_end_with_the_session(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    following = account.begin("logs", "-f", "default")
    assert following.stdout is not None
    assert following.stdout.readline().endswith("  session started\n")
    account.ok("exec", "default", "--", "session-event", "answered", '{"words": "two\nlines \\u001b[31m"}')
    assert any("answered: words two lines" in line for line in following.stdout)
    account.ok("stop")
    out, err = following.communicate(timeout=COMMAND_SECONDS)
    assert (following.returncode, out.splitlines()[-1].split("  ")[1], err) == (0, "session stopped", "")


def test_the_record_stays_small_and_a_forged_one_does_no_harm(orders: Account) -> None:
    assert int(orders.ok("exec", "default", "--", "bash", "-c", FILL).split()[-2]) < 3_500_000
    assert "filled" in told(orders)
    for forged in (
        "ln -sfn /etc/passwd",
        "rm -f ~/.local/state/agent-session/events.jsonl; mkfifo",
        "rm -f ~/.local/state/agent-session/events.jsonl; mkdir",
    ):
        orders.inside("default", "sh", "-c", f"{forged} ~/.local/state/agent-session/events.jsonl")
        assert "root" not in orders.ok("logs", "default")
