"""What breaks under a session, or under a command:
each is told in a line with its exit code, in time, and nothing is lost.

Those that a test of another file shows are listed in tests/reliability/faults.py,
which prints all of them as a table.
"""

import http.server
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agent_session.sessions.labels import (
    LABEL_AGENT,
    LABEL_CREATED,
    LABEL_MOUNTS,
    LABEL_NAME,
    LABEL_OPTIONS,
    LABEL_PROJECTS,
    LABEL_PROTECTION,
)
from tests.account import Account, Done
from tests.reliability.program import Ended, Meanwhile, Program
from tests.storage import LAUNCHER
from tests.waiting import COMMAND_SECONDS, until

pytestmark = pytest.mark.podman


def told(done: Done | Ended, code: int, *words: str) -> None:
    """It ended as promised, in words for people."""
    assert done.code == code, done
    assert "Traceback" not in done.err
    for word in words:
        assert word in done.err, done
    if code:
        assert done.err.splitlines()[-1].startswith("hint: "), done


def program(account: Account) -> Program:
    return Program(account.environment, account.home)


def end_in_the_middle(service: int) -> None:
    """The service gets no further from now on, and is killed a moment later, when it has been asked."""
    assert service
    os.kill(service, signal.SIGSTOP)
    threading.Timer(0.3, os.kill, (service, signal.SIGKILL)).start()


@pytest.mark.parametrize(
    "step", ["creating the volume agent_default_home", "creating agent_default", "starting"]
)
def test_a_service_killed_in_a_call_of_start_is_told_and_leaves_nothing(account: Account, step: str) -> None:
    project = account.project()
    killed = Meanwhile(before=step, do=end_in_the_middle)
    told(program(account).run("start", "-d", "-a", "shell", project, meanwhile=killed), 6, "Podman")
    assert account.containers() == []
    assert account.volumes() == []
    assert list((account.runtime / "agent-session").glob("*.sock")) == []
    account.ok("start", "-d", "-a", "shell", project)


