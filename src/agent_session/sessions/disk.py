"""What sessions and their images take of the disk, and what of it can go: images, and caches in homes."""

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from agent_session import sanitize
from agent_session.engine.command import OneOff
from agent_session.engine.protocol import Engine
from agent_session.errors import EngineRefused
from agent_session.host import nofollow
from agent_session.images import build
from agent_session.sessions import find, local_files, plan
from agent_session.sessions.installation import Installation
from agent_session.sessions.labels import LABEL_NAME
from agent_session.sessions.names import volume_names
from agent_session.sessions.session import Session

CACHES = (".cache", ".npm/_cacache", ".cargo/registry", ".bun/install/cache", "go/pkg/mod/cache")
"""Below the home: what programs fetch again when it is not there."""
SECONDS = 600


@dataclass(frozen=True, kw_only=True)
class SessionUse:
    """What a session takes, in bytes; None where it cannot be measured."""

    name: str
    status: Literal["running", "stopped"]
    home: int | None
    caches: int | None
    """Of the home."""
    workspace: int | None
    container: int | None


@dataclass(frozen=True, kw_only=True)
class ImageUse:
    """An image of agent-session. What images share is counted in each of them."""

    reference: str
    size: int
    sessions: tuple[str, ...]
    """Those that have it."""
    current: bool
    """Whether a new session would get it, or one that is built would be built on it."""


@dataclass(frozen=True, kw_only=True)
class Disk:
    """All of it."""

    sessions: tuple[SessionUse, ...]
    images: tuple[ImageUse, ...]
    left: Mapping[str, int] = field(default_factory=dict)
    """Volumes of sessions whose containers are gone."""

    @property
    def unused(self) -> list[ImageUse]:
        """The images that no session has, and no new one would get."""
        return [one for one in self.images if not one.sessions and not one.current]


def measure(engine: Engine, installation: Installation) -> Disk:
    """Measure it. Nothing is changed."""
    sessions, use = find.list_sessions(engine), engine.disk_use()
    current = _current(engine, installation)
    ours = sorted(one for one in use.images if one.startswith(build.PREFIX))
    own = {volume for session in sessions for volume in volume_names(session.name)}
    return Disk(
        sessions=tuple(_of_session(engine, one, use.volumes, use.containers) for one in sessions),
        images=tuple(
            ImageUse(
                reference=image,
                size=use.images[image],
                sessions=tuple(one.name for one in sessions if one.image == image),
                current=image in current or image.startswith(f"{build.PREFIX}debian:"),
            )
            for image in ours
        ),
        left={name: use.volumes.get(name, 0) for name in engine.volumes(LABEL_NAME) if name not in own},
    )


def _current(engine: Engine, installation: Installation) -> set[str]:
    workshop = installation.workshop()
    agents = installation.agents().values()
    return {
        build.base_reference(engine, workshop),
        *(build.reference(engine, workshop, one) for one in agents),
    }


def _of_session(
    engine: Engine, session: Session, volumes: Mapping[str, int], containers: Mapping[str, int]
) -> SessionUse:
    home, workspace = volume_names(session.name)
    place = local_files.volume_path(engine, home)
    return SessionUse(
        name=session.name,
        status=session.status,
        home=volumes.get(home),
        caches=sum(_tree_size(place, path) for path in CACHES) if place else None,
        workspace=volumes.get(workspace),
        container=containers.get(session.container),
    )


def _tree_size(top: Path, path: str) -> int:
    """The bytes of a directory below another; no link is followed, and what cannot be read counts nothing."""
    try:
        folder = nofollow.open_directory(top, *path.split("/"))
    except OSError:
        return 0
    size = 0
    try:
        for _, _, files, opened in os.fwalk(".", dir_fd=folder, follow_symlinks=False):
            for name in files:
                with contextlib.suppress(OSError):
                    size += os.stat(name, dir_fd=opened, follow_symlinks=False).st_blocks * 512
    finally:
        os.close(folder)
    return size


def remove_images(engine: Engine, images: Iterable[ImageUse]) -> list[str]:
    """Remove images; returns the references of those that are gone. One in use stays."""
    wanted = [one.reference for one in images]
    for reference in sorted(wanted, key=lambda one: one.startswith(f"{build.PREFIX}base:")):
        engine.images.remove(reference)
    there = engine.images.references()
    return [one for one in wanted if one not in there]


def clear_caches(engine: Engine, sessions: Sequence[Session]) -> None:
    """Empty the caches in the homes of stopped sessions. Raises EngineRefused."""
    for session in sessions:
        command = ("/bin/rm", "-rf", "--one-file-system", "--", *(f"/home/agent/{path}" for path in CACHES))
        mounts = plan.volume_mounts(session.name)[:1]
        done = engine.run_one_off(
            OneOff(image=session.image, command=command, mounts=mounts), timeout=SECONDS
        )
        if done.exit_code:
            said = sanitize.message(done.message, 300)
            raise EngineRefused(f"the caches of session '{session.name}' could not be removed: {said}")
