"""What a user of a team may have: directories below their roots, so many sessions, and so many prompts."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx2
import pytest

from agent_session.server.auth.scopes import Caller
from agent_session.sessions import find
from agent_session.sessions.installation import Installation
from tests.fake_clones import Volumes
from tests.fake_engine import FakeEngine
from tests.served import Served, serving


@pytest.fixture
def serve(house: FakeEngine, home: Path, tmp_path: Path) -> Iterator[Callable[..., Served]]:
    """Serve a team whose users each have a root, srv/NAME, with a repository `app` in it."""
    for name in ("ann", "bob"):
        repository(tmp_path / "srv" / name / "app")
    with ExitStack() as ends:

        def begin(**chosen: Any) -> Served:
            known = {"roots": f"{tmp_path}/srv/{{login}}"} | chosen
            installation = Installation(environment={"PATH": os.environ["PATH"]}, home=home)
            return ends.enter_context(serving(tmp_path / "state", house, installation, **known))

        yield begin


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "srv/ann"


def repository(path: Path, *words: str) -> None:
    path.mkdir(parents=True)
    for command in (
        ("init", "-q"),
        ("commit", "-q", "--allow-empty", "-m", "x"),
        *([words] if words else ()),
    ):
        login = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", *login, *command], cwd=path, check=True)


def as_user(served: Served, monkeypatch: pytest.MonkeyPatch, login: str = "ann") -> httpx2.Client:
    """A user's program; an agent of theirs is taken for granted."""
    from agent_session.server import agents

    async def chosen(*_: Any) -> agents.Chosen:
        return agents.Chosen(kind="opencode")

    monkeypatch.setattr(agents, "chosen", chosen)
    token = served.token(login=login)
    return httpx2.Client(
        base_url=served.url, headers={"Authorization": f"Bearer {token}"}, timeout=60, trust_env=False
    )


def create(program: httpx2.Client, **body: Any) -> httpx2.Response:
    return program.post("/api/sessions", json=body)


