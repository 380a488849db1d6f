"""What sessions and images take of the disk, and what prune removes; on an engine in memory."""

import json

from agent_session.engine.command import ExecResult, OneOff
from agent_session.images.build import PREFIX
from tests.unit.machine import Machine


def test_df_tells_what_each_session_and_image_takes(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    machine.engine.sizes["agent_web_home"] = 2_500_000_000
    machine.engine.images.add(f"{PREFIX}shell:old")
    machine.engine.create_volume("agent_gone_home", {"agent-session.name": "gone"})
    table = machine.ok("df")
    assert "2.5 GB" in table
    assert any(
        line.split() == ["agent-session-shell:old", "1.0", "MB", "unused"] for line in table.splitlines()
    )
    found = json.loads(machine.ok("df", "--json"))
    (session,) = found["sessions"]
    assert (session["name"], session["home"]) == ("web", 2_500_000_000)
    images = {one["image"]: one for one in found["images"]}
    assert images[machine.engine.specification("agent_web").image]["sessions"] == ["web"]
    assert found["volumes"] == [{"volume": "agent_gone_home", "size": 1 << 20}]


def test_prune_removes_what_nothing_uses_and_names_what_it_keeps(machine: Machine) -> None:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    before = machine.engine.images.references()
    machine.engine.images.add(f"{PREFIX}shell:old")
    machine.engine.create_volume("agent_gone_home", {"agent-session.name": "gone"})
    refused = machine("prune")
    assert (refused.code, "agent-session prune --yes" in refused.err) == (2, True)
    assert f"{PREFIX}shell:old" in machine.engine.images.references()
    ran = machine("prune", "--yes")
    assert (ran.code, ran.out) == (0, f"{PREFIX}shell:old\n")
    assert "kept: 'web' with home and workspace" in ran.err
    assert "agent_gone_home" in ran.err
    assert machine.engine.images.references() == before
    assert "agent_gone_home" in machine.engine.volumes("")
    assert "nothing to remove" in machine("prune", "--yes").err


def test_prune_empties_the_caches_of_stopped_sessions_alone(machine: Machine) -> None:
    ran: list[OneOff] = []

    def one_off(wanted: OneOff, _stdin: bytes) -> ExecResult:
        ran.append(wanted)
        return ExecResult(exit_code=0)

    for name in ("web", "old"):
        machine.ok("start", "-d", "-a", "shell", "-n", name)
        place = machine.engine.files.volume_path(f"agent_{name}_home")
        assert place
        (place / ".cache").mkdir()
        (place / ".cache/big").write_bytes(b"x" * 100_000)
        (place / ".npm").symlink_to("/etc")
    machine.ok("stop", "old")
    machine.engine.one_offs = one_off
    assert machine("prune", "--yes").out == ""
    assert machine.ok("prune", "--yes", "--caches") == "caches of old\n"
    (clearing,) = ran
    assert [one.source for one in clearing.mounts] == ["agent_old_home"]
    assert "/home/agent/.cache" in clearing.command