def test_a_service_killed_in_a_call_of_stop_is_told_and_the_next_stop_works(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", account.project())
    killed = Meanwhile(before="stopping agent_default", do=end_in_the_middle)
    told(program(account).run("stop", "--all", meanwhile=killed), 6, "Podman")
    account.ok("stop")
    assert account.sessions() == {"default": "stopped"}


def test_a_podman_command_killed_in_a_stop_is_told_and_the_next_stop_works(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", account.project())
    podman = account.home / ".local" / "bin" / "podman"
    podman.write_text(
        f'#!/bin/sh\ncase " $* " in *" stop "*) kill -KILL $$ ;; esac\nexec {shutil.which("podman")} "$@"\n'
    )
    podman.chmod(0o755)
    told(account.run("stop"), 7, "stopping agent_default: it was ended by signal 9")
    podman.unlink()
    assert account.sessions() == {"default": "running"}
    account.ok("stop")
    assert account.sessions() == {"default": "stopped"}


def test_a_dead_socket_is_passed_over_or_named_where_it_was_asked_for(account: Account) -> None:
    path = account.runtime / "podman" / "podman.sock"
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    account.ok("start", "-d", "-a", "shell", account.project())
    assert account.sessions() == {"default": "running"}
    told(account.run("ls", env={"CONTAINER_HOST": f"unix://{path}"}), 6, f"unix://{path}")


def test_a_home_that_cannot_be_written_is_no_obstacle(account: Account) -> None:
    project = account.project()
    account.podman("info")
    folders = [
        account.home,
        *(path for path in account.home.rglob("*") if path.is_dir() and not path.is_symlink()),
    ]
    folders = [folder for folder in folders if project not in (folder, *folder.parents)]
    try:
        for folder in folders:
            folder.chmod(0o500)
        account.ok("start", "-d", "-a", "shell", project)
        account.ok("stop")
        account.ok("rm", "-f", "default")
    finally:
        for folder in folders:
            folder.chmod(0o700)
    assert account.volumes() == []


def test_a_project_replaced_while_it_is_used_is_the_new_one_from_the_next_start_on(account: Account) -> None:
    project = account.project(README="old")
    account.ok("start", "-d", "-a", "shell", project)
    project.rename(project.with_name("moved"))
    account.project(README="new")
    assert account.inside("default", "cat", "/workspace/app/README") == "old"
    assert account.sessions() == {"default": "running"}
    account.ok("stop")
    account.ok("restart", "-d")
    assert account.inside("default", "cat", "/workspace/app/README") == "new"


def test_a_project_removed_while_it_is_used_is_told_at_the_next_start(account: Account) -> None:
    project = account.project(README="old")
    account.ok("start", "-d", "-a", "shell", project)
    account.inside("default", "sh", "-c", "echo kept > ~/notes")

    def removed() -> bool:
        """As by a person: what keeps the project read-only may put a name back meanwhile,
        and then rm says so.
        """
        shutil.rmtree(project, ignore_errors=True)
        return not project.exists()

    until(removed, "the project to be gone")
    assert account.sessions() == {"default": "running"}
    account.ok("stop")
    told(account.run("restart", "-d"), 7, str(project))
    assert account.sessions() == {"default": "stopped"}
    account.project()
    account.ok("restart", "-d")
    assert account.inside("default", "cat", "/home/agent/notes") == "kept"


def test_a_file_replaced_while_sessions_have_it_is_the_new_one_from_the_next_start_on(
    stub_account: Account, stub: str
) -> None:
    yaml = (
        "title: Reader\nfiles:\n  - source: ~/.claude.json\n"
        "    target: claude.json\n    title: Claude credentials\n"
    )
    folder = stub_account.agent("reader", yaml=yaml)
    (folder / "Containerfile").write_text('FROM scratch\nCOPY agent.yaml /\nCMD ["x"]\n')
    image = stub_account.ok("build", "reader").strip()
    stub_account.podman("rmi", image)
    stub_account.podman("tag", stub, image)  # an agent of that file, on an image that starts
    file = stub_account.home / ".claude.json"

    def replace(text: str) -> None:
        new = file.with_name(".claude.json.new")
        new.write_text(text)
        new.rename(file)

    replace('{"apiKey": "one"}')
    stub_account.ok("start", "-d", "-a", "reader", stub_account.project())
    before = stub_account.inside(
        "default", "sh", "-c", "find -L /run/agent-session/seed -name claude.json | xargs cat"
    )
    assert "one" in before
    replace("{")
    stub_account.ok("start", "-d", "-n", "default")
    stub_account.ok("stop")
    replace('{"apiKey": "two"}')
    stub_account.ok("restart", "-d")
    after = stub_account.inside(
        "default", "sh", "-c", "find -L /run/agent-session/seed -name claude.json | xargs cat"
    )
    assert "two" in after
    assert file.read_text() == '{"apiKey": "two"}'


def test_a_wedged_terminal_is_told_and_can_be_stopped_and_started_again(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", account.project())
    account.podman("exec", "agent_default", "pkill", "-STOP", "-x", "zellij")
    assert account.sessions() == {"default": "running"}
    told(account.run("screen", "default"), 9, "default")
    told(account.run("send", "default", "true"), 5, "its terminal does not answer")
    account.ok("stop")
    account.ok("start", "-d", "-n", "default")
    assert "agent@" in account.screen()


@pytest.mark.parametrize("jump", ["-1d", pytest.param("+1d", marks=pytest.mark.long)])
def test_a_clock_that_jumps_is_borne_with(account: Account, jump: str) -> None:
    account.ok("start", "-d", "-a", "shell", account.project())

    def at_another_time(*words: str) -> Done:
        done = subprocess.run(
            ["faketime", "-f", jump, LAUNCHER, *words],
            env=account.environment,
            cwd=account.home,
            text=True,
            capture_output=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    for command in (
        ("ls",),
        ("ls", "--json"),
        ("status",),
        ("logs", "default"),
        ("stop",),
        ("restart", "-d"),
        ("wait", "default"),
    ):
        told(at_another_time(*command), 0)
    assert account.sessions() == {"default": "running"}


def test_a_registry_whose_name_nobody_knows_is_told_with_the_variable(account: Account) -> None:
    done = account.run("build", "shell", env={"AGENT_SESSION_BASE_IMAGE": "registry.invalid/base:1"})
    told(done, 8, "registry.invalid", "unset AGENT_SESSION_BASE_IMAGE")


class Registry(http.server.BaseHTTPRequestHandler):
    """Half a registry: manifests, if `broken` is "half", and of each layer the half."""

    broken = "500"

    def do_GET(self) -> None:
        if self.path == "/v2/":
            self._answer(200, b"{}")
        elif self.broken == "500":
            self._answer(500, b"{}")
        elif "/manifests/" in self.path:
            layer = {
                "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                "digest": "sha256:" + "b" * 64,
                "size": 100_000,
            }
            config = {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": "sha256:" + "a" * 64,
                "size": 1000,
            }
            kind = "application/vnd.oci.image.manifest.v1+json"
            self._answer(
                200,
                json.dumps(
                    {"schemaVersion": 2, "mediaType": kind, "config": config, "layers": [layer]}
                ).encode(),
                kind,
            )
        else:
            self._answer(200, b"x" * 500, size=1000)

    do_HEAD = do_GET

    def _answer(
        self, status: int, body: bytes, kind: str = "application/json", size: int | None = None
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body) if size is None else size))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def registry(account: Account, broken: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Its address, and the variable by which Podman believes it without a certificate."""
    handler = type("Broken", (Registry,), {"broken": broken})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"127.0.0.1:{server.server_port}"
        configuration = account.folder / "registries.conf"
        configuration.write_text(f'[[registry]]\nlocation = "{address}"\ninsecure = true\n')
        try:
            yield address, {"CONTAINERS_REGISTRIES_CONF": str(configuration)}
        finally:
            server.shutdown()


@pytest.mark.parametrize("broken", ["500", "half"])
def test_a_broken_registry_is_told_and_leaves_no_image(account: Account, broken: str) -> None:
    before = account.images()
    with registry(account, broken) as (address, variable):
        chosen = {"AGENT_SESSION_BASE_IMAGE": f"{address}/base:1", **variable}
        told(
            account.run("build", "shell", env=chosen),
            8,
            address,
            "unset AGENT_SESSION_BASE_IMAGE",
        )
    assert account.images() == before
    assert account.podman("ps", "--all", "--external", "--quiet") == ""


def test_an_image_deleted_before_its_session_is_made_is_told_and_nothing_is_made(account: Account) -> None:
    (account.agent("fresh") / "Containerfile").write_text('FROM scratch\nCOPY Containerfile /\nCMD ["x"]\n')
    image = account.ok("build", "fresh").strip()
    deleted = Meanwhile(
        before="creating agent_default", do=lambda _: (account.podman("rmi", "--force", image), None)[1]
    )
    done = program(account).run("start", "-d", "-a", "fresh", account.project(), meanwhile=deleted)
    told(done, 7, "the image has been removed", "agent-session build")
    assert account.volumes() == []
    assert account.containers() == []


def test_half_an_image_that_a_killed_build_left_is_in_nobodys_way(account: Account) -> None:
    (account.agent("fresh") / "Containerfile").write_text('FROM scratch\nCOPY Containerfile /\nCMD ["x"]\n')
    image = account.ok("build", "fresh").strip()
    number = account.podman("image", "inspect", "--format", "{{.Id}}", image)
    (account.storage / "overlay-images" / number / "manifest").unlink()
    told(account.run("agents"), 0)
    account.ok("build", "fresh")
    account.podman("images")


LABELS = {
    LABEL_AGENT: "\x1b[31mshell",
    LABEL_PROJECTS: '[{"source": 1}]',
    LABEL_MOUNTS: "null",
    LABEL_OPTIONS: "[]",
    LABEL_CREATED: "yesterday",
    LABEL_PROTECTION: '{"placeholders": [["/etc/passwd"]]}',
}


def test_labels_written_by_hand_are_borne_with(account: Account, shell: str) -> None:
    account.ok("start", "-d", "-a", "shell", "-n", "good", account.project())
    for name, label in (("hand", "hand"), ("other", "somebody"), ("bad", "../../bad"), ("empty", "")):
        words = [f"--label={key}={value}" for key, value in {**LABELS, LABEL_NAME: label}.items()]
        account.podman("create", "--name", f"agent_{name}", *words, shell)
    assert account.sessions() == {"good": "running", "hand": "stopped"}
    told(account.run("ls"), 0)
    assert "\x1b" not in account.run("ls").out
    for command in (("stop", "hand"), ("logs", "hand"), ("rm", "-f", "hand"), ("status", "good")):
        told(account.run(*command), 0)
    for command in (("stop", "other"), ("rm", "-f", "bad")):
        told(account.run(*command), 5, "is not")
    assert account.sessions() == {"good": "running"}


def test_ten_thousand_files_in_two_hundred_directories_are_a_project_like_another(account: Account) -> None:
    project = account.project()
    for number in range(200):
        folder = project / f"d{number % 20}" / f"e{number}"
        folder.mkdir(parents=True)
        for file in range(50):
            (folder / f"f{file}").touch()
    subprocess.run(["git", "init", "-q", project / "d1"], env=account.environment, check=True)
    account.ok("start", "-d", "-a", "shell", project)
    assert account.inside("default", "sh", "-c", "find /workspace/app -name 'f[0-9]*' | wc -l") == "10000"
    account.ok("stop")
    account.ok("rm", "-f", "default")
    assert sum(1 for path in project.rglob("*") if path.is_file() and ".git" not in path.parts) == 10000


@pytest.mark.long
def test_two_hundred_sessions_are_listed_and_examined(account: Account, shell: str) -> None:
    project = account.project()
    account.ok("start", "-d", "-a", "shell", "-n", "s0", project)
    account.ok("stop", "s0")
    labels = account.inspect("s0")["Config"]["Labels"]
    script = "".join(
        "podman --log-level=error create -q --name agent_s{} {} {} >/dev/null\n".format(
            number,
            " ".join(
                f"'--label={key}={value}'"
                for key, value in {**labels, LABEL_NAME: f"s{number}"}.items()
                if key.startswith("agent-session.")
            ),
            shell,
        )
        for number in range(1, 200)
    )
    subprocess.run(
        ["sh"], input=script, text=True, env=account.environment, check=True, timeout=COMMAND_SECONDS
    )
    assert len(account.sessions()) == 200
    assert len(account.ok("ls").splitlines()) == 201
    report = account.run("doctor", "--json")
    assert "Traceback" not in report.err
    json.loads(report.out)
    account.podman("rm", "--all", "--force")


def test_a_lock_whose_owner_was_killed_is_free(account: Account) -> None:
    account.ok("start", "-d", "-a", "shell", account.project())
    account.ok("stop")
    running = program(account).begin(
        "start",
        "-d",
        "-n",
        "default",
        meanwhile=Meanwhile(before="starting", do=lambda _: os.kill(os.getpid(), signal.SIGSTOP)),
    )
    until(
        lambda: Path(f"/proc/{running.pid}/stat").read_text().split()[2] == "T",
        "a start that has stopped in the middle",
    )
    waiting = account.begin("start", "-d", "-n", "default")
    assert waiting.stderr is not None
    assert f"process {running.pid}" in waiting.stderr.readline()
    os.kill(running.pid, signal.SIGKILL)
    assert running.wait().code == -signal.SIGKILL
    assert waiting.communicate(timeout=COMMAND_SECONDS)[0] == "default\n"
    assert account.sessions() == {"default": "running"}


def test_two_starts_at_once_are_one_session_on_two_terminals(account: Account) -> None:
    project = account.project()
    windows = [account.window("start", "-a", "shell", cwd=project) for _ in range(2)]
    for window in windows:
        window.wait_for("agent@")
    assert account.containers() == ["agent_default"]
    windows[0].type("echo seen $((6 * 7)) by both", "Enter")
    for window in windows:
        window.wait_for("seen 42 by both")
    clients = account.inside("default", "zellij", "--session", "default", "action", "list-clients")
    assert len(clients.splitlines()) == 3, clients


def test_two_builds_at_once_build_once(account: Account) -> None:
    (account.agent("fresh") / "Containerfile").write_text('FROM scratch\nCOPY Containerfile /\nCMD ["x"]\n')
    both = [account.begin("build", "fresh") for _ in range(2)]
    ends = [process.communicate(timeout=COMMAND_SECONDS) for process in both]
    assert [process.returncode for process in both] == [0, 0], ends
    assert len({out for out, _ in ends}) == 1
    assert sum(err.count("STEP 2") for _, err in ends) == 1, ends
