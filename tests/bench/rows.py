"""What is measured, and what it should be: the table of goals."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from io import BytesIO
from pathlib import Path

from agent_session.sessions.labels import LABEL_AGENT, LABEL_NAME, LABEL_OPTIONS, LABEL_PROJECTS
from agent_session.sessions.names import volume_names
from tests.account import Account
from tests.bench.measuring import (
    MEMORY,
    Broken,
    Samples,
    command,
    first_screen,
    in_turn,
    on_terminal,
    seconds,
)
from tests.storage import LAUNCHER, Storage
from tests.waiting import until

MB = 1_000_000
YOUNG_SECONDS = 95  # a session that has just started is asked more by the next start; people come back later
MARK = b"detaches"  # in the frame's title
PROMPT = b"$ "
RAW = (
    "--userns=keep-id:uid=1000,gid=1000",
    "--user=1000:1000",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--tmpfs=/run/agent-session:rw,nosuid,nodev,mode=1777",
    "--env=AGENT_SESSION_AGENT=shell",
    "--env=AGENT_SESSION_TITLE=Shell",
)
"""`podman run` of the same image, as plain as it works."""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the result: `value` in the unit of its goal, `note` the medians that it was made of."""

    name: str
    value: float
    goal: float
    unit: str
    note: str

    @property
    def reached(self) -> bool:
        return self.value <= self.goal


@dataclass(kw_only=True)
class Bench:
    """An account of the benchmark's own, and how much is to be done in it."""

    account: Account
    storage: Storage
    image: str
    runs: int
    many: int
    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def ours(self, *words: str | Path) -> Callable[[], str]:
        """agent-session as a user starts it."""
        return lambda: command([LAUNCHER, *words], self.account.environment, cwd=self.account.home)

    def podman(self, *words: str | Path) -> Callable[[], str]:
        """The podman command."""
        return lambda: command(["podman", *words], self.account.environment, cwd=self.account.home)

    def other(self, *words: str) -> Callable[[], str]:
        """Another program on the same storage."""
        return lambda: command(
            words, self.account.environment | {"DBX_CONTAINER_MANAGER": "podman"}, cwd=self.account.home
        )

    def clear(self) -> None:
        """No container, no volume."""
        self.podman("rm", "--all", "--force", "--time=0")()
        self.podman("volume", "prune", "--force")()

    def start_raw(self, name: str) -> None:
        """The same image by podman alone, until its screen is up."""
        volumes = [
            f"--volume={volume}:{at}"
            for volume, at in zip(volume_names(name), ("/home/agent", "/workspace"), strict=True)
        ]
        self.podman(
            "run",
            "--detach",
            f"--name=agent_{name}",
            f"--env=AGENT_SESSION_NAME={name}",
            *RAW,
            *volumes,
            self.image,
        )()
        self.seed_raw(name)

    def seed_raw(self, name: str) -> None:
        words = [
            "podman",
            "exec",
            "-i",
            f"agent_{name}",
            "/usr/local/bin/session-seed",
            "--timeout",
            "60",
            "--screen",
        ]
        command(words, self.account.environment, stdin=empty_tar())

    def remove_raw(self, name: str) -> None:
        """A container and its volumes."""
        self.podman("rm", f"agent_{name}")()
        self.podman("volume", "rm", *volume_names(name))()


Row = Callable[[Bench], list[Figure]]


def listing(bench: Bench) -> list[Figure]:
    """The same containers for all four: their labels are those of all."""
    labels = {
        LABEL_AGENT: "shell",
        LABEL_PROJECTS: json.dumps([{"source": "/home/you/projects/webapp", "target": "/workspace/webapp"}]),
        LABEL_OPTIONS: "{}",
        "manager": "distrobox",
        "com.github.containers.toolbox": "true",
    }
    given = [f"--label={name}={value}" for name, value in labels.items()]
    for number in range(bench.many):
        name = f"--label={LABEL_NAME}=s{number}"
        bench.podman("create", f"--name=agent_s{number}", name, *given, bench.image)()
    listings = {
        "agent-session ls": bench.ours("ls"),
        "podman ps -a": bench.podman("ps", "-a"),
        "toolbox list": bench.other("toolbox", "list", "--containers"),
        "distrobox list": bench.other("distrobox", "list"),
    }
    for name, action in listings.items():
        if len(action().splitlines()) < bench.many:
            raise Broken(f"{name} does not show {bench.many} containers")
    last = f"s{bench.many - 1}".encode()
    shown = {
        "ls on a terminal": partial(on_terminal, [LAUNCHER, "ls"], bench.account.environment, wanted=last)
    }
    samples = _kept(bench, "ls", in_turn(bench.runs, **listings, **shown))
    bench.clear()
    return [
        _ratio(f"ls, {bench.many} sessions / podman ps -a", samples, "agent-session ls", "podman ps -a", 1.6),
        _ratio("  / toolbox list --containers", samples, "agent-session ls", "toolbox list", 1.0),
        _ratio("  / distrobox list", samples, "agent-session ls", "distrobox list", 1.0),
        _ratio("ls on a terminal / podman ps -a", samples, "ls on a terminal", "podman ps -a", 1.6),
        _ratio("  / toolbox list --containers", samples, "ls on a terminal", "toolbox list", 1.0),
    ]


