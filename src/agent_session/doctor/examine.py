"""A checkup of all that a session needs, and of every session there is: findings, each with its fix.

`examine` looks at the machine and at Podman; where Podman answers, at images, logins and sessions. What it
can repair harms nothing: what sessions, builds and updates that ended or were killed have left behind.
"""

import os
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from agent_session.agents import seed
from agent_session.agents.agent_yaml import read_agent
from agent_session.agents.catalog import Agent
from agent_session.agents.stored_login import login_secret
from agent_session.doctor import findings, machine_checks, session_checks, walls
from agent_session.doctor.findings import FIX, Check, Finding
from agent_session.engine import limits
from agent_session.engine.command import OneOff
from agent_session.engine.container import Container
from agent_session.engine.podman import troubleshooting
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentSessionError, Hint
from agent_session.host.lock import is_held, lock, lock_file
from agent_session.images import build
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.images.build import Workshop

SECONDS = 20.0
"""For each look: a machine under load takes seconds for a container, and a hung one takes for ever."""
ENOUGH_IDS = 1001
"""A session's user is 1000."""


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """The command line's knowledge of this machine.

    `trouble` says why the configuration could not be read; `workshop` raises it, too.
    """

    environment: Mapping[str, str]
    agent_folders: tuple[Path, ...]
    workshop: Callable[[], Workshop]
    locks: Callable[[], Path]
    configuration: Path
    trouble: AgentSessionError | None = None


def examine(engine: Engine, around: Surroundings, *, seconds: float = SECONDS) -> list[Finding]:
    """Return all findings, the worst first. An exception of a check is a finding, too.

    A check that does not end is abandoned.
    """
    podman: Check = partial(_podman, engine)
    remote = False
    try:
        engine.connect()
        remote = engine.local is None
    except AgentSessionError as failure:
        unreachable = findings.error("podman", failure)
        podman = partial(_known, unreachable)
    agents: dict[str, Agent] = {}
    containers: list[Container] = []
    first: dict[str, Check] = {
        "podman": podman,
        **machine_checks.checks(around.environment, remote=remote),
        **({} if remote else walls.checks(around.environment, rootful=os.geteuid() == 0)),
        "configuration": partial(_configuration, around),
        "agents": partial(_agents, around, agents),
    }
    then: dict[str, Check] = {
        "trial": partial(_trial, engine, seconds),
        "images": partial(_images, engine, around, agents),
        "logins": partial(_logins, engine, around, agents),
        "limits": partial(_limits, engine),
        "builds": partial(_builds, engine, around.locks),
        "sessions": partial(_containers, engine, containers),
    }
    found = findings.gather(first, seconds=seconds)
    if not any(finding.level == "error" and finding.subject == "podman" for finding in found):
        found += findings.gather(then, seconds=seconds)
        found += findings.gather(
            session_checks.checks(engine, containers, agents, around.locks, around.environment),
            seconds=seconds,
        )
    return findings.by_level(found)


def _known(finding: Finding) -> list[Finding]:
    """A check whose finding is known already."""
    return [finding]


def _podman(engine: Engine) -> Iterator[Finding]:
    about = engine.info()
    words = (
        f"Podman {about.version} answers ({about.driver}, {about.runtime}, cgroups "
        f"{about.cgroups}, {about.network or 'no network'})"
    )
    old = troubleshooting.too_old(about.version)
    yield findings.error("podman", old) if old else Finding(level="ok", subject="podman", words=words)
    network, overlay, ids = troubleshooting.NETWORK, troubleshooting.OVERLAY, troubleshooting.SUBORDINATE_IDS
    if not engine.rootful and not about.network:
        yield Finding(level="error", subject="network", words=network.cause, cures=(network.cure,), code=6)
    if not engine.rootful and about.ids < ENOUGH_IDS:
        words = f"{ids.cause}: it uses {about.ids}"
        yield Finding(level="error", subject="subordinate ids", words=words, cures=(ids.cure,), code=6)
    if about.driver == "vfs":
        words = f"{overlay.cause}, so each image is copied whole for every session (vfs)"
        choose = (
            'in ~/.config/containers/storage.conf: [storage] driver = "overlay"; then: podman system reset'
        )
        cures = (overlay.cure._replace(note=choose),)
        yield Finding(level="warning", subject="storage", words=words, cures=cures)
    if about.storage:
        yield from machine_checks.space("storage", about.storage)


def _configuration(around: Surroundings) -> Iterator[Finding]:
    if around.trouble:
        yield findings.error("configuration", around.trouble)
        return
    around.workshop()
    there = (
        around.configuration
        if around.configuration.exists()
        else f"no {around.configuration}; the defaults hold"
    )
    yield Finding(level="ok", subject="configuration", words=str(there))


