"""Checks of sessions: whether their parts are in place, running ones answer, and nothing is left over."""

import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from agent_session.agents.catalog import Agent
from agent_session.doctor import footprint
from agent_session.doctor.findings import FIX, Check, Finding
from agent_session.doctor.machine_checks import CLOCK
from agent_session.engine.container import Container
from agent_session.engine.errors import NameTaken
from agent_session.engine.podman import one_off
from agent_session.engine.protocol import Engine
from agent_session.errors import Hint
from agent_session.host.lock import is_held, lock, lock_file
from agent_session.sessions import find, leftovers, lent_agent
from agent_session.sessions.labels import LABEL_NAME, read, unreadable
from agent_session.sessions.names import (
    NAME,
    container_name,
    importing_name,
    lock_name,
    next_name,
    volume_names,
)
from agent_session.sessions.session import Session
from agent_session.workspace import placeholders
from agent_session.workspace.projects import Project

ANSWER_SECONDS = 15
STAT_FAILED, NOT_UP = 1, 3
PROBE = (
    f"test -e /run/agent-session/up || exit {NOT_UP}; "
    'timeout 10 zellij --session "$AGENT_SESSION_NAME" action list-panes >/dev/null 2>&1 || exit 4; stat '
    '-c %i -- "$@"'
)


def checks(
    engine: Engine,
    containers: Sequence[Container],
    agents: Mapping[str, Agent],
    locks: Callable[[], Path],
    environment: Mapping[str, str],
) -> dict[str, Check]:
    """A check for each session, and some for all of them."""
    found: dict[str, Check] = {"names": partial(_strangers, containers)}
    known = []
    for container in containers:
        session = read(container)
        if session and session.container == next_name(session.name):
            found[f"update of {session.name}"] = partial(_unfinished, engine, session, locks)
        elif session:
            known.append(session)
            found[f"session {session.name}"] = partial(
                _session, engine, container, session, agents, environment
            )
    found["volumes"] = partial(
        _volumes, engine, {session.name for one in containers if (session := read(one))}, locks
    )
    found["placeholders"] = partial(_placeholders, engine, known)
    found["one-off containers"] = partial(_one_offs, engine, containers)
    return found


def _strangers(containers: Sequence[Container]) -> Iterator[Finding]:
    """Containers that have a session's name or a session's label, and not both."""
    for container in containers:
        name, quoted = container.name.removeprefix("agent_"), shlex.quote(container.name)
        labelled = container.labels.get(LABEL_NAME)
        if read(container):
            continue
        if labelled is not None:
            words = (
                f"the container '{container.name}' is labelled as the session {labelled!r}, "
                f"whose container would have another name"
            )
            cures = (
                Hint(shell=f"podman inspect {quoted}", note="look first"),
                Hint(shell=f"podman rm {quoted}"),
            )
            yield Finding(level="warning", subject="names", words=words, cures=cures)
        elif container.name.startswith("agent_") and NAME.fullmatch(name):
            taken = NameTaken(name, container.name)
            yield Finding(
                level="warning",
                subject="names",
                words=taken.message,
                cures=(Hint(shell=f"podman rm {quoted}"),),
            )


def _session(
    engine: Engine,
    container: Container,
    session: Session,
    agents: Mapping[str, Agent],
    environment: Mapping[str, str],
) -> Iterator[Finding]:
    subject = f"session {session.name}"
    found = [
        *_labels(container, session),
        *_places(engine, session),
        *_parts(engine, session, agents),
        *(_answers(engine, session) if session.running else ()),
        *_ssh_agent(engine, session, environment),
    ]
    yield from found
    if not found:
        yield Finding(level="ok", subject=subject, words=session.status)


def _ssh_agent(engine: Engine, session: Session, environment: Mapping[str, str]) -> Iterator[Finding]:
    """The ssh-agent that it was lent, which may be that of a login that is over."""
    if words := lent_agent.trouble(engine, session, environment):
        subject, cures = f"session {session.name}", (lent_agent.cure(session),)
        yield Finding(level="warning", subject=subject, words=words, cures=cures)


