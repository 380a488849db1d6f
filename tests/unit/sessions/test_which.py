"""Which session is meant where none is named."""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest

from agent_session.errors import NotFoundError, UsageError
from agent_session.sessions.session import Session
from agent_session.sessions.which import meant
from agent_session.workspace.projects import Project

HERE = Path("/home/you/projects/webapp")


def session(name: str, *projects: str) -> Session:
    return Session(
        name=name,
        agent="claude",
        status="running",
        projects=tuple(
            Project(source=Path(path), target=PurePosixPath("/workspace") / Path(path).name)
            for path in projects
        ),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        container=f"agent_{name}",
        image="image",
    )


@pytest.mark.parametrize("directory", [HERE, HERE / "src" / "deep"])
def test_it_is_the_one_of_this_directory(directory: Path) -> None:
    assert meant([session("default", "/elsewhere"), session("web", str(HERE))], directory).name == "web"


def test_a_project_within_a_project_is_nearer() -> None:
    both = [session("all", str(HERE.parent)), session("web", str(HERE))]
    assert meant(both, HERE / "src").name == "web"
    assert meant(both, HERE.parent / "other").name == "all"


def test_a_directory_whose_name_begins_alike_is_not_in_the_project() -> None:
    sessions = [session("web", str(HERE)), session("default", "/x")]
    assert meant(sessions, Path(f"{HERE}-old")).name == "default"


@pytest.mark.parametrize("directory", [Path("/somewhere"), None])
def test_elsewhere_it_is_the_only_one_or_default(directory: Path | None) -> None:
    assert meant([session("web", str(HERE))], directory).name == "web"
    assert meant([session("api", "/a"), session("default", "/b")], directory).name == "default"


def test_where_it_could_be_several_their_names_are_told() -> None:
    with pytest.raises(UsageError, match="api, web") as elsewhere:
        meant([session("api", "/a"), session("web", "/b")], HERE, verb="logs")
    assert elsewhere.value.hint == "agent-session logs api"
    shared = [session("default", str(HERE)), session("web", str(HERE)), session("other", "/b")]
    with pytest.raises(UsageError, match=r"several sessions contain .*: default, web; name one"):
        meant(shared, HERE)


def test_where_there_is_none_the_hint_starts_one() -> None:
    with pytest.raises(NotFoundError) as none:
        meant([], HERE)
    assert none.value.hint == "agent-session start"
