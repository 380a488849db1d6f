"""A checkup on an engine in memory: what is broken is found, with its fix and the exit code a start would
have.
"""

import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from agent_session.agents.catalog import Agent
from agent_session.agents.seed import EMPTY
from agent_session.doctor import examine, machine_checks
from agent_session.doctor.findings import Finding, exit_code
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import ContainerSpec
from agent_session.engine.protocol import EngineInfo
from agent_session.errors import ConfigurationError, EngineUnavailable, Hint
from agent_session.host import paths
from agent_session.host.lock import lock
from agent_session.images import build
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.images.build import Workshop
from agent_session.sessions import find, lifecycle
from agent_session.sessions.labels import (
    LABEL_AGENT,
    LABEL_MOUNTS,
    LABEL_NAME,
    LABEL_OPTIONS,
    LABEL_PROJECTS,
    LABEL_PROTECTION,
)
from agent_session.sessions.names import importing_name, volume_names
from agent_session.sessions.options import Options
from agent_session.sessions.request import SessionRequest
from agent_session.workspace.placeholders import MARK, Placeholder
from agent_session.workspace.projects import Project
from agent_session.workspace.protection import Protection
from tests.fake_engine import FakeEngine

IMAGE = "localhost/agent-session-stub:1"


@dataclass(kw_only=True)
class Ward:
    """A healthy machine with one agent, whose parts a test breaks."""

    engine: FakeEngine
    around: examine.Surroundings
    agents: Path
    project: Project

    def look(self) -> list[Finding]:
        return examine.examine(self.engine, self.around, seconds=5)

    def problems(self) -> list[Finding]:
        return [finding for finding in self.look() if finding.level != "ok"]

    def problem(self) -> Finding:
        (finding,) = self.problems()
        return finding

    def session(self, name: str = "web", **more: object) -> None:
        agent = Agent(name="stub", title="Stub", folder=self.agents / "stub")
        chosen: dict[str, Any] = {"image": IMAGE, "projects": (self.project,), **more}
        request = SessionRequest(name=name, agent=agent, **chosen)
        lifecycle.create(self.engine, request, EMPTY, screen=False)

    def container(self, name: str, **labels: str) -> None:
        self.engine.create(
            ContainerSpec(name=name, image=IMAGE, hostname="x", workdir=PurePosixPath("/"), labels=labels)
        )


@pytest.fixture
def ward(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    """The machine's own state is another file's: here it is always fine."""
    monkeypatch.setattr(machine_checks, "checks", lambda _environment, *, remote: {})  # noqa: ARG005
    monkeypatch.setattr(machine_checks, "space", lambda *_args, **_more: ())
    monkeypatch.setattr(find, "YOUNG", timedelta(0))
    folder = tmp_path / "images"
    for name in ("stub", "base"):
        (folder / name).mkdir(parents=True)
        (folder / name / "Containerfile").write_text("ARG BASE\nFROM ${BASE}\n")
    (folder / "stub" / "agent.yaml").write_text("title: Stub\n")
    (folder / "versions.yaml").touch()
    (home / "app").mkdir()

    def workshop() -> Workshop:
        return Workshop(
            folder=folder, base_image=DEFAULT_BASE_IMAGE, caches=(), logs=tmp_path, locks=tmp_path
        )

    around = examine.Surroundings(
        environment={},
        agent_folders=(folder,),
        workshop=workshop,
        locks=paths.runtime_folder,
        configuration=tmp_path / "c.yaml",
    )
    engine = FakeEngine(images=[IMAGE, DEFAULT_BASE_IMAGE, f"{build.PREFIX}base:1"])
    project = Project(source=home / "app", target=PurePosixPath("/workspace/app"))
    made = Ward(engine=engine, around=around, agents=folder, project=project)
    current = build.reference(engine, workshop(), Agent(name="stub", title="Stub", folder=folder / "stub"))
    engine.images.add(current)
    return made


def test_a_healthy_machine_is_found_healthy(ward: Ward) -> None:
    ward.session()
    found = ward.look()
    assert {finding.level for finding in found} == {"ok"}
    assert exit_code(found) == 0
    assert "session web" in {finding.subject for finding in found}


def test_without_podman_nothing_else_is_asked_of_it(ward: Ward) -> None:
    ward.engine.unreachable = EngineUnavailable(
        "podman: command not found", hint=Hint(shell="sudo apt-get install podman")
    )
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.code) == ("error", "podman", 6)
    assert problem.fix == "sudo apt-get install podman"
    assert "trial" not in {finding.subject for finding in ward.look()}