def attaching(bench: Bench) -> list[Figure]:
    """A running session's first screen, on a real terminal."""
    bench.ours("start", "-d", "-a", "shell", "-n", "here", _project(bench))()
    time.sleep(YOUNG_SECONDS)
    environment = bench.account.environment
    raw = [
        "podman",
        "exec",
        "-it",
        "--detach-keys=",
        "-e",
        "TERM=xterm-256color",
        "agent_here",
        "zellij",
        "attach",
        "here",
    ]
    theirs = run_boxes(bench)
    home = bench.account.home  # which all of them have
    commands = {
        "start": partial(first_screen, [LAUNCHER, "start", "-n", "here"], environment, MARK),
        "podman exec": partial(first_screen, raw, environment, MARK),
        "distrobox enter": partial(
            first_screen,
            ["distrobox", "enter", "--no-workdir", "distrobox"],
            theirs,
            PROMPT,
            leave=b"exit\n",
            cwd=home,
        ),
        "toolbox enter": partial(
            first_screen, ["toolbox", "enter", "toolbox"], theirs, PROMPT, leave=b"exit\n", cwd=home
        ),
    }
    samples = Samples()
    for run in range(bench.runs + 1):
        for name, entered in commands.items():
            taken = entered()
            if run:
                samples.add(name, taken)
    _kept(bench, "attach", samples)
    bench.clear()
    return [
        _ratio("start on a running session / podman exec", samples, "start", "podman exec", 1.5),
        _ratio("  / distrobox enter", samples, "start", "distrobox enter", 1.0),
        _ratio("  / toolbox enter", samples, "start", "toolbox enter", 1.0),
    ]


def run_boxes(bench: Bench) -> dict[str, str]:
    """Run a container each as toolbox and distrobox know their own, on the same image;
    return the environment to enter them in.

    What they install at a first start is not measured:
    a program that waits has the name of toolbox's, and one of two lines that of capsh.
    """
    account = bench.account
    environment = account.environment | {"DBX_CONTAINER_MANAGER": "podman", "SHELL": "/bin/bash"}
    command(
        ["toolbox", "list", "--containers"], environment
    )  # the first one has podman migrate its containers
    for name, script in (("toolbox", "exec sleep infinity"), ("capsh", 'shift 2; exec /bin/sh "$@"')):
        program = account.folder / f"inside-{name}"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
    for name, label in (
        ("distrobox", "manager=distrobox"),
        ("toolbox", "com.github.containers.toolbox=true"),
    ):
        bench.podman(
            "run",
            "--detach",
            "--userns=keep-id",
            f"--name={name}",
            f"--label={label}",
            "--entrypoint=",
            f"--volume={account.home}:{account.home}",
            f"--volume={account.folder}/inside-toolbox:/usr/bin/toolbox:ro",
            f"--volume={account.folder}/inside-capsh:/usr/sbin/capsh:ro",
            bench.image,
            "toolbox",
        )()
    stamps = account.runtime / "toolbox"
    stamps.mkdir(exist_ok=True)
    pid = bench.podman("inspect", "--format={{.State.Pid}}", "toolbox")().strip()
    (stamps / f"container-initialized-{pid}").touch()
    user = bench.podman("exec", "distrobox", "id", "-un")().strip()
    return environment | {"USER": user, "LOGNAME": user}


def following(bench: Bench) -> list[Figure]:
    """From the change of an agent's state, as it dates it, to the moment in which the host can read it."""
    account = bench.account
    bench.ours("start", "-d", "-a", "shell", "-n", "state", _project(bench))()
    samples = Samples()

    def is_state(value: str) -> bool:
        return bool(account.state("state")["value"] == value)

    for _ in range(bench.runs):
        for value, change in (
            ("working", partial(account.tell, "state", "cat")),
            ("idle", bench.ours("send", "state", "--key", "C-c")),
        ):
            change()
            until(partial(is_state, value), f"the state {value}")
            since = datetime.fromisoformat(account.state("state")["since"]).timestamp()
            pid = account.inspect("state")["State"]["Pid"]
            samples.add("told", Path(f"/proc/{pid}/root/run/agent-session/state").stat().st_mtime - since)
    _kept(bench, "state", samples)
    bench.clear()
    return [_seconds("a state is told after its change", samples, "told", 2.0)]


