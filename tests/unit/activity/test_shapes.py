"""The JSON that scripts get: each shape, key by key.

A key that goes, or changes its kind, breaks somebody's script.
"""

from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from agent_session.activity import shapes
from agent_session.activity.describe import Description
from agent_session.activity.event_log import Event
from agent_session.activity.protocol import Ended, Model, Used
from agent_session.activity.state import Question, State
from agent_session.activity.watch import Change
from agent_session.sessions.session import Session
from agent_session.workspace.projects import Project

MORNING = datetime(2026, 11, 21, 8, 0, 0, 123_456, tzinfo=UTC)
TIME = "2026-11-21T08:00:00.123Z"
SESSION = Session(
    name="web",
    agent="stub",
    status="running",
    projects=(Project(source=Path("/p/app"), target=PurePosixPath("/workspace/app")),),
    created=MORNING,
    container="agent_web",
    id="abc",
    pid=7,
    image="localhost/agent-session-stub:1",
    started=MORNING,
)
QUESTION = Question(kind="permission", text="Bash: make", choices=("once", "reject"), id="q1")
WAITING = State(value="waiting", since=MORNING, reason="Bash: make", source="stub", question=QUESTION)
STATE = {"value": "waiting", "since": TIME, "reason": "Bash: make", "source": "stub"}
ASKED = {"kind": "permission", "text": "Bash: make", "choices": ["once", "reject"], "id": "q1"}
LISTED = {
    "name": "web",
    "agent": "stub",
    "status": "running",
    "state": STATE,
    "projects": [{"source": "/p/app", "target": "/workspace/app", "read_only": False}],
    "title": "",
    "owner": "",
    "created": TIME,
    "container": "agent_web",
    "base_url": None,
    "host_url": None,
    "image": "localhost/agent-session-stub:1",
    "auto_approve": False,
    "protect": "review",
    "unprotected": [],
    "model": None,
    "user_config": True,
    "git_signing": False,
    "ssh_agent": False,
    "github_token": False,
    "memory": None,
    "cpus": None,
    "pids": 4096,
    "shm_size": 1 << 30,
    "allow_user_namespaces": False,
    "allow_setuid": False,
    "publish": [],
    "network": "open",
    "labels": {},
    "note": "",
    "changes": 0,
}


def test_a_session_in_a_list() -> None:
    assert shapes.session(SESSION, WAITING) == LISTED
    assert shapes.session(SESSION) == {key: value for key, value in LISTED.items() if key != "state"}


def test_a_description_is_what_a_list_has_and_more() -> None:
    event = Event(time=MORNING, kind="agent-end", detail={"status": 0})
    description = Description(
        session=SESSION,
        state=WAITING,
        observation=None,
        volumes={"v": True},
        events=(event,),
        processes=3,
        memory=5,
    )
    assert shapes.description(description) == {
        **LISTED,
        "state": {**STATE, "question": ASKED},
        "container_id": "abc",
        "pid": 7,
        "started": TIME,
        "mounts": [],
        "kob": None,
        "login_stored": False,
        "protection": None,
        "volumes": {"v": True},
        "processes": 3,
        "memory": 5,
        "events": [{"time": TIME, "event": "agent-end", "detail": {"status": 0}}],
    }


def test_a_state() -> None:
    assert shapes.agent_state(WAITING) == STATE
    assert shapes.agent_state(WAITING, question=True) == {**STATE, "question": ASKED}
    assert shapes.agent_state(State(value="unknown"), question=True)["since"] is None
    assert shapes.named_state("web", WAITING) == {"name": "web", "state": {**STATE, "question": ASKED}}


def test_a_change() -> None:
    change = Change(name="web", state=WAITING, before=State(value="idle"))
    assert shapes.change(change, now=MORNING) == {
        "time": TIME,
        "name": "web",
        "state": {**STATE, "question": ASKED},
        "before": "idle",
        "review": None,
    }
    gone = shapes.change(Change(name="web", state=None, before=None), now=MORNING)
    assert (gone["state"], gone["before"]) == (None, None)


def test_the_end_of_a_turn() -> None:
    tools = (Used(name="Bash", input={"command": "make"}),)
    ended = Ended(text="done", tools=tools, usage={"input_tokens": 3}, duration=1.23456, state=WAITING)
    assert shapes.turn_end(ended) == {
        "text": "done",
        "tools": [{"name": "Bash", "input": {"command": "make"}}],
        "usage": {"input_tokens": 3},
        "duration_s": 1.235,
        "state": {**STATE, "question": ASKED},
    }
    assert shapes.turn_end(Ended(text="", state=WAITING))["duration_s"] is None


def test_a_model() -> None:
    assert shapes.model(Model(id="a/b", name="B", current=True)) == {
        "id": "a/b",
        "name": "B",
        "current": True,
    }
