"""Builds the images of sessions. A tag is the digest of all that goes in: no change, no build.

`localhost/agent-session-base:<digest>` holds what all agents share,
`localhost/agent-session-<agent>:<digest>` one agent on it. In goes: the agent's folder, the pins its
Containerfile asks for, the image it stands on, the machine's architecture.
"""

import contextlib
import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from agent_session.agents.catalog import Agent
from agent_session.engine.image_store import BuildSpec
from agent_session.engine.protocol import Engine
from agent_session.errors import BuildFailed, ConfigurationError, EngineRefused, EngineUnavailable, Hint, edit
from agent_session.host.lock import is_held, lock, lock_file
from agent_session.host.yaml_file import read_yaml
from agent_session.images.base_image import DEFAULT_BASE_IMAGE

PREFIX = "localhost/agent-session-"
DEBIAN = f"{PREFIX}debian:trixie"
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
UNTOLD = ("BASE", "UID", "TARGETARCH")  # arguments that are not pins

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Workshop:
    """Where images are made of what: folders on the host, and the image below all others."""

    folder: Path
    base_image: str
    caches: tuple[Path, ...]
    logs: Path
    locks: Path
    ca_bundle: Path | None = None
    pins: Mapping[str, str] = field(default_factory=dict)  # the user's own


def reference(engine: Engine, workshop: Workshop, agent: Agent) -> str:
    """The image an agent should run now, built or not."""
    return _recipe(engine, workshop, agent.name, agent.folder, _base(engine, workshop).tag).tag


def is_current(engine: Engine, workshop: Workshop, agent: Agent) -> bool:
    """Whether that image is built."""
    return engine.images.exists(reference(engine, workshop, agent))


def base_reference(engine: Engine, workshop: Workshop) -> str:
    """The base image that agents' images are built on now, built or not."""
    return _base(engine, workshop).tag


def any_built(engine: Engine) -> str:
    """The reference of a built image of ours, preferably an agent's; of one to build where none is built.

    Agents' images are prepared for sessions.
    """
    ours = [image for image in engine.images.references() if image.startswith(PREFIX)]
    return max(
        ours, key=lambda image: (not image.startswith(f"{PREFIX}base:"), image), default=f"{PREFIX}base:none"
    )


def older(engine: Engine, agent: str) -> str | None:
    """The reference of an image that was built of another version of the agent's folder; None without one.

    A build removes those before it that no session uses, so that there is rarely more than one.
    """
    return max(
        (one for one in engine.images.references() if one.startswith(f"{PREFIX}{agent}:")), default=None
    )


def ensure_image(
    engine: Engine, workshop: Workshop, agent: Agent, *, tell: Tell, no_cache: bool = False
) -> str:
    """Build the agent's image, and the base if need be, unless they are current; returns its reference.

    `tell` gets every line of what happens. Raises BuildFailed, which names the log with all of it.
    """
    base = _base(engine, workshop)
    recipe = _recipe(engine, workshop, agent.name, agent.folder, base.tag)
    if no_cache or not engine.images.exists(recipe.tag):
        engine.check()
        with _building(workshop, tell):
            if no_cache or not engine.images.exists(base.tag):
                _build(engine, workshop, base, tell=tell, no_cache=no_cache)
            if no_cache or not engine.images.exists(recipe.tag):
                _build(engine, workshop, recipe, tell=tell, no_cache=no_cache)
    return recipe.tag


def ensure_base(engine: Engine, workshop: Workshop, *, tell: Tell) -> str:
    """Build the base image unless it is current; returns its reference."""
    base = _base(engine, workshop)
    if not engine.images.exists(base.tag):
        engine.check()
        with _building(workshop, tell):
            if not engine.images.exists(base.tag):
                _build(engine, workshop, base, tell=tell, no_cache=False)
    return base.tag


def clear_up(engine: Engine, workshop: Workshop) -> None:
    """Remove what builds that were killed have left, as a build does first; not while another one goes on."""
    if not is_held(lock_file(workshop.locks, "build")):
        with lock(workshop.locks, "build", waiting=lambda _pid: None):
            engine.images.remove_stale_builds(engine.images.stale_builds())


@dataclass(frozen=True, kw_only=True)
class _Recipe:
    name: str
    tag: str
    folder: Path
    context: Mapping[str, bytes | Path]
    arguments: Mapping[str, str]


def _base(engine: Engine, workshop: Workshop) -> _Recipe:
    return _recipe(engine, workshop, "base", workshop.folder / "base", workshop.base_image)


def _recipe(engine: Engine, workshop: Workshop, name: str, folder: Path, base: str) -> _Recipe:
    context: dict[str, bytes | Path] = {}
    try:
        for path in sorted(folder.rglob("*")):
            if (
                path.is_file() and "__pycache__" not in path.parts
            ):  # pip compiles what it installs, agents' programs too
                context[path.relative_to(folder).as_posix()] = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(folder, f"cannot be read: {error}") from error
    if "Containerfile" not in context:
        raise ConfigurationError(
            folder, "there is no Containerfile in it", hint=edit(folder / "Containerfile")
        )
    offered = versions(workshop) | {
        "BASE": base,
        "UID": "0" if engine.rootful else "1000",
        "TARGETARCH": engine.architecture,
    }
    wanted = re.findall(
        r"^ARG\s+(\w+)", bytes(context["Containerfile"]).decode("utf-8", "replace"), re.MULTILINE
    )
    arguments = {key: offered[key] for key in wanted if key in offered}
    digest = hashlib.sha256(repr((sorted(arguments.items()), base, engine.architecture)).encode())
    for path_in_context, content in context.items():
        if path_in_context != "agent.yaml":  # read on the host at each start, not part of what runs
            digest.update(repr((path_in_context, content)).encode())
    tag = f"{PREFIX}{name}:{digest.hexdigest()[:16]}"
    return _Recipe(name=name, tag=tag, folder=folder, context=context, arguments=arguments)