def living(bench: Bench) -> list[Figure]:
    """A life: start of a new one, stop, rm; by podman alone likewise."""
    project = _project(bench)
    samples = Samples()
    for run in range(bench.runs + 1):
        steps = {
            "start -d": bench.ours("start", "-d", "-a", "shell", "-n", "ours", project),
            "podman run": lambda: bench.start_raw("raw"),
            "stop": bench.ours("stop", "ours"),
            "podman stop": bench.podman("stop", "agent_raw"),
            "rm -f": bench.ours("rm", "-f", "ours"),
            "podman rm": lambda: bench.remove_raw("raw"),
        }
        for name, step in steps.items():
            taken = seconds(step)
            if run:
                samples.add(name, taken)
    _kept(bench, "life", samples)
    more = samples.median("start -d") - samples.median("podman run")
    return [
        Figure(
            name="start -d, new, minus podman run",
            value=more,
            goal=0.3,
            unit="s",
            note=_note(samples, "start -d", "podman run"),
        ),
        _ratio("stop / podman stop", samples, "stop", "podman stop", 1.5),
        _ratio("rm -f / podman rm, podman volume rm", samples, "rm -f", "podman rm", 1.5),
    ]


def many(bench: Bench) -> list[Figure]:
    """Many sessions started one by one, listed, stopped; half as many, and by podman alone. Once each:
    it takes minutes.
    """
    half, whole = bench.many // 2, bench.many
    samples = Samples()
    for count, name in ((half, "half"), (whole, "whole")):
        samples.add(name, seconds(lambda count=count: _ours_many(bench, count)))  # type: ignore[misc]
        bench.clear()
    samples.add("podman", seconds(lambda: _raw_many(bench, whole)))
    bench.clear()
    _kept(bench, "many", samples)
    growth = (samples.median("whole") / whole) / (samples.median("half") / half)
    return [
        _ratio(f"{whole} sessions: start each, ls, stop --all / podman", samples, "whole", "podman", 1.2),
        Figure(
            name=f"  each of {whole} / each of {half}",
            value=growth,
            goal=1.2,
            unit="x",
            note=_note(samples, "whole", "half"),
        ),
    ]


def _ours_many(bench: Bench, count: int) -> None:
    project = _project(bench)
    for number in range(count):
        bench.ours("start", "-d", "-a", "shell", "-n", f"s{number}", project)()
    found = json.loads(bench.ours("ls", "--json")())
    if sum(session["status"] != "stopped" for session in found) != count:
        raise Broken(f"ls does not show {count} running sessions")
    bench.ours("stop", "--all")()


def _raw_many(bench: Bench, count: int) -> None:
    for number in range(count):
        bench.start_raw(f"s{number}")
    bench.podman("ps", "--all")()
    bench.podman("stop", "--all")()


def building(bench: Bench) -> list[Figure]:
    """An image that is current."""
    bench.ours("build", "shell")()
    samples = _kept(bench, "build", in_turn(bench.runs, build=bench.ours("build", "shell")))
    return [_seconds("build, unchanged", samples, "build", 0.3)]


def building_cold(bench: Bench) -> list[Figure]:
    """Everything but what is fetched or compiled once a machine (Zellij),
    in a storage where there is nothing. Once.
    """
    account = Account(None, bench.storage.driver)
    samples = Samples()
    try:
        for name, agent in (("first", "claude"), ("second", "opencode")):
            samples.add(name, seconds(partial(command, [LAUNCHER, "build", agent], account.environment)))
    finally:
        account.close()
    samples.add("both", samples.median("first") + samples.median("second"))
    _kept(bench, "cold", samples)
    return [
        _seconds("build, both agents, cold", samples, "both", 60),
        _seconds("  the second of them", samples, "second", 15),
    ]


def helping(bench: Bench) -> list[Figure]:
    """What needs no Podman."""
    actions = {"--help": bench.ours("--help"), "start --help": bench.ours("start", "--help")}
    samples = _kept(bench, "help", in_turn(bench.runs, **actions))
    return [_seconds(name, samples, name, 0.15) for name in actions]


COMPLETION = """
eval "$(cat "$1")"
complete -p agent-session >/dev/null 2>&1 || exit 3
function=$(complete -p agent-session | sed 's/.* -F \\([^ ]*\\).*/\\1/')
COMP_WORDS=(agent-session rm "") COMP_CWORD=2 COMP_LINE="agent-session rm " COMP_POINT=17
"$function" agent-session "" rm
printf '%s\\n' "${COMPREPLY[@]}"
"""