def _agents(around: Surroundings, found: dict[str, Agent]) -> Iterator[Finding]:
    for folder in around.agent_folders:
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            words = f"{folder} cannot be read, so its agents are missing"
            yield Finding(
                level="error",
                subject="agents",
                words=words,
                cures=(Hint(shell=f"chmod u+rx {shlex.quote(str(folder))}"),),
                code=3,
            )
        for file in sorted(folder.glob("*/agent.yaml")):
            try:
                found[file.parent.name] = read_agent(file)
            except AgentSessionError as failure:
                yield findings.error(f"agent {file.parent.name}", failure)
    if found:
        yield Finding(level="ok", subject="agents", words=", ".join(sorted(found)))
    else:
        words = f"there are no agents in {' or '.join(map(str, around.agent_folders))}"
        yield Finding(level="error", subject="agents", words=words, cures=(Hint("agents"),), code=3)


def _trial(engine: Engine, seconds: float) -> Iterator[Finding]:
    """Nothing proves that containers start as much as one that did."""
    engine.check()
    image = build.any_built(engine)
    if not engine.images.exists(image):
        yield Finding(
            level="ok", subject="trial", words="no image is built yet, so no container was started for a test"
        )
        return
    done = engine.run_one_off(
        OneOff(image=image, command=("/bin/cat", "/proc/self/status"), network=True), timeout=seconds * 0.8
    )
    if done.exit_code:
        yield findings.error("trial", troubleshooting.explain(done.message, "running a container"))
    else:
        yield Finding(level="ok", subject="trial", words="a test container starts and ends")
        yield from walls.of_container(done.stdout)


def _images(engine: Engine, around: Surroundings, agents: Mapping[str, Agent]) -> Iterator[Finding]:
    workshop = around.workshop()
    built = engine.images.references()
    for agent in agents.values():
        subject = f"image {agent.name}"
        if build.reference(engine, workshop, agent) in built:
            yield Finding(level="ok", subject=subject, words="built and current")
        elif any(image.startswith(f"{build.PREFIX}{agent.name}:") for image in built):
            words = (
                "older than what it would be built of now; sessions that "
                "exist keep it, a new one needs a build"
            )
            yield Finding(level="warning", subject=subject, words=words, cures=(Hint("build", [agent.name]),))
        else:
            words = "not built; start asks, or takes --build"
            yield Finding(level="ok", subject=subject, words=words, cures=(Hint("build", [agent.name]),))
    based = {workshop.base_image, build.DEBIAN} & built or any(
        image.startswith(build.PREFIX) for image in built
    )
    if not based and workshop.base_image == DEFAULT_BASE_IMAGE and not shutil.which("mmdebstrap"):
        words = (
            f"a first build needs a registry that offers "
            f"{workshop.base_image}, or else mmdebstrap, which is not installed"
        )
        yield Finding(
            level="warning",
            subject="images",
            words=words,
            cures=(Hint(shell="sudo apt-get install mmdebstrap"),),
        )


def _logins(engine: Engine, around: Surroundings, agents: Mapping[str, Agent]) -> Iterator[Finding]:
    notes = {}
    for agent in agents.values():
        if agent.credentials:
            stored = engine.secret_id(login_secret(agent.name)) is not None
            notes[agent.name] = seed.login_note(agent, around.environment, stored=stored)
    if notes and all(notes.values()):
        words = f"no login found for {' or '.join(notes)}: the agent will ask in each session"
        yield Finding(
            level="warning", subject="logins", words=words, cures=(Hint("login", [next(iter(notes))]),)
        )
    for name, note in notes.items():
        cures = (Hint("login", [name]),) if note else ()
        yield Finding(
            level="ok", subject=f"login {name}", words="none found" if note else "found", cures=cures
        )


def _limits(engine: Engine) -> Iterator[Finding]:
    lacking = engine.unenforced()
    for why in dict.fromkeys(lacking.values()):
        flags = " and ".join(f"--{name}" for name in lacking if lacking[name] == why)
        words = f"{flags} cannot be enforced here: {why}"
        yield Finding(level="warning", subject="limits", words=words, cures=limits.CURES.get(why, ()))
    if not lacking:
        yield Finding(level="ok", subject="limits", words="all limits can be enforced")


def _builds(engine: Engine, folder: Callable[[], Path]) -> Iterator[Finding]:
    """Look for the leftovers of builds, unless a build is running, which needs what looks the same.

    They are removed under the lock of builds.
    """
    locks = folder()
    busy = is_held(lock_file(locks, "build"))
    left = [] if busy else engine.images.stale_builds()
    if not left:
        yield Finding(
            level="ok", subject="builds", words="a build is running" if busy else "nothing left behind"
        )
        return

    def remove_leftovers() -> str:
        with lock(locks, "build", waiting=lambda _pid: None):
            still = engine.images.stale_builds()
            engine.images.remove_stale_builds(still)
        return f"removed {len(still)} containers and directories of builds that were killed"

    words = f"{len(left)} containers and directories left behind by builds that were killed"
    yield Finding(level="warning", subject="builds", words=words, cures=(FIX,), repair=remove_leftovers)


def _containers(engine: Engine, found: list[Container]) -> Sequence[Finding]:
    found += engine.containers("")
    return ()
