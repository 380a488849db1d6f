"""The files of agent-session on this machine beside sessions, and the ways to remove them.

They are images, logins, caches, logs and settings.
"""

import contextlib
import shlex
import shutil
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agent_session.agents.stored_login import login_secret, seal_secret
from agent_session.doctor import program
from agent_session.doctor.program import Removal
from agent_session.engine.protocol import Engine
from agent_session.errors import ConflictError
from agent_session.host import paths
from agent_session.images.build import PREFIX
from agent_session.sessions.labels import LABEL_NAME
from agent_session.sessions.names import NAME, NETWORK, importing_name, volume_names

SYSTEM = (
    Path("/var/cache/agent-session"),
    Path("/etc/containers/containers.conf.d/50-agent-session.conf"),
    Path("/etc/profile.d/agent-session.sh"),
)
"""What scripts/setup --system makes; that is an administrator's."""


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """The images, stored logins, folders and settings of agent-session.

    `secrets` are stored logins by the engine's names; `folders` hold only what can be made again, `settings`
    what a person wrote.
    """

    images: tuple[str, ...]
    secrets: tuple[str, ...]
    folders: tuple[Path, ...]
    settings: tuple[Path, ...]
    links: tuple[Path, ...] = ()
    """To the program in a checkout."""


def find(engine: Engine, agents: Iterable[str]) -> Leftovers:
    """Find the leftovers. Images come in the order in which they can be removed, base images last."""
    built = [image for image in engine.images.references() if image.startswith(PREFIX)]
    below = ("base", "debian")
    order = {name: place for place, name in enumerate(below, 1)}
    built.sort(key=lambda image: (order.get(image.removeprefix(PREFIX).partition(":")[0], 0), image))
    known = [secret for agent in agents for secret in (login_secret(agent), seal_secret(agent))]
    stored = [secret for secret in known if engine.secret_id(secret) is not None]
    own = [
        folder
        for folder in (
            paths.cache_folders()[-1],
            paths.words_folder(),
            paths.log_folder(),
            paths.runtime_folder(),
        )
        if folder not in SYSTEM
    ]
    settings = [paths.config_file().parent, paths.agent_folders()[-1]]
    return Leftovers(
        images=tuple(built),
        secrets=tuple(stored),
        folders=tuple(dict.fromkeys(folder for folder in own if folder.is_dir())),
        settings=tuple(folder for folder in settings if folder.is_dir()),
        links=program.links(),
    )


def remains(engine: Engine, names: Collection[str]) -> dict[str, list[str]]:
    """List sessions of which only volumes are left, by name, as their containers were removed by hand.

    `names` are the existing sessions.
    """
    found: dict[str, list[str]] = {}
    for volume, labels in sorted(engine.volumes(LABEL_NAME).items()):
        name = labels[LABEL_NAME]
        own = (*volume_names(name), importing_name(name))
        if name not in names and volume in own and NAME.fullmatch(name):
            found.setdefault(name, []).append(volume)
    return found


def remove(engine: Engine, found: Leftovers) -> None:
    """Remove images, logins and the sessions' network; what something else uses stays."""
    with contextlib.suppress(ConflictError):
        engine.remove_network(NETWORK)
    for secret in found.secrets:
        engine.remove_secret(secret)
    for image in found.images:
        engine.images.remove(image)


def remove_folders(folders: Sequence[Path]) -> None:
    """Remove directories and links, following no link, after the engine has been closed.

    Its socket may be in one of them.
    """
    for folder in folders:
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            shutil.rmtree(folder)


def remaining(
    engine: Engine, found: Leftovers, environment: Mapping[str, str], *, settings: bool
) -> list[Removal]:
    """What is there still, the program itself included."""
    stays = [program.removal(environment)]
    if settings:
        stays += [
            Removal(what="your settings and agents", command=f"rm -r {shlex.quote(str(folder))}")
            for folder in found.settings
        ]
    kept = engine.images.references() & {*found.images}
    stays += [Removal(what="an image in use", command=f"podman rmi {image}") for image in sorted(kept)]
    stays += [
        Removal(what="what scripts/setup --system made", command=f"sudo rm -r {path}")
        for path in SYSTEM
        if path.exists()
    ]
    return stays