def completing(bench: Bench) -> list[Figure]:
    """A session's name, as bash asks for it when Tab is pressed."""
    script = bench.account.folder / "completion.bash"
    script.write_text(bench.ours("completion", "bash")())
    bench.podman(
        "create",
        "--name=agent_completed",
        f"--label={LABEL_NAME}=completed",
        f"--label={LABEL_AGENT}=shell",
        bench.image,
    )()
    action = bench.other("bash", "-c", COMPLETION, "bash", str(script))
    if "completed" not in action():
        raise Broken("completion does not offer the session")
    samples = _kept(bench, "completion", in_turn(bench.runs, completion=action))
    bench.clear()
    return [_seconds("completion of a session's name", samples, "completion", 0.2)]


def remembering(bench: Bench) -> list[Figure]:
    """Pss of all processes of one idle session. Zellij's and the agent's own are not ours;
    Podman's are counted in the whole.
    """
    bench.ours("start", "-d", "-a", "shell", "-n", "idle", _project(bench))()
    time.sleep(10)  # what starts a session has ended
    first = bench.podman("inspect", "--format={{.State.Pid}}", "agent_idle")().strip()
    paused = bench.account.pause_pid()
    outside = " ".join(str(pid) for pid in bench.account.processes() if pid != paused)
    told = bench.podman("unshare", sys.executable, "-c", MEMORY, first, outside)()
    found = [
        (int(pss), name, program) for pss, name, program in (line.split("\t") for line in told.splitlines())
    ]
    podmans = {
        "conmon",
        "slirp4netns",
        "pasta",
        "pasta.avx2",
        "rootlessport",
        "fuse-overlayfs",
        "aardvark-dns",
    }
    ours = [(pss, name, program) for pss, name, program in found if name not in podmans | {"zellij", "bash"}]
    bench.samples["memory"] = {f"{name} {program}": [pss] for pss, name, program in found}
    bench.clear()
    words = [
        f"{name if program == '-' else Path(program).name} {pss / MB:.1f}"
        for pss, name, program in sorted(ours, reverse=True)
    ]
    everything = sorted(((pss, name) for pss, name, _ in found), reverse=True)
    return [
        Figure(
            name="idle session, our processes",
            value=sum(item[0] for item in ours) / MB,
            goal=10,
            unit="MB",
            note=", ".join(words),
        ),
        Figure(
            name="  everything in and around it",
            value=sum(item[0] for item in found) / MB,
            goal=50,
            unit="MB",
            note=", ".join(f"{name} {pss / MB:.1f}" for pss, name in everything[:4]),
        ),
    ]


ROWS: Mapping[str, Row] = {
    "help": helping,
    "completion": completing,
    "ls": listing,
    "attach": attaching,
    "state": following,
    "life": living,
    "memory": remembering,
    "build": building,
    "cold": building_cold,
    "many": many,
}
"""By the names of --only, the quick ones first."""

BOXES = {"toolbox": "podman-toolbox", "distrobox": "distrobox"}
NEEDED = {"ls": BOXES, "attach": BOXES}
"""Programs that a row needs, and Debian's packages that have them."""


def missing(names: list[str]) -> list[str]:
    """Debian packages that rows need and this machine has not."""
    return [
        package
        for name in names
        for program, package in NEEDED.get(name, {}).items()
        if not shutil.which(program)
    ]


def empty_tar() -> bytes:
    """A seed of nothing."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        entry = tarfile.TarInfo("environment")
        tar.addfile(entry, BytesIO())
    return buffer.getvalue()


def machine() -> dict[str, object]:
    """What figures depend on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "?")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    asked: dict[str, list[str | Path]] = {
        "podman": ["podman", "--version"],
        "toolbox": ["toolbox", "--version"],
        "distrobox": ["distrobox", "version"],
        "agent-session": [LAUNCHER, "--version"],
        "runc": ["runc", "--version"],
        "crun": ["crun", "--version"],
    }
    versions = {name: _version(words) for name, words in asked.items() if shutil.which(str(words[0]))}
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "kernel": os.uname().release,
        "python": sys.version.split()[0],
        "versions": versions,
    }


def _version(words: list[str | Path]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return (done.stdout.strip().splitlines() or ["?"])[0]


def _project(bench: Bench) -> Path:
    return bench.account.project("webapp")


def _kept(bench: Bench, row: str, samples: Samples) -> Samples:
    bench.samples[row] = samples.taken
    return samples


def _note(samples: Samples, *names: str) -> str:
    return ", ".join(f"{name} {samples.median(name):.3f} s" for name in names)


def _ratio(name: str, samples: Samples, ours: str, theirs: str, goal: float) -> Figure:
    value = samples.median(ours) / samples.median(theirs)
    return Figure(name=name, value=value, goal=goal, unit="x", note=_note(samples, ours, theirs))


def _seconds(name: str, samples: Samples, which: str, goal: float) -> Figure:
    return Figure(
        name=name, value=samples.median(which), goal=goal, unit="s", note=f"{len(samples.taken[which])} runs"
    )
