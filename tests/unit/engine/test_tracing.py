"""An engine that is watched does what it did, and tells of it what is no secret."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest

from agent_session.engine import tracing
from agent_session.engine.protocol import BuildSpec, ContainerSpec, ExecResult, OneOff
from agent_session.errors import BuildFailed, NotFoundError
from tests.fake_engine import FakeEngine

SECRET = "sk-ant-not-to-be-seen"


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
        assert engine.images() == {"x"}
        assert engine.architecture == "amd64"
        with pytest.raises(NotFoundError):
            engine.start("web")
    assert diary.lines == [
        "1 before images ",
        "1 after images",
        "2 before start web",
        "2 after start: NotFoundError",
    ]


def test_a_build_ends_with_its_last_line(diary: Diary) -> None:
    engine = tracing.watched(FakeEngine(images=["b"]), [diary])
    spec = BuildSpec(tag="t", context={"Containerfile": b"FROM b\n"}, arguments={"KEY": SECRET})
    lines = engine.build(spec)
    assert diary.lines == ["1 before build t"]
    assert list(lines)
    assert diary.lines == ["1 before build t", "1 after build"]
    with pytest.raises(BuildFailed):
        list(engine.build(BuildSpec(tag="u", context={"Containerfile": b"FROM none\n"}, arguments={})))
    assert diary.lines[-1] == "2 after build: BuildFailed"


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
    engine.run_one_off(OneOff(image="x", command=("claude", SECRET), environment={"KEY": SECRET}))
    told = "\n".join(lines)
    assert SECRET not in told
    assert "\x1b" not in told
    for words in (
        "create web of x",
        "start web",
        "put_secret login (21 bytes)",
        "exec web /usr/local/bin/session-seed",
        "run_one_off claude in x",
    ):
        assert any(line.endswith(words) or f"{words} " in line for line in lines), words


@pytest.fixture
def details() -> Iterator[list[str]]:
    lines: list[str] = []
    tracing.tell_details(lines.append)
    yield lines
    tracing.tell_details(None)


def test_programs_are_told_without_the_values_of_variables(details: list[str]) -> None:
    subprocess.run(
        [sys.executable, "-c", "", "-e", f"KEY={SECRET}", f"--env=KEY={SECRET}", "x" * 500],
        check=True,
        env={"K": SECRET},
    )
    assert len(details) == 1
    assert "-e KEY=... --env=KEY=... xxx" in details[0]
    assert SECRET not in details[0]
    assert len(details[0]) < 400


def test_nothing_is_told_any_more_when_nobody_listens(details: list[str]) -> None:
    tracing.tell_details(None)
    subprocess.run([sys.executable, "-c", ""], check=True)
    assert not details


def test_a_request_is_told_without_its_body(details: list[str], tmp_path: Path) -> None:
    import http.client
    import socket
    import threading

    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)

        def serve() -> None:
            peer, _ = server.accept()
            with peer:
                asked = b""
                while (
                    SECRET.encode() not in asked.partition(b"\r\n\r\n")[2]
                ):  # who leaves earlier breaks the pipe
                    asked += peer.recv(65536)
                peer.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        connection = http.client.HTTPConnection("localhost")
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.connect(path)
        connection.request("POST", "/secrets/create?name=x", body=SECRET.encode(), headers={"X-Key": SECRET})
        connection.getresponse().read()
        connection.close()
        thread.join()
    assert [line.strip() for line in details] == ["POST /secrets/create?name=x"]