def _labels(container: Container, session: Session) -> Iterator[Finding]:
    subject = f"session {session.name}"
    if wrong := unreadable(container):
        words = (
            f"{', '.join(wrong)}: not what agent-session writes there; a "
            f"label that was edited by hand is ignored"
        )
        remove = Hint("rm", [session.name], note="then start it again from the archive")
        save = Hint("export", [session.name, f"{session.name}.tar.zst"], then=remove)
        yield Finding(level="error", subject=subject, words=words, cures=(save,), code=5)
    if session.created > datetime.now(UTC) + timedelta(minutes=5):
        words = (
            f"made on {session.created:%Y-%m-%d %H:%M} UTC, which is in the future: the clock was set back"
        )
        yield Finding(level="warning", subject=subject, words=words, cures=(CLOCK,))


def _places(engine: Engine, session: Session) -> Iterator[Finding]:
    """What it mounts of the host's; on another machine that cannot be seen from here."""
    if engine.local is None:
        return
    projects = [project.source for project in session.projects]
    for path in [*projects, *session.mounts, *([session.kob] if session.kob else [])]:
        now = path.resolve()
        if not path.is_dir() if path in projects else not path.exists():
            words, new = f"{path} does not exist any more", "NEW-PATH"
            cure = Hint(shell=f"mkdir -p {shlex.quote(str(path))}")
        elif path in projects and now != path:
            words, new = f"{path} is not what it was: it leads to {now} now", str(now)
            cure = Hint(shell=f"namei -l {shlex.quote(str(path))}")
        else:
            continue
        words += "" if session.running else ", so it cannot start"
        cures = (Hint("move", [session.name, str(path), new]), cure) if path in projects else (cure,)
        yield Finding(level="error", subject=f"session {session.name}", words=words, cures=cures, code=7)


def _parts(engine: Engine, session: Session, agents: Mapping[str, Agent]) -> Iterator[Finding]:
    """What it has in Podman, and its agent."""
    subject = f"session {session.name}"
    for volume in volume_names(session.name):
        if engine.volume_labels(volume) is None:
            words = f"its volume {volume} is gone, with everything in it"
            anew = Hint("rm", [session.name], then=Hint("start", ["-n", session.name]))
            yield Finding(level="error", subject=subject, words=words, cures=(anew,), code=7)
    if not engine.images.exists(session.image):
        words = f"its image {session.image} is gone: it runs as it is, but cannot be changed"
        renew = Hint("update", ["--build", session.name])
        yield Finding(level="warning", subject=subject, words=words, cures=(renew,))
    if session.agent not in agents:
        words = (
            f"its agent '{session.agent}' is not installed here any more: it gets no login from this machine"
        )
        yield Finding(level="warning", subject=subject, words=words, cures=(Hint("agents"),))


def _answers(engine: Engine, session: Session) -> Iterator[Finding]:
    """Of one that runs: is its screen up, and does it still work in the directories that are there now."""
    subject = f"session {session.name}"
    again = (Hint("stop", [session.name], then=Hint("start", ["-n", session.name])),)
    targets = [str(project.target) for project in session.projects]
    done = engine.exec(session.container, ["/bin/sh", "-c", PROBE, "probe", *targets], timeout=ANSWER_SECONDS)
    if done.exit_code == NOT_UP and find.needs_seed(session):
        return  # somebody may be starting it just now
    if done.exit_code not in {0, STAT_FAILED}:
        why = "its screen has not come up" if done.exit_code == NOT_UP else "its terminal does not answer"
        yield Finding(level="error", subject=subject, words=f"it runs, but {why}", cures=again, code=9)
    elif engine.local:
        inside = done.stdout.decode("ascii", "replace").split()
        for project, number in zip(session.projects, inside, strict=False):
            if _number(project) not in {"", number}:
                words = (
                    f"{project.source} has been replaced since it started: its agent works in "
                    f"the old one, which nothing else sees any more"
                )
                yield Finding(level="error", subject=subject, words=words, cures=again, code=5)


