"""A session is forked, and gets another name; on an engine in memory."""

from agent_session.engine.command import ExecResult, OneOff
from agent_session.host import paths
from tests.unit.machine import Machine


def test_a_fork_is_a_second_session_and_the_first_is_untouched(machine: Machine, free: int) -> None:
    told = ("--memory", "1g", "--label", "team=web", "-p", f"{free}:2")
    machine.ok("start", "-d", "-a", "shell", "-n", "web", *told)
    before = machine.engine.container("agent_web")
    copied: list[OneOff] = []

    def one_off(wanted: OneOff, _stdin: bytes) -> ExecResult:
        copied.append(wanted)
        return ExecResult(exit_code=0)

    machine.engine.one_offs = one_off
    ran = machine("fork", "web", "other")
    assert (ran.code, ran.out) == (0, "other\n")
    assert "publishes no port" in ran.err
    assert machine.engine.container("agent_web") == before
    found = {one["name"]: one for one in machine.listed()}
    assert found.keys() == {"web", "other"}
    same = ("agent", "status", "projects", "memory", "labels")
    assert [found["web"][key] for key in same] == [found["other"][key] for key in same]
    assert found["other"]["publish"] == []
    (copy,) = copied
    assert "rm -f /home/agent/.local/state/agent-session/server-password" in copy.command[2]
    assert {(one.source, one.read_only) for one in copy.mounts} == {
        ("agent_web_home", True),
        ("agent_web_workspace", True),
        ("agent_other_home", False),
        ("agent_other_workspace", False),
    }
    assert "agent_other_importing" not in machine.engine.volumes("")


def test_a_fork_that_cannot_be_copied_leaves_nothing(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.ok("stop", "web")
    machine.engine.one_offs = lambda _wanted, _stdin: ExecResult(exit_code=1, stderr=b"cp: disk full\n")
    before = dict(machine.engine.volumes(""))
    for verb in ("fork", "rename"):
        ran = machine(verb, "web", "other")
        assert (ran.code, "disk full" in ran.err) == (7, True)
        assert dict(machine.engine.volumes("")) == before
        assert [one["name"] for one in machine.listed()] == ["web"]


def test_a_copy_that_does_not_fit_is_no_fork_even_of_a_running_session(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    full = ExecResult(exit_code=0, stderr=b"cp: error writing 'x': No space left on device\n")
    machine.engine.one_offs = lambda _wanted, _stdin: full
    assert machine("fork", "web", "other").code == 7
    assert [one["name"] for one in machine.listed()] == ["web"]


def test_what_is_missing_in_the_copy_of_a_running_session_is_told(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.engine.one_offs = lambda _wanted, _stdin: ExecResult(exit_code=1, stderr=b"cp: gone\x1b[1m\n")
    ran = machine("fork", "web", "other")
    assert (ran.code, "not copied: gone" in ran.err) == (0, True)


def test_a_stopped_session_gets_another_name_with_its_note_and_its_review(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    assert machine("rename", "web", "other").code == 5
    machine.ok("stop", "web")
    machine.ok("note", "web", "kept")
    (created,) = [one["created"] for one in machine.listed()]
    assert machine.ok("rename", "web", "other") == "other\n"
    (found,) = machine.listed()
    assert (found["name"], found["created"], found["status"]) == ("other", created, "stopped")
    assert machine.ok("note", "other") == "kept\n"
    assert (paths.review_folder() / "other").is_dir()
    assert not (paths.review_folder() / "web").exists()
    assert set(machine.engine.volumes("")) == {"agent_other_home", "agent_other_workspace"}
    assert machine.engine.specification("agent_other").environment["AGENT_SESSION_NAME"] == "other"
    machine.ok("start", "-d", "-n", "other")


def test_a_name_that_is_taken_or_none_is_refused(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.ok("start", "-d", "-a", "shell", "-n", "two")
    machine.ok("stop", "web")
    for verb in ("fork", "rename"):
        assert machine(verb, "web", "two").code == 5
        assert machine(verb, "web", "../x").code == 2
        assert machine(verb, "nobody", "x").code == 4
    assert len(machine.listed()) == 2