def test_a_podman_that_does_not_answer_is_given_up(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(ward.engine, "info", never.wait)
    found = examine.examine(ward.engine, ward.around, seconds=0.2)
    assert (found[0].subject, found[0].level, exit_code(found)) == ("podman", "error", 6)
    never.set()


@pytest.mark.parametrize(
    ("change", "level", "subject", "code"),
    [
        ({"version": "4.2.0"}, "error", "podman", 6),
        ({"network": ""}, "error", "network", 6),
        ({"ids": 1}, "error", "subordinate ids", 6),
        ({"driver": "vfs"}, "warning", "storage", 0),
    ],
)
def test_what_podman_says_of_itself_is_judged(
    ward: Ward, change: dict[str, object], level: str, subject: str, code: int
) -> None:
    facts: EngineInfo = replace(ward.engine.facts, **change)  # type: ignore[arg-type]
    ward.engine.facts = facts
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.code) == (level, subject, code)
    assert problem.fix


def test_a_container_that_does_not_start_is_explained_by_what_podman_said(ward: Ward) -> None:
    said = b"Error: OCI runtime error: crun: cgroups in hybrid mode not supported"

    def one_off(_one_off: OneOff, _stdin: bytes) -> ExecResult:
        return ExecResult(exit_code=126, stderr=said)

    ward.engine.one_offs = one_off
    problem = ward.problem()
    assert (problem.subject, problem.code) == ("trial", 6)
    assert "runc" in problem.fix


def test_a_configuration_that_cannot_be_read_is_a_finding(ward: Ward) -> None:
    ward.around = replace(ward.around, trouble=ConfigurationError("/c.yaml", "unknown key 'x'"))
    problem = ward.problem()
    assert (problem.subject, problem.code) == ("configuration", 3)
    assert "unknown key 'x'" in problem.words


def test_one_bad_agent_does_not_hide_the_others(ward: Ward) -> None:
    (ward.agents / "broken").mkdir()
    (ward.agents / "broken" / "agent.yaml").write_text("titel: x\n")
    problem = ward.problem()
    assert (problem.subject, problem.code) == ("agent broken", 3)
    assert "stub" in next(finding.words for finding in ward.look() if finding.subject == "agents")


def test_a_folder_of_agents_that_cannot_be_read_is_an_error(ward: Ward, ordinary_folder: Path) -> None:
    ordinary_folder.chmod(0)
    found = list(examine._agents(replace(ward.around, agent_folders=(ordinary_folder,)), {}))
    assert {finding.level for finding in found} == {"error"}
    assert found[0].fix == f"chmod u+rx {ordinary_folder}"
    ordinary_folder.chmod(0o700)


def test_an_image_that_is_older_than_its_folder_is_told(ward: Ward) -> None:
    (ward.agents / "stub" / "more").write_text("changed")
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.fix) == (
        "warning",
        "image stub",
        "agent-session build stub",
    )


def test_no_login_for_any_agent_is_a_warning_and_one_for_some_is_none(ward: Ward) -> None:
    (ward.agents / "stub" / "agent.yaml").write_text("title: Stub\nenvironment: [KEY]\ncredentials: [KEY]\n")
    assert ward.problem().subject == "logins"
    ward.around = replace(ward.around, environment={"KEY": "a-secret"})
    assert ward.problems() == []
    assert "a-secret" not in repr(ward.look())


def test_limits_that_are_none_are_told_with_what_makes_them_some(ward: Ward) -> None:
    ward.engine.lacking = {"memory": "cgroups v1 obey root only", "cpus": "cgroups v1 obey root only"}
    problem = ward.problem()
    assert (problem.level, problem.words) == (
        "warning",
        "--memory and --cpus cannot be enforced here: cgroups v1 obey root only",
    )
    assert "systemd.unified_cgroup_hierarchy=1" in problem.fix


def test_what_a_killed_build_left_is_swept_but_not_while_another_builds(ward: Ward) -> None:
    ward.engine.images.left = {"1 agent-session-stub-working-container"}
    with lock(paths.runtime_folder(), "build", waiting=lambda _pid: None):
        assert ward.problems() == []
    problem = ward.problem()
    assert (problem.level, problem.fix) == ("warning", "agent-session doctor --fix")
    assert problem.repair
    assert "removed 1" in problem.repair()
    assert ward.problems() == []