def _number(project: Project) -> str:
    try:
        return str(project.source.stat().st_ino)
    except OSError:
        return ""


def _unfinished(engine: Engine, session: Session, locks: Callable[[], Path]) -> Iterator[Finding]:
    """A container that an update was making; while one goes on it holds the session's lock."""
    name, subject = lock_name(session.name), f"update of {session.name}"
    if is_held(lock_file(locks(), name)):
        yield Finding(level="ok", subject=subject, words="in progress")
        return

    def settle() -> str:
        with lock(locks(), name, waiting=lambda _pid: None):
            leftovers.settle(engine, session.name)
        return f"finished or undid the update of session '{session.name}'"

    words = "it was killed halfway; the session's next start finishes or undoes it, too"
    yield Finding(level="warning", subject=subject, words=words, cures=(FIX,), repair=settle)


def _volumes(engine: Engine, names: Collection[str], locks: Callable[[], Path]) -> Iterator[Finding]:
    """Find the volumes of sessions without a container, unless one is made or imported under its lock."""
    remains = footprint.remains(engine, names)
    for name, volumes in remains.items():
        if is_held(lock_file(locks(), lock_name(name))):
            continue
        subject = f"volumes of {name}"
        if importing_name(name) in volumes:
            words = (
                "an import that was killed left them incomplete; the session's next start removes them, too"
            )
            repair = partial(_forget_half, engine, name, locks)
            yield Finding(level="warning", subject=subject, words=words, cures=(FIX,), repair=repair)
        else:
            words = f"the session's container is gone, and its volumes are still there: {', '.join(volumes)}"
            cures = (Hint("start", ["-n", name], note="a session with them"), Hint("rm", [name]))
            yield Finding(level="warning", subject=subject, words=words, cures=cures)
    if not remains:
        yield Finding(level="ok", subject="volumes", words="each belongs to a session")


def _forget_half(engine: Engine, name: str, locks: Callable[[], Path]) -> str:
    from agent_session.sessions import archive

    with lock(locks(), lock_name(name), waiting=lambda _pid: None):
        if engine.container(container_name(name)) is None:
            archive.discard_partial_import(engine, name)
    return f"removed what had been imported for session '{name}'"


def _placeholders(engine: Engine, known: Sequence[Session]) -> Iterator[Finding]:
    """Those of sessions that ended without us: killed, or with the machine."""
    needed = {held.path for session in known if session.running for held in session.placeholders}
    over = [
        held
        for session in known
        if not session.running
        for held in session.placeholders
        if held.path not in needed and placeholders.is_placeholder(held)
    ]
    if not over:
        yield Finding(level="ok", subject="placeholders", words="none left behind")
        return

    def tidy() -> str:
        leftovers.tidy(engine)
        return f"removed {len(over)} placeholders"

    words = (
        f"{len(over)} left in projects of sessions that ended: "
        f"{', '.join(str(held.path) for held in over[:3])}"
    )
    yield Finding(level="warning", subject="placeholders", words=words, cures=(FIX,), repair=tidy)


def _one_offs(engine: Engine, containers: Sequence[Container]) -> Iterator[Finding]:
    """Find the one-off containers of killed commands; those of running commands are left alone."""

    def abandoned(found: Sequence[Container]) -> list[str]:
        now, local = datetime.now(UTC), engine.local is not None
        return [one.name for one in found if one_off.is_abandoned(one, local=local, now=now)]

    left = abandoned(containers)
    if not left:
        yield Finding(level="ok", subject="one-off containers", words="no throw-away container left behind")
        return

    def clear() -> str:
        still = abandoned(engine.containers(""))
        for name in still:
            engine.remove(name)
        return f"removed {len(still)} throw-away containers"

    words = (
        f"{len(left)} throw-away containers left behind by commands that were killed: {', '.join(left[:3])}"
    )
    yield Finding(level="warning", subject="one-off containers", words=words, cures=(FIX,), repair=clear)