def _building(workshop: Workshop, tell: Tell) -> AbstractContextManager[None]:
    return lock(
        workshop.locks,
        "build",
        waiting=lambda pid: tell(f"another build is running (process {pid}); waiting for it"),
    )


def versions(workshop: Workshop) -> dict[str, str]:
    """Every pin: the name of a build argument and its value; the user's own count most."""
    file = workshop.folder / "versions.yaml"
    try:
        return {str(key): str(value) for key, value in read_yaml(file).items()} | dict(workshop.pins)
    except ValueError as error:
        raise ConfigurationError(file, str(error)) from error


def _build(engine: Engine, workshop: Workshop, recipe: _Recipe, *, tell: Tell, no_cache: bool) -> None:
    log = workshop.logs / f"build-{recipe.name}.log"
    with log.open("w", encoding="utf-8") as copy:

        def told(line: str) -> None:
            copy.write(line + "\n")
            copy.flush()
            tell(line)

        try:
            told(f"building {recipe.tag}")
            for line in engine.images.build(_spec(engine, workshop, recipe, told, no_cache=no_cache)):
                told(line)
            # No session runs the base: a copy of all its files would take 9 s and 800 MB for nothing.
            if recipe.name != "base":
                told("preparing its layers for sessions")
                _prepare(engine, recipe)
        except BuildFailed as error:
            copy.write(f"error: {error.message}\n")
            hint = error.hints or Hint(shell=f"less {shlex.quote(str(log))}")
            raise BuildFailed(
                f"the image of '{recipe.name}' could not be built: {error.message}\n  whole log: {log}",
                hint=hint,
            ) from error
    for old in engine.images.references():
        if old.startswith(f"{PREFIX}{recipe.name}:") and old != recipe.tag:
            engine.images.remove(old)  # refused, rightly, while a session uses it


def _spec(engine: Engine, workshop: Workshop, recipe: _Recipe, tell: Tell, *, no_cache: bool) -> BuildSpec:
    """Say what is built: the recipe, and for the base the foundation and Zellij, which are made first."""
    # For RUN --mount=type=bind,source=host-ca.crt: in no layer, in no digest.
    # (Podman 4.3's API knows no build volumes.)
    context = {**recipe.context, "host-ca.crt": workshop.ca_bundle or b""}
    arguments = dict(recipe.arguments)
    if recipe.name == "base":
        # 15 ms of network libraries that a look-up need not pay.
        from agent_session.images import zellij

        arch = MACHINES[engine.architecture]
        context["zellij"] = zellij.zellij_binary(workshop.caches, versions(workshop), arch, tell)
        arguments["BASE"] = _foundation(engine, workshop, tell, afresh=no_cache)
    return BuildSpec(
        tag=recipe.tag,
        context=context,
        arguments=arguments,
        labels={"agent-session.image": recipe.name},
        no_cache=no_cache,
    )


def _prepare(engine: Engine, recipe: _Recipe) -> None:
    """Prepare an image that has just been built; one that cannot be prepared is removed.

    The next build would take it for done otherwise.
    """
    try:
        engine.images.prepare(recipe.tag)
    except BuildFailed as error:
        engine.images.remove(recipe.tag)
        content = 'begin with: ARG BASE, FROM ${BASE}; end with: CMD ["the-agent"]'
        hint = edit(recipe.folder / "Containerfile")._replace(note=content)
        raise BuildFailed(error.message, hint=hint) from error
    except (EngineRefused, EngineUnavailable):
        with contextlib.suppress(EngineRefused, EngineUnavailable):  # the first word is the one that counts
            engine.images.remove(recipe.tag)
        raise


def _foundation(engine: Engine, workshop: Workshop, tell: Tell, *, afresh: bool) -> str:
    """The image below all others: there already, fetched, or made from the host's own Debian mirror."""
    wanted = workshop.base_image
    if not afresh and engine.images.exists(wanted):
        return wanted
    if afresh or wanted != DEFAULT_BASE_IMAGE or not engine.images.exists(DEBIAN):
        try:
            for line in engine.images.pull(wanted):
                tell(line)
            return wanted
        except (EngineRefused, EngineUnavailable) as error:
            if wanted != DEFAULT_BASE_IMAGE:
                raise BuildFailed(error.message, hint=Hint(shell="unset AGENT_SESSION_BASE_IMAGE")) from error
            tell(f"no registry offers {wanted}; making the base from this machine's Debian mirror instead")
        from agent_session.images import debian

        archive = workshop.caches[-1] / "debian.tar"
        archive.parent.mkdir(parents=True, exist_ok=True)
        try:
            debian.bootstrap(archive, "trixie", engine.architecture, tell)
            engine.images.import_archive(archive, DEBIAN)
        finally:
            archive.unlink(missing_ok=True)
    return DEBIAN