def test_a_project_that_is_gone_keeps_its_session_from_starting(ward: Ward) -> None:
    ward.session()
    lifecycle.stop(ward.engine, [find.get(ward.engine, "web")])
    ward.project.source.rmdir()
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.code) == ("error", "session web", 7)
    assert str(ward.project.source) in problem.words
    assert problem.fix.startswith(f"agent-session move web {ward.project.source} NEW-PATH")


def test_a_project_that_was_replaced_while_its_session_runs_is_told(ward: Ward) -> None:
    ward.session()
    inode = str(ward.project.source.stat().st_ino)
    ward.engine.commands = lambda _name, _command, _stdin: ExecResult(exit_code=0, stdout=inode.encode())
    assert ward.problems() == []
    ward.project.source.rename(ward.project.source.with_name("old"))
    ward.project.source.mkdir()
    problem = ward.problem()
    assert (problem.level, problem.code) == ("error", 5)
    assert "has been replaced" in problem.words


@pytest.mark.parametrize(
    ("status", "words"), [(3, "has not come up"), (4, "does not answer"), (124, "does not answer")]
)
def test_a_session_that_runs_without_a_screen_is_told(ward: Ward, status: int, words: str) -> None:
    ward.session()

    def probed(_name: str, command: Sequence[str], _stdin: bytes) -> ExecResult:
        if status == 124:
            raise TimeoutError
        return ExecResult(exit_code=status if "probe" in command else 0)

    ward.engine.commands = probed
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.code) == ("error", "session web", 9)
    assert words in problem.words
    assert problem.fix == "agent-session stop web && agent-session start -n web"


def test_a_session_that_is_being_started_just_now_is_given_its_time(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(find, "YOUNG", timedelta(seconds=90))
    ward.session()
    ward.engine.commands = lambda _name, command, _stdin: ExecResult(exit_code=3 if "probe" in command else 0)
    assert ward.problems() == []


def test_a_missing_volume_image_or_agent_is_told(ward: Ward) -> None:
    ward.session()
    ward.engine.lose_volume("agent_web_home")
    ward.engine.images.lose(IMAGE)
    (ward.agents / "stub" / "agent.yaml").unlink()
    (ward.agents / "base" / "agent.yaml").write_text("title: Another\n")
    problems = [finding for finding in ward.problems() if finding.subject == "session web"]
    assert [(finding.level, finding.code) for finding in problems] == [
        ("error", 7),
        ("warning", 0),
        ("warning", 0),
    ]
    assert "agent_web_home" in problems[0].words
    assert IMAGE in problems[1].words
    assert "'stub' is not installed" in problems[2].words


def labels(ward: Ward, container: str) -> Mapping[str, str]:
    there = ward.engine.container(container)
    assert there
    return there.labels


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (LABEL_PROJECTS, "/home/you/app"),
        (LABEL_PROJECTS, '[{"source": "/x"}]'),
        (LABEL_MOUNTS, "{}"),
        (LABEL_OPTIONS, '{"auto_approve": "yes"}'),
        (LABEL_OPTIONS, "none"),
        (LABEL_PROTECTION, "[]"),
        (LABEL_AGENT, ""),
    ],
)
def test_a_label_that_somebody_edited_is_named(ward: Ward, label: str, text: str) -> None:
    ward.session()
    ward.engine.edit("agent_web", labels={**labels(ward, "agent_web"), label: text})
    problem = next(finding for finding in ward.problems() if finding.code == 5)
    assert problem.subject == "session web"
    assert label in problem.words


def test_every_option_survives_the_look_at_its_label(ward: Ward) -> None:
    options = Options(auto_approve=True, unprotected=(".vscode",), memory=1 << 30, cpus=1.5, pids=100)
    ward.session(options=options)
    assert ward.problems() == []


def test_a_container_with_a_sessions_name_is_told_and_hinders_nobody(ward: Ward) -> None:
    ward.container("agent_taken")
    problem = ward.problem()
    assert (problem.level, exit_code(ward.look())) == ("warning", 0)
    assert "'agent_taken' exists already and is not a session" in problem.words
    assert problem.fix == "podman rm agent_taken"


def test_a_session_label_on_another_container_is_told(ward: Ward) -> None:
    ward.container("copy", **{LABEL_NAME: "web"})
    problem = ward.problem()
    assert problem.level == "warning"
    assert "'copy' is labelled as the session 'web'" in problem.words


