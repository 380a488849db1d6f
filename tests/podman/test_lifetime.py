"""How long a session lives, and how it ends."""

import pytest

from tests.account import Account
from tests.waiting import until

pytestmark = pytest.mark.podman


def ready(account: Account, command: str, *, session: str = "default", file: str = "ready") -> None:
    """Run a command in the session that makes the file in the project when it is ready."""
    account.podman("exec", "--detach", f"agent_{session}", "sh", "-c", command)
    account.wait_for(account.project() / file)


def test_an_idle_session_stops_without_being_killed(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.ok("stop")
    assert account.sessions() == {"default": "stopped"}
    assert account.run("stop").code == 0, "stop is idempotent"
    assert account.inspect()["State"]["ExitCode"] == 0


def test_what_traps_sigterm_is_given_its_time(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    ready(account, 'trap "sleep 2; echo saved > saved; exit" TERM; touch ready; while :; do sleep 0.05; done')
    account.ok("stop")
    assert (account.project() / "saved").read_text() == "saved\n"


def test_what_never_ends_is_killed_when_its_ten_seconds_are_over(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    ready(account, 'trap "echo no" TERM; touch ready; while :; do sleep 0.05; done')
    account.ok("stop")
    assert account.sessions() == {"default": "stopped"}


def test_all_running_sessions_stop_at_the_same_time(account: Account) -> None:
    names, project = ("one", "two", "three"), account.project()
    for name in names:
        account.ok("start", "-d", "-a", "shell", "-n", name, cwd=project)
        trap = f"trap 'touch {name}-asked; sleep 3; touch {name}-ended; exit' TERM"
        command = f"{trap}; touch {name}-ready; while :; do sleep 0.05; done"
        ready(account, command, session=name, file=f"{name}-ready")
    account.ok("stop", "--all")
    asked, ended = (
        [(project / f"{name}-{what}").stat().st_mtime for name in names] for what in ("asked", "ended")
    )
    assert max(asked) < min(ended)
    assert account.sessions() == {"one": "stopped", "two": "stopped", "three": "stopped"}
    account.ok("rm", "-f", "one", "two", "three")
    assert account.sessions() == {}


def test_orphaned_processes_are_reaped(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.inside("default", "sh", "-c", "for i in 1 2 3; do (sleep 0.1234 &); done")
    until(
        lambda: "sleep 0.1234" not in account.inside("default", "ps", "-eo", "args"), "the end of all three"
    )
    assert "Z" not in account.inside("default", "ps", "-eo", "stat=")


def test_the_agents_end_leaves_a_shell_and_the_shells_end_ends_the_session_with_nobody_attached(
    stub_account: Account,
) -> None:
    account = stub_account
    account.ok("start", "-d", "-a", "stub", cwd=account.project())
    assert "stub ready" in account.screen()
    account.tell("default", "quit")
    until(lambda: "Stub has ended (status 0)" in account.screen(), "the word of its end", told=account.screen)
    until(lambda: "agent@" in account.screen(), "the shell's prompt", told=account.screen)
    account.tell("default", "exit")
    until(lambda: account.sessions() == {"default": "stopped"}, "the session's end")
    account.ok("start", "-d", "-n", "default")
    assert "stub ready" in account.screen()


def test_detach_returns_when_the_screen_is_there(stub_account: Account) -> None:
    for number in range(3):
        stub_account.ok("start", "-d", "-a", "stub", "-n", f"s{number}", cwd=stub_account.project())
        assert "stub ready" in stub_account.screen(f"s{number}")


def test_panes_have_the_callers_time_zone_and_a_utf8_locale(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project(), env={"TZ": "Asia/Kolkata"})
    account.tell("default", "date +zone=%z; echo $LANG; echo ü | wc -m")
    until(
        lambda: "zone=+0530" in account.screen() and "UTF-8" in account.screen(),
        "zone and locale",
        told=account.screen,
    )


def test_a_session_needs_no_process_on_the_host_but_its_monitor(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", cwd=account.project())
    account.wait_for_rest()
    for verb in (
        ("ls",),
        ("agents",),
        ("start", "-d", "-n", "default"),
        ("build", "shell"),
        ("stop",),
        ("restart", "-d"),
        ("stop",),
        ("rm", "-f", "default"),
    ):
        account.ok(*verb)
        account.wait_for_rest()  # Podman itself tidies up behind a container that has ended
    assert list(account.runtime.rglob("podman-*.sock")) == []


@pytest.mark.parametrize(
    "words", [("ls", "--nonsense"), ("stop", "--nonsense"), ("start", "-d", "--nonsense")]
)
def test_what_was_begun_for_a_wrong_command_line_is_gone_with_it(
    bare: Account, words: tuple[str, ...]
) -> None:
    assert bare.run(*words).code == 2
    assert bare.workers() == {}
    assert list(bare.runtime.glob("agent-session/*.sock")) == []
