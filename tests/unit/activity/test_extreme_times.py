"""Times of no session's life, as a container may write them:
nothing that is shown or printed may fail over one.
"""

import json
import os
import time
from collections.abc import Iterator

import pytest

from agent_session.activity import event_log
from agent_session.sessions import find
from agent_session.sessions.names import volume_names
from tests.unit.machine import Machine
from tests.unit.state_file import line, now, write

TIMES = (
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "1969-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999Z",
    "9999-12-31T23:59:59-12:00",
    "2026-11-21T08:00:00+23:59:59.999999",
    "10000-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "9" * 5000,
)
VERBS = (
    ("status", "web"),
    ("status", "web", "--explain"),
    ("status", "web", "--json"),
    ("logs", "web"),
    ("logs", "web", "--json"),
    ("ls",),
    ("ls", "--json"),
    ("wait", "--until", "starting,working,waiting,idle,failed,exited,unknown", "web"),
)


@pytest.fixture(params=["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def web(
    request: pytest.FixtureRequest, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Machine]:
    machine.ok("start", "-d", "-a", "shell", "-n", "web")
    with monkeypatch.context() as patched:
        patched.setenv("TZ", request.param)
        time.tzset()
        yield machine
    time.tzset()


def record(machine: Machine, *moments: str) -> None:
    home = machine.engine.files.volume_path(volume_names("web")[0])
    assert home is not None
    file = home.joinpath(*event_log.FOLDER, "events.jsonl")
    file.parent.mkdir(parents=True, exist_ok=True)
    events = [{"time": moment, "event": "state", "detail": {"value": "idle"}} for moment in moments]
    file.write_text("".join(json.dumps(event) + "\n" for event in events))


@pytest.mark.parametrize("moment", TIMES, ids=lambda text: text[:30])
def test_a_time_that_a_container_invents_breaks_nothing(web: Machine, moment: str) -> None:
    write(web.engine, find.get(web.engine, "web"), line("idle", since=moment))
    record(web, moment, now())
    for words in VERBS:
        ran = web(*words)
        assert (ran.code, "Traceback" in ran.err) == (0, False), (words, ran)
    assert web.ok("logs", "web").count("agent is idle") in {1, 2}


@pytest.mark.parametrize("seconds", [-(2**40), 2**40, 2**55])
def test_a_date_of_a_file_that_a_container_invents_breaks_nothing(web: Machine, seconds: int) -> None:
    file = write(web.engine, find.get(web.engine, "web"), line("idle", since=now()))
    try:
        os.utime(file, (seconds, seconds))
    except OverflowError:
        pytest.skip("this file system has no such date")
    for words in VERBS:
        ran = web(*words)
        assert (ran.code, "Traceback" in ran.err) == (0, False), (words, ran)


@pytest.mark.parametrize("moment", [*TIMES, "99999999999s", "999999999d"], ids=lambda text: text[:30])
def test_a_time_that_somebody_types_is_a_time_or_refused(web: Machine, moment: str) -> None:
    ran = web("logs", "web", "--since", moment)
    assert ran.code in {0, 2}
    assert "Traceback" not in ran.err
