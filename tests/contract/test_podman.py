"""What only a kernel can promise: who is who, what a container may, and that nothing is left behind."""

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from urllib.parse import quote

import pytest

from agent_session.engine.command import OneOff
from agent_session.engine.container import Mount
from agent_session.engine.podman.engine import PodmanEngine
from agent_session.errors import EngineUnavailable, NotFoundError
from agent_session.host import nofollow, paths
from tests.contract.conftest import Bench
from tests.waiting import until

SOURCES = Path(__file__).parents[2] / "src"
SHARED = PurePosixPath("/workspace/shared")


def bind(source: Path, target: PurePosixPath = SHARED, *, read_only: bool = False) -> Mount:
    return Mount(kind="bind", source=str(source), target=target, read_only=read_only)


def status(bench: Bench, name: str) -> dict[str, str]:
    """/proc/self/status in a container."""
    lines = bench.sh(name, "cat /proc/self/status").splitlines()
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


def test_the_agents_user_is_1000_or_roots_own(real: Bench) -> None:
    expected = "0" if real.engine.rootful else "1000"
    assert real.sh(real.running(), "id -u; id -g").split() == [expected, expected]


def test_no_privilege_is_to_be_had(real: Bench) -> None:
    seen = status(real, real.running())
    assert {seen[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert seen["NoNewPrivs"] == "1"
    assert seen["Seccomp"] == "2"


def test_the_first_process_has_no_more_than_others(real: Bench) -> None:
    lines = real.sh(real.running(), "cat /proc/1/status").splitlines()
    assert "CapBnd:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines


def test_a_running_containers_files_are_read_without_a_process(real: Bench) -> None:
    name = real.running()
    real.sh(name, "mkdir -p /tmp/of/mine && echo seen >/tmp/of/mine/file")
    container = real.engine.container(name)
    assert container
    assert container.pid
    assert real.engine.local
    root = real.engine.local.open_root(container.id, container.pid)
    assert root is not None
    try:
        assert nofollow.read(root, "tmp", "of", "mine", "file", largest=100) == b"seen\n"
        assert nofollow.read(root, "proc", "1", "stat", largest=2) == b"1 "
        real.engine.stop(name)
        with pytest.raises(OSError, match=r"No such (file|process)"):
            nofollow.read(root, "proc", "1", "stat", largest=2)
    finally:
        os.close(root)


def test_a_stop_that_is_all_there_is_to_do_begins_no_service(real: Bench) -> None:
    name = real.running()
    with PodmanEngine(os.environ) as engine:
        engine.stop(name)
        stopped = engine.container(name)
        assert stopped
        assert not stopped.running
        engine.stop(name)
        with pytest.raises(NotFoundError):
            engine.stop(f"{name}-missing")
        assert engine._podman.asks_by_command == engine._podman.is_local


def test_what_a_container_said_last_can_be_had_when_it_has_ended(real: Bench) -> None:
    name = real.running()
    real.sh(
        name, "for word in one two three four five six seven eight nine; do echo $word >/proc/1/fd/2; done"
    )
    real.engine.stop(name)
    assert real.engine.log_tail(name).split() == [
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
    ]
    assert real.engine.log_tail(f"{name}-missing") == ""


def test_a_root_is_that_containers_and_no_other_processs(real: Bench) -> None:
    first, second = (real.engine.container(real.running()) for _ in range(2))
    assert first
    assert second
    assert first.pid
    assert second.pid
    for container_id, pid in (
        (first.id, second.pid),
        (second.id, os.getpid()),
        (first.id, 2**22 + 1),
        ("", first.pid),
    ):
        assert real.engine.local
        assert real.engine.local.open_root(container_id, pid) is None


def test_the_network_is_not_the_hosts(real: Bench) -> None:
    name = real.running()
    assert real.sh(name, "readlink /proc/self/ns/net").strip() != str(Path("/proc/self/ns/net").readlink())
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = f"{server.getsockname()[1]:04X}"
        listening = [
            line.split()[1].rpartition(":")[2] for line in real.sh(name, "cat /proc/net/tcp").splitlines()[1:]
        ]
    assert port not in listening


def test_no_socket_of_the_host_and_no_home_is_inside(real: Bench) -> None:
    mounts = real.sh(real.running(), "cat /proc/self/mounts")
    assert "podman.sock" not in mounts
    assert not any(line.split()[1].startswith(str(Path.home())) for line in mounts.splitlines())


def test_files_made_inside_are_the_callers_outside(real: Bench, shared_folder: Path) -> None:
    real.sh(real.running(bind(shared_folder)), f"touch {SHARED}/inside; mkdir {SHARED}/made")
    for path in (shared_folder / "inside", shared_folder / "made"):
        assert (path.stat().st_uid, path.stat().st_gid) == (os.geteuid(), os.getegid())


def test_files_made_outside_are_the_agents_inside(real: Bench, shared_folder: Path) -> None:
    (shared_folder / "outside").write_text("from the host")
    (shared_folder / "outside").chmod(0o600)
    name = real.running(bind(shared_folder))
    assert real.sh(name, f"cat {SHARED}/outside") == "from the host"
    assert real.sh(name, f"stat -c %u {SHARED}/outside") == real.sh(name, "id -u")
    real.sh(name, f"echo changed > {SHARED}/outside")
    assert (shared_folder / "outside").read_text() == "changed\n"


def test_a_read_only_mount_cannot_be_written(real: Bench, shared_folder: Path) -> None:
    name = real.running(bind(shared_folder, read_only=True))
    assert real.engine.exec(name, ["touch", f"{SHARED}/x"]).exit_code != 0
    assert list(shared_folder.iterdir()) == []


@pytest.mark.parametrize(
    "folder",
    ["two words", "a:b", "a,b", "größe", "项目", "it's", 'say "x"', "back\\slash", "$HOME", "ro", "a=b"],
)
def test_a_mount_is_where_it_should_be_whatever_it_is_called(real: Bench, folder: str) -> None:
    source = real.folder / folder
    source.mkdir()
    (source / "file").write_text(folder)
    target = PurePosixPath("/workspace") / folder
    name = real.running(bind(source, target), workdir=str(target))
    assert real.sh(name, "cat ./file; pwd") == f"{folder}{target}\n"


def test_a_file_can_be_mounted(real: Bench) -> None:
    (real.folder / "file").write_text("x")
    target = PurePosixPath("/etc/ssl/certs/ca-certificates.crt")
    assert real.sh(real.running(bind(real.folder / "file", target, read_only=True)), f"cat {target}") == "x"


def test_one_directory_can_be_mounted_twice(real: Bench, shared_folder: Path) -> None:
    (shared_folder / "file").write_text("x")
    name = real.running(bind(shared_folder), bind(shared_folder, PurePosixPath("/again"), read_only=True))
    assert real.sh(name, f"cat {SHARED}/file /again/file") == "xx"


def test_memory_can_be_written_by_the_agent_and_is_gone_after_a_stop(real: Bench) -> None:
    name = real.running(Mount(kind="tmpfs", target=PurePosixPath("/run/agent-session")))
    real.sh(name, "mkdir /run/agent-session/private; echo x > /run/agent-session/private/seed")
    assert "nosuid" in next(
        line for line in real.sh(name, "cat /proc/self/mounts").splitlines() if "/run/agent-session" in line
    )
    real.engine.stop(name)
    real.engine.start(name)
    assert real.sh(name, "ls -A /run/agent-session") == ""


def test_a_new_home_is_the_agents_and_survives_the_container(real: Bench) -> None:
    home = Mount(kind="volume", source=real.volume(), target=PurePosixPath("/home/agent"))
    name = real.running(home)
    real.sh(name, "echo kept > /home/agent/file")
    real.engine.remove(name)
    assert (
        real.sh(real.running(home), "cat /home/agent/file; stat -c %u /home/agent; id -u").split()[0]
        == "kept"
    )


def test_environment_hostname_and_workdir_are_as_told(real: Bench) -> None:
    odd = 'it\'s $HOME "x"\nnew line größe'
    name = real.running(workdir="/home/agent", ODD=odd, EMPTY="")
    assert real.sh(name, 'printf %s "$ODD$EMPTY"') == odd
    assert real.sh(name, "pwd; cat /proc/sys/kernel/hostname") == "/home/agent\ntiny\n"


def test_the_specification_holds_no_surprise(real: Bench) -> None:
    name = real.running()
    told = json.loads(subprocess.run(["podman", "inspect", name], capture_output=True, check=True).stdout)[0]
    assert told["HostConfig"]["Privileged"] is False
    assert told["HostConfig"]["PortBindings"] == {}
    assert told["Config"]["StopTimeout"] == 3


def test_stop_gives_what_ignores_it_no_longer_than_its_time(
    real: Bench, make_real: Callable[..., list[str]]
) -> None:
    tag = real.image_name()
    make_real(tag, b'ARG BASE\nFROM ${BASE}\nCMD ["sleep", "1000"]\n')
    spec = real.spec(image=tag)
    real.engine.create(type(spec)(**{**vars(spec), "stop_timeout": 1}))
    real.engine.start(spec.name)
    real.engine.stop(spec.name)
    container = real.engine.container(spec.name)
    assert container
    assert not container.running


def test_the_command_and_the_api_list_the_same(real: Bench) -> None:
    running, stopped, made = real.running(), real.running(), real.created()
    real.engine.stop(stopped)
    with PodmanEngine(os.environ) as another:  # whose first question is a command's
        for name in (running, stopped, made):
            mine, others = real.engine.container(name), another.container(name)
            assert mine
            assert others
            assert (mine.running, mine.started, mine.ended) == (others.running, others.started, others.ended)
            assert (mine.ended is not None) == (name == stopped)


def test_a_secret_is_read_byte_for_byte(real: Bench) -> None:
    secret = real.secret()
    content = b"sk-contract-secret\x00=&%\xff"
    real.engine.put_secret(secret, content)
    assert real.engine.read_secret(secret) == content


def test_a_one_off_container_is_run_and_gone(real: Bench, shared_folder: Path) -> None:
    one_off = OneOff(
        image=real.image,
        command=("sh", "-c", f"cat > {SHARED}/file; echo $WORD; exit 3"),
        environment={"WORD": "it's"},
        mounts=(bind(shared_folder),),
    )
    done = real.engine.run_one_off(one_off, stdin=b"given")
    assert (done.exit_code, done.stdout) == (3, b"it's\n")
    assert (shared_folder / "file").read_text() == "given"
    assert (shared_folder / "file").stat().st_uid == os.geteuid()


def test_a_one_off_container_has_no_more_rights_than_a_session_and_no_network(real: Bench) -> None:
    done = real.engine.run_one_off(
        OneOff(image=real.image, command=("cat", "/proc/self/status", "/proc/net/route"))
    )
    lines = done.stdout.decode().splitlines()
    assert (done.exit_code, done.stderr) == (0, b"")
    assert "CapBnd:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines
    assert lines[-1].startswith("Iface")


def test_a_slow_one_off_container_is_124_and_gone(real: Bench) -> None:
    one_off = OneOff(image=real.image, command=("sleep", "100"))
    assert real.engine.run_one_off(one_off, timeout=2).exit_code == 124
    listing = subprocess.run(
        ["podman", "ps", "-a", "--format", "{{.Names}}"], capture_output=True, text=True, check=True
    ).stdout
    assert "agent-one-off-" not in listing


def test_a_build_can_use_a_file_of_its_context_without_keeping_it(
    real: Bench, make_real: Callable[..., list[str]]
) -> None:
    tag = real.image_name()
    containerfile = (
        b"ARG BASE\nFROM ${BASE}\nRUN "
        b"--mount=type=bind,source=host-ca.crt,target=/run/host-ca.crt cat /run/host-ca.crt\n"
    )
    told = make_real(tag, containerfile, **{"host-ca.crt": b"the host's certificate\n"})
    assert "the host's certificate" in told
    spec = real.spec(image=tag)
    real.engine.create(spec)
    real.engine.start(spec.name)
    assert real.engine.exec(spec.name, ["cat", "/run/host-ca.crt"]).stdout == b""


def test_scripts_of_a_context_can_be_run_and_files_cannot(
    real: Bench, make_real: Callable[..., list[str]]
) -> None:
    tag = real.image_name()
    context = {"rootfs/bin/script": b"#!/bin/sh\necho ran\n", "rootfs/etc/note": b"text\n"}
    make_real(tag, b"ARG BASE\nFROM ${BASE}\nCOPY rootfs/ /\n", **context)
    spec = real.spec(image=tag)
    real.engine.create(spec)
    real.engine.start(spec.name)
    assert real.sh(spec.name, "script; stat -c %a:%u /bin/script /etc/note").split() == [
        "ran",
        *real_modes(real),
    ]


def real_modes(bench: Bench) -> list[str]:
    """Files of an image belong to the container's root, whoever built it."""
    root = bench.sh(bench.names[-1], "stat -c %u /bin/cat").strip()
    return [f"755:{root}", f"644:{root}"]


def test_the_same_build_again_is_found_in_the_cache(real: Bench, make_real: Callable[..., list[str]]) -> None:
    containerfile = b"ARG BASE\nFROM ${BASE}\nCOPY file /file\nRUN echo made anew\n"
    make_real(real.image_name(), containerfile, file=b"1")
    assert "made anew" not in make_real(real.image_name(), containerfile, file=b"1")
    assert "made anew" in make_real(real.image_name(), containerfile, file=b"2")


PROGRAM = """
import os
from agent_session.engine.podman.engine import PodmanEngine
with PodmanEngine(os.environ) as engine:
    engine.images.references()
"""


def fresh_runtime(folder: Path) -> dict[str, str]:
    """An environment in which no service of ours has a socket yet."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700)
    return {
        **os.environ,
        "XDG_RUNTIME_DIR": str(runtime),
        "PYTHONPATH": str(SOURCES),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


@pytest.mark.podman
def test_our_own_service_leaves_no_process_and_no_socket(tmp_path: Path) -> None:
    environment = fresh_runtime(tmp_path)
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
    assert services(environment["XDG_RUNTIME_DIR"]) == []
    assert list(Path(environment["XDG_RUNTIME_DIR"]).glob("agent-session/*.sock")) == []


KILLED = """
import os, signal
from agent_session.engine.podman import service
service.connect({})
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.podman
def test_our_own_service_ends_where_we_are_killed_while_it_begins_and_its_socket_goes_with_the_next(
    tmp_path: Path,
) -> None:
    environment = fresh_runtime(tmp_path)
    ended = subprocess.run([sys.executable, "-c", KILLED], env=environment, check=False)
    assert ended.returncode == -9
    until(lambda: not services(environment["XDG_RUNTIME_DIR"]), "the end of the service")
    folder = Path(environment["XDG_RUNTIME_DIR"]) / "agent-session"
    (folder / f"podman-{4_194_304 + 1}-dead.sock").touch()  # more than a process's number can be
    subprocess.run([sys.executable, "-c", PROGRAM], env=environment, check=True)
    assert list(folder.glob("*.sock")) == []


def services(runtime: str) -> list[int]:
    """The processes that serve Podman's API in a runtime directory."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                words = (directory / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"service" in words and any(runtime.encode() in word for word in words):
                found.append(int(directory.name))
    return found


@pytest.mark.podman
def test_an_engine_is_closed_twice_and_then_starts_no_service(tmp_path: Path) -> None:
    program = PROGRAM.replace(
        "engine.images.references()",
        "engine.connect(); engine.close(); engine.close(); engine.images.references()",
    )
    environment = fresh_runtime(tmp_path)
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=False)
    assert b"EngineUnavailable: agent-session is about to end" in done.stderr
    assert services(environment["XDG_RUNTIME_DIR"]) == []


@pytest.mark.podman
def test_a_dead_address_is_unavailable_and_named(tmp_path: Path) -> None:
    environment = {**os.environ, "CONTAINER_HOST": f"unix://{tmp_path}/gone.sock"}
    with PodmanEngine(environment) as engine, pytest.raises(EngineUnavailable, match=r"gone\.sock") as caught:
        engine.images.references()
    assert caught.value.hint == "unset CONTAINER_HOST"


@pytest.mark.parametrize("address", ["nonsense", "http//x", "ftp://x", "unix://"])
@pytest.mark.podman
def test_an_address_that_is_none_is_unavailable(address: str) -> None:
    with PodmanEngine({**os.environ, "CONTAINER_HOST": address}) as engine, pytest.raises(EngineUnavailable):
        engine.images.references()


@pytest.mark.podman
def test_an_address_that_answers_is_used(tmp_path: Path) -> None:
    url = f"unix://{tmp_path}/podman.sock"
    with subprocess.Popen(
        ["podman", "system", "service", "--time=0", url], stderr=subprocess.DEVNULL
    ) as service:
        try:
            until((tmp_path / "podman.sock").exists, "the service answers")
            with PodmanEngine({**os.environ, "CONTAINER_HOST": url}) as engine:
                assert engine.images.references() is not None
                assert engine.rootful == (os.geteuid() == 0)
                assert engine.architecture in {"amd64", "arm64"}
                assert engine.attach_command("x", ["y"], {})[1:3] == ["--url", url]
        finally:
            service.terminate()


def test_without_podman_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CONTAINER_")}
    with (
        PodmanEngine(environment) as engine,
        pytest.raises(EngineUnavailable, match="podman: command not found") as caught,
    ):
        engine.containers("x")
    assert "install podman" in caught.value.hint


def test_one_question_is_answered_without_a_service_and_in_the_same_words(real: Bench) -> None:
    name, other = real.running(), real.created()
    serving = services(str(paths.runtime_folder()))
    with PodmanEngine(os.environ) as engine:
        assert sorted(c.name for c in engine.containers(real.label)) == sorted([name, other])
        assert engine.containers(real.label) == real.engine.containers(real.label)
        assert engine.container(name) == real.engine.container(name)
        assert engine.container(f"{name}-none") is None
        assert services(str(paths.runtime_folder())) == serving


@pytest.mark.podman
def test_an_address_that_only_the_bindings_know_is_asked_through_them(tmp_path: Path) -> None:
    path = tmp_path / "podman.sock"
    command = ["podman", "system", "service", "--time=0", f"unix://{path}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as service:
        try:
            until(path.exists, "the service answers")
            with PodmanEngine(
                {**os.environ, "CONTAINER_HOST": f"http+unix://{quote(str(path), safe='')}"}
            ) as engine:
                assert engine.images.references() is not None
                assert engine.container("nobody-is-called-so") is None
        finally:
            service.terminate()


@pytest.mark.podman
def test_a_service_that_was_begun_and_never_asked_is_gone_at_the_end(tmp_path: Path) -> None:
    program = PROGRAM.replace("engine.images.references()", "engine.connect_soon()")
    environment = fresh_runtime(tmp_path)
    for _ in range(3):
        subprocess.run([sys.executable, "-c", program], env=environment, check=True)
        assert services(environment["XDG_RUNTIME_DIR"]) == []
        assert list(Path(environment["XDG_RUNTIME_DIR"]).glob("agent-session/*.sock")) == []


def test_a_stream_is_heard_while_the_command_goes_on_and_leaves_no_process_when_closed(real: Bench) -> None:
    name = real.running()
    before = our_children()
    stream = real.engine.exec_stream(name, ["sh", "-c", "echo first; sleep 1; touch /tmp/went-on; sleep 60"])
    assert next(stream) == b"first\n"
    stream.close()
    until(lambda: real.sh(name, "ls /tmp").split() == ["went-on"], "the command, which goes on")
    assert our_children() <= before


def our_children() -> set[str]:
    """Processes that this one has begun, zombies included."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())
