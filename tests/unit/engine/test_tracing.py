"""An engine that is watched does what it did, and tells of it what is no secret."""

import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from agent_session.engine import tracing
from agent_session.engine.command import ExecResult, OneOff
from agent_session.engine.container import ContainerSpec
from agent_session.engine.image_store import BuildSpec
from agent_session.errors import BuildFailed, NotFoundError
from tests.fake_engine import FakeEngine

SECRET = "sk-ant-not-to-be-seen"
SOURCES = Path(__file__).parents[3] / "src"


@dataclass(kw_only=True)
class Diary:
    """A watcher that writes all of it down."""

    lines: list[str] = field(default_factory=list)

    def before(self, call: tracing.Call) -> None:
        self.lines.append(f"{call.number} before {call.method} {call.words}")

    def after(self, call: tracing.Call, seconds: float, error: BaseException | None) -> None:
        assert seconds >= 0
        self.lines.append(f"{call.number} after {call.method}{f': {type(error).__name__}' if error else ''}")


@pytest.fixture
def diary() -> Diary:
    return Diary()


def test_calls_are_told_before_and_after_and_answered_as_ever(diary: Diary) -> None:
    with tracing.watched(FakeEngine(images=["x"]), [diary]) as engine:
        assert engine.images.references() == {"x"}
        assert engine.architecture == "amd64"
        with pytest.raises(NotFoundError):
            engine.start("web")
    assert diary.lines == [
        "1 before images.references ",
        "1 after images.references",
        "2 before start web",
        "2 after start: NotFoundError",
    ]


def test_a_build_ends_with_its_last_line(diary: Diary) -> None:
    engine = tracing.watched(FakeEngine(images=["b"]), [diary])
    spec = BuildSpec(tag="t", context={"Containerfile": b"FROM b\n"}, arguments={"KEY": SECRET})
    lines = engine.images.build(spec)
    assert diary.lines == ["1 before images.build t"]
    assert list(lines)
    assert diary.lines == ["1 before images.build t", "1 after images.build"]
    with pytest.raises(BuildFailed):
        list(engine.images.build(BuildSpec(tag="u", context={"Containerfile": b"FROM none\n"}, arguments={})))
    assert diary.lines[-1] == "2 after images.build: BuildFailed"


def test_a_watcher_can_end_a_call_before_it_is_made() -> None:
    class Guard(Diary):
        def before(self, call: tracing.Call) -> None:
            raise KeyboardInterrupt(call.method)

    engine = FakeEngine(images=["x"])
    with pytest.raises(KeyboardInterrupt):
        tracing.watched(engine, [Guard()]).create(container())
    assert engine.container("web") is None


def container() -> ContainerSpec:
    return ContainerSpec(
        name="web",
        image="x",
        hostname="web",
        workdir=PurePosixPath("/"),
        environment={"KEY": SECRET},
        labels={"l": SECRET},
    )


def test_what_a_call_is_given_is_told_without_secrets() -> None:
    lines: list[str] = []
    engine = tracing.watched(
        FakeEngine(images=["x"], commands=lambda *_: ExecResult(exit_code=0)),
        [tracing.CallLogger(tell=lines.append)],
    )
    engine.create(container())
    engine.start("web")
    engine.put_secret("login", SECRET.encode())
    engine.exec("web", ["/usr/local/bin/session-seed", "\x1b[2J"], stdin=SECRET.encode())
    engine.attach_command("web", ["/usr/local/bin/session-attach"], {"KEY": SECRET})
    engine.run_one_off(
        OneOff(image="x", command=("/usr/local/bin/claude", SECRET), environment={"KEY": SECRET})
    )
    told = "\n".join(lines)
    assert SECRET not in told
    assert "\x1b" not in told
    for words in (
        "create web of x",
        "start web",
        "put_secret login (21 bytes)",
        "exec web /usr/local/bin/session-seed",
        "run_one_off /usr/local/bin/claude in x",
    ):
        assert any(line.endswith(words) or f"{words} " in line for line in lines), words


def details(program: str) -> list[str]:
    """The details that a process of its own prints, as an audit hook stays until its process ends."""
    begin = "from agent_session.engine import tracing\ntracing.tell_details(print)\n"
    environment = {"PYTHONPATH": str(SOURCES), "PYTHONDONTWRITEBYTECODE": "1", "KEY": SECRET}
    done = subprocess.run(
        [sys.executable, "-c", begin + program], capture_output=True, text=True, check=True, env=environment
    )
    return done.stdout.splitlines()


def test_programs_are_told_without_the_values_of_variables() -> None:
    words = ["", "-e", f"KEY={SECRET}", f"--env=KEY={SECRET}", "x" * 500]
    (line,) = details(
        f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', *{words}], check=True)\n"
    )
    assert "-e KEY=... --env=KEY=... xxx" in line
    assert SECRET not in line
    assert len(line) < 400


REQUEST = """
import http.client, socket, sys, threading
mine, peer = socket.socketpair()
connection = http.client.HTTPConnection("localhost")
connection.sock = mine
peer.sendall(b"HTTP/1.1 204 No Content\\r\\n\\r\\n")
connection.request("POST", "/secrets/create?name=x", body=b"SECRET", headers={"X-Key": "SECRET"})
connection.getresponse().read()
"""


def test_a_request_is_told_without_its_body() -> None:
    lines = details(REQUEST.replace("SECRET", SECRET))
    assert [line.strip() for line in lines] == ["POST /secrets/create?name=x"]