def test_a_user_works_below_the_own_root(
    serve: Callable[..., Served], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(allow_mounts=True)
    with as_user(served, monkeypatch) as ann:
        made = create(ann, name="web", projects=[str(root / "app")], mount=True)
        assert made.status_code == 200, made.text
        assert made.json()["projects"][0]["source"] == str(root / "app")
        assert find.get(served.engine, "web").options.memory == 4 << 30


OUTSIDE = [
    "{srv}/bob/app", "{root}/../bob/app", "{root}/link", "{root}/app/../../bob", "{srv}", "/etc", "/", "~",
    "app", "", "file://{srv}/bob/app", "FILE://{srv}/bob/app", "{root}x", "{root}/app/link/app",
    "{root}/gone",
    "{root}/app/loop",
]  # fmt: skip


@pytest.mark.parametrize("mount", [True, False])
@pytest.mark.parametrize("path", OUTSIDE)
def test_what_lies_elsewhere_is_refused(
    serve: Callable[..., Served], root: Path, path: str, mount: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(allow_mounts=True)
    repository(root.parent / "annx")
    (root / "link").symlink_to(root.parent / "bob")
    (root / "app/link").symlink_to("../../bob")
    (root / "app/loop").symlink_to("loop")
    with as_user(served, monkeypatch) as ann:
        typed = path.format(srv=root.parent, root=root)
        refused = create(ann, projects=[typed], mount=mount)
        assert (refused.status_code, refused.json()["code"]) == (400, "project-refused"), refused.text
    assert served.engine.containers("") == []


def test_a_repository_that_leads_elsewhere_is_refused(
    serve: Callable[..., Served], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve()
    other = root.parent / "bob/app"
    pointing, borrowing, below = root / "pointing", root / "borrowing", root / "below"
    pointing.mkdir()
    (pointing / ".git").write_text(f"gitdir: {other}/.git\n")
    repository(borrowing)
    (borrowing / ".git/objects/info/alternates").write_text(f"{other}/.git/objects\n")
    linked = root / "linked"
    repository(linked)
    (linked / ".git/objects").rename(linked / ".git/old")
    (linked / ".git/objects").symlink_to(other / ".git/objects")
    subprocess.run(["git", "init", "-q"], cwd=root.parent, check=True)
    below.mkdir()
    with as_user(served, monkeypatch) as ann:
        for path in (pointing, borrowing, linked, below):
            refused = create(ann, projects=[str(path)])
            assert (refused.status_code, refused.json()["code"]) == (400, "project-refused"), refused.text
    assert served.engine.containers("") == []


def test_directories_are_mounted_only_where_the_administrator_allows_it(
    serve: Callable[..., Served], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_user(serve(), monkeypatch) as ann:
        refused = create(ann, projects=[str(root / "app")], mount=True)
        assert (refused.status_code, refused.json()["code"]) == (400, "project-refused")


def test_nothing_is_given_in_or_around_what_a_session_writes(
    serve: Callable[..., Served], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(allow_mounts=True)
    repository(root / "app/inner")
    with as_user(served, monkeypatch) as ann:
        assert create(ann, name="one", projects=[str(root / "app")], mount=True).status_code == 200
        assert create(ann, name="two", projects=[str(root / "app")], mount=True).status_code == 200
        for path, mount in ((root / "app/inner", True), (root, True), (root / "app", False)):
            refused = create(ann, projects=[str(path)], mount=mount)
            assert refused.status_code == 409, refused.text
    assert len(served.engine.containers("")) == 2


def test_without_roots_nobody_gets_a_directory_and_an_empty_workspace_is_given(
    serve: Callable[..., Served], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_user(serve(roots=""), monkeypatch) as ann:
        assert create(ann, projects=[str(root / "app")]).status_code == 400
        assert create(ann).status_code == 200


def test_a_user_has_so_many_sessions_however_many_are_asked_for_at_once(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(user_sessions=3)
    with as_user(served, monkeypatch) as ann:
        with ThreadPoolExecutor(8) as many:
            answers = list(many.map(lambda number: create(ann, name=f"s{number}"), range(8)))
        codes = sorted(answer.status_code for answer in answers)
        assert codes.count(200) <= 3
        assert set(codes) <= {200, 429}
        while (answer := create(ann)).status_code == 200:
            pass
        assert len(served.engine.containers("")) == 3
        assert answer.json()["code"] == "limit-reached"
        assert int(answer.headers["retry-after"]) > 0
        name = ann.get("/api/sessions").json()[0]["name"]
        assert ann.delete(f"/api/sessions/{name}").status_code == 200
        assert create(ann).status_code == 200
    with as_user(served, monkeypatch, "bob") as bob:
        assert create(bob).status_code == 200
    with served.client(served.token()) as local:
        assert [create(local).status_code for _ in range(4)] == [200] * 4


@pytest.mark.parametrize("chosen", [{"user_running": 2}, {"user_memory": "8g", "session_memory": "4g"}])
def test_so_many_run_at_the_same_time(
    serve: Callable[..., Served], chosen: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_user(serve(**chosen), monkeypatch) as ann:
        assert [create(ann, name=f"s{number}").status_code for number in range(3)] == [200, 200, 429]
        assert ann.post("/api/sessions/s0/stop").status_code == 200
        assert create(ann, name="s2").status_code == 200
        assert ann.post("/api/sessions/s0/start").status_code == 429
        assert ann.post("/api/sessions/s2/stop").status_code == 200
        assert ann.post("/api/sessions/s0/start").status_code == 200


def test_so_many_prompts_are_taken_in_a_minute(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    with as_user(serve(user_prompts=2), monkeypatch) as ann:
        create(ann, name="web")
        answers = [ann.post("/api/sessions/web/chat", json={"prompt": "x"}) for _ in range(3)]
        assert answers[2].status_code == 429
        assert 0 < int(answers[2].headers["retry-after"]) <= 61
        assert [answer.status_code for answer in answers[:2]] != [429, 429]


@pytest.mark.parametrize(
    ("roots", "expected"),
    [
        ("/srv/{login}", ["/srv/ann"]),
        ("/srv/{id}, /shared", ["/srv/7", "/shared"]),
        ("Ann=/a, bob=/b, id:7=/c, id:8=/d", ["/a", "/c"]),
        ("", []),
    ],
)
def test_roots_are_each_users_own(roots: str, expected: list[str]) -> None:
    import uuid

    from agent_session.server import roots as server_roots
    from agent_session.server.settings import Settings

    caller = Caller(user=uuid.uuid4(), login="ann", scopes=frozenset(), way="", owner="github:7")
    found = server_roots.of(Settings(roots=roots), caller)
    assert [str(path) for path in found] == expected
    strange = Caller(user=uuid.uuid4(), login="../bob", scopes=frozenset(), way="", owner="github:7")
    assert server_roots.of(Settings(roots="/srv/{login}"), strange) == []


def test_a_users_work_goes_into_the_own_directories_alone(
    serve: Callable[..., Served],
    house: FakeEngine,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    house.one_offs = Volumes(folder=tmp_path / "volumes")
    with as_user(serve(), monkeypatch) as ann:
        assert create(ann, name="web", projects=[str(root / "app")]).status_code == 200
        assert ann.post("/api/sessions/web/fetch").status_code == 200
        for into in (str(root.parent / "bob/app"), "/etc", f"{root}/../bob/app"):
            refused = ann.post("/api/sessions/web/fetch", json={"into": into})
            assert (refused.status_code, refused.json()["code"]) == (400, "project-refused")
        refused = ann.post("/api/sessions/web/apply")
        assert (refused.status_code, refused.json()["code"]) == (400, "project-refused")