def test_an_update_that_was_killed_is_settled(ward: Ward) -> None:
    ward.session()
    ward.container("agent-next_web", **labels(ward, "agent_web"))
    with lock(paths.runtime_folder(), "session-web", waiting=lambda _pid: None):
        assert ward.problems() == [], "one that goes on is none that was killed"
    problem = ward.problem()
    assert problem.subject == "update of web"
    assert problem.repair
    problem.repair()
    assert ward.engine.container("agent-next_web") is None
    assert ward.engine.container("agent_web") is not None
    assert ward.problems() == []


def test_placeholders_of_a_session_that_was_killed_are_removed(ward: Ward) -> None:
    held = Placeholder(path=ward.project.source / ".envrc", content="")
    ward.session(protection=Protection(placeholders=(held,)))
    assert held.path.stat().st_mtime == MARK
    assert ward.problems() == []
    ward.engine.stop("agent_web")
    problem = ward.problem()
    assert (problem.level, problem.subject) == ("warning", "placeholders")
    assert str(held.path) in problem.words
    assert held.path.exists(), "a look changes nothing"
    assert problem.repair
    problem.repair()
    assert not held.path.exists()


def test_volumes_whose_container_somebody_removed_are_told_with_both_ways_out(ward: Ward) -> None:
    ward.session()
    ward.engine.create_volume("agent_web_importing", {})  # somebody's, by its labels
    ward.engine.remove("agent_web")
    with lock(paths.runtime_folder(), "session-web", waiting=lambda _pid: None):
        assert ward.problems() == [], "it is being made"
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.repair) == ("warning", "volumes of web", None)
    assert "agent_web_home, agent_web_workspace" in problem.words
    assert problem.fix == "agent-session start -n web   (a session with them), or: agent-session rm web"
    ward.session()
    assert ward.problems() == []


def test_volumes_of_an_import_that_was_killed_are_removed(ward: Ward) -> None:
    for volume in (*volume_names("web"), importing_name("web")):
        ward.engine.create_volume(volume, {LABEL_NAME: "web"})
    problem = ward.problem()
    assert (problem.subject, problem.fix) == ("volumes of web", "agent-session doctor --fix")
    assert problem.repair
    problem.repair()
    assert ward.engine.volumes("") == {}
    assert ward.problems() == []


NOBODY = 4194304
"""A number that no process has."""


def test_throw_away_containers_of_commands_that_were_killed_are_removed_and_those_in_use_never(
    ward: Ward,
) -> None:
    mine, *dead = (f"agent-one-off-{pid}-0123456789ab" for pid in (os.getpid(), NOBODY, NOBODY + 1))
    for name in (mine, *dead, "agent-one-off-0123456789ab", f"agent-one-off_{NOBODY}"):
        ward.container(name)
    for name in (mine, dead[0]):
        ward.engine.start(name)
    problem = ward.problem()
    assert (problem.level, problem.subject, problem.fix) == (
        "warning",
        "one-off containers",
        "agent-session doctor --fix",
    )
    assert all(name in problem.words for name in dead)
    assert problem.repair
    assert problem.repair() == "removed 2 throw-away containers"
    assert ward.problems() == []
    assert {container.name for container in ward.engine.containers("")} == {
        mine, "agent-one-off-0123456789ab", f"agent-one-off_{NOBODY}"
    }  # fmt: skip


def test_a_one_off_container_of_another_machines_process_counts_as_left_only_when_it_has_not_run_for_long(
    ward: Ward,
) -> None:
    ward.engine.local = None
    name = f"agent-one-off-{NOBODY}-0123456789ab"
    ward.container(name)
    assert ward.problems() == []
    long_ago = datetime.now(UTC) - timedelta(minutes=11)
    for running, ended, abandoned in (
        (False, None, True),
        (False, datetime.now(UTC), False),
        (False, long_ago, True),
        (True, None, False),
    ):
        ward.engine.edit(name, created=long_ago, running=running, ended=ended)
        assert [finding.subject for finding in ward.problems()] == (
            ["one-off containers"] if abandoned else []
        )


def test_a_session_of_tomorrow_tells_that_the_clock_went_back(ward: Ward) -> None:
    ward.session(created=datetime.now(UTC) + timedelta(days=1))
    problem = ward.problem()
    assert problem.level == "warning"
    assert "the clock was set back" in problem.words
