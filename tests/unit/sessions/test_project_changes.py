"""A session gets another project, or one less, and goes on; on an engine in memory."""

import json
from pathlib import Path

import pytest

from tests.unit.machine import Machine


def places(machine: Machine) -> list[tuple[str, str, bool]]:
    (session,) = machine.listed()
    projects = session["projects"]
    assert isinstance(projects, list)
    return [(Path(one["source"]).name, one["target"], one["read_only"]) for one in projects]


@pytest.fixture
def web(machine: Machine) -> Machine:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    return machine


def test_a_project_is_added_and_the_agent_starts_where_it_did(web: Machine) -> None:
    name = web.project.name
    docs = web.directory("docs")
    assert web.ok("add", "web", f"{docs}:ro") == "web\n"
    assert places(web) == [(name, f"/workspace/{name}", False), ("docs", "/workspace/docs", True)]
    made = web.engine.specification("agent_web")
    assert str(made.workdir) == f"/workspace/{name}"
    assert json.loads(made.environment["AGENT_SESSION_PROJECTS"]) == [f"/workspace/{name}", "/workspace/docs"]
    assert web.status("web") == "running"
    web.ok("stop", "web")
    web.ok("start", "-d", "-n", "web", "--memory", "1g")
    assert str(web.engine.specification("agent_web").workdir) == f"/workspace/{name}"
    web.ok("drop", "web", "docs")
    assert places(web) == [(name, f"/workspace/{name}", False)]
    assert "agent-session.workdir" not in web.engine.specification("agent_web").labels


def test_a_stopped_session_stays_stopped(web: Machine) -> None:
    web.ok("stop", "web")
    web.ok("add", "web", str(web.directory("docs")))
    assert web.status("web") == "stopped"
    assert len(places(web)) == 2


def test_one_of_two_projects_is_dropped_and_the_agent_starts_above_it_still(machine: Machine) -> None:
    one, two = machine.directory("one"), machine.directory("two")
    machine.ok("start", "-d", "-a", "shell", "-n", "web", str(one), str(two))
    machine.ok("drop", "web", str(one))
    assert places(machine) == [("two", "/workspace/two", False)]
    assert str(machine.engine.specification("agent_web").workdir) == "/workspace"
    assert one.is_dir()


def test_a_project_gets_another_mode(machine: Machine) -> None:
    one, two = machine.directory("one"), machine.directory("two")
    machine.ok("start", "-d", "-a", "shell", "-n", "web", str(one), str(two))
    machine.ok("add", "web", f"{two}:ro")
    assert places(machine)[1] == ("two", "/workspace/two", True)
    machine.ok("add", "web", str(two))
    assert places(machine)[1] == ("two", "/workspace/two", False)
    ran = machine("add", "web", str(two))
    assert ran.code == 5
    assert "already" in ran.err


def test_a_project_of_a_name_that_is_taken_has_its_parent_in_front(web: Machine) -> None:
    other = web.directory("elsewhere") / web.project.name
    other.mkdir()
    web.ok("add", "web", str(other))
    assert places(web)[1][1] == f"/workspace/elsewhere-{web.project.name}"


def test_the_project_that_the_agent_starts_in_stays(web: Machine) -> None:
    ran = web("drop", "web", web.project.name)
    assert ran.code == 5
    assert "its conversations belong there" in ran.err
    assert len(places(web)) == 1


def test_what_is_no_project_changes_nothing(web: Machine) -> None:
    assert web("drop", "web", "nothing").code == 4
    assert web("add", "web", "/nowhere").code == 2
    assert web("add", "web", str(Path.home())).code == 2
    assert web("add", "other", str(web.directory("docs"))).code == 4
    assert len(places(web)) == 1


def test_what_differs_in_a_project_is_still_known_when_another_is_added(web: Machine) -> None:
    (web.project / ".envrc").write_text("echo planted\n")
    docs = web.directory("docs")
    web.ok("add", "web", str(docs))
    assert ".envrc" in web.ok("review", "web")
    (docs / ".envrc").write_text("echo planted\n")
    assert "docs/.envrc" in web.ok("review", "web")
