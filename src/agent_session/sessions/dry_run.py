"""The plan of a start as data, with the podman commands that do the same. Nothing is changed."""

import io
import shlex
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from agent_session import inside
from agent_session.agents.seed import EMPTY
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.sessions import find, places, plan
from agent_session.sessions.names import branch_name, volume_names
from agent_session.sessions.steps import Attach, Create, Deliver, Replace, Resume, Step

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session
    from agent_session.workspace.clones import Clone
    from agent_session.workspace.placeholders import Placeholder

EMPTY_SEED = "tar -cf - -T /dev/null"
Action = Literal["create", "start", "replace", "attach"]


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """The plan: names and paths, never the content of a variable or a file.

    `commands` are lines for a shell, in order.
    """

    name: str
    agent: str
    action: Action
    image: str
    built: bool
    projects: tuple[dict[str, Any], ...] = ()
    mounts: tuple[dict[str, object], ...] = ()
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    protect: str = ""
    """One of protect_mode.MODES."""
    protected: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


def describe(engine: Engine, step: Step, seed: "Seed | None") -> DryRun:
    """What performing a step would do now."""
    if isinstance(step, Attach | Deliver):
        return _attached(engine, step.session)
    actions: dict[type, Action] = {Create: "create", Resume: "start", Replace: "replace"}
    return _planned(engine, step, seed or EMPTY, actions[type(step)])


def _attached(engine: Engine, session: "Session") -> DryRun:
    return DryRun(
        name=session.name,
        agent=session.agent,
        action="attach",
        image=session.image,
        built=True,
        projects=tuple(places.as_data(session.name, session.projects, session.clones)),
        commands=(shlex.join(find.attach_command(engine, session, {})),),
    )


def _planned(engine: Engine, step: "Create | Resume | Replace", seed: "Seed", action: Action) -> DryRun:
    wanted = step.request
    spec = plan.container_spec(wanted)
    built = getattr(step, "built", True)
    variables, files = _crossing(seed)
    held = [held for held in wanted.protection.placeholders if not held.path.exists()]
    own = {mount.target for mount in wanted.protection.mounts}
    return DryRun(
        name=wanted.name,
        agent=wanted.agent.name,
        action=action,
        image=wanted.image,
        built=built,
        projects=tuple(places.as_data(wanted.name, wanted.projects, wanted.clones)),
        mounts=tuple(_mount(mount) for mount in spec.mounts if mount.target not in own),
        variables=(*sorted(spec.environment), *variables),
        files=tuple(files),
        protect=wanted.options.protect,
        protected=tuple(sorted(str(mount.target) for mount in wanted.protection.mounts if mount.read_only)),
        placeholders=tuple(str(placeholder.path) for placeholder in held),
        commands=(
            *([] if built else [shlex.join(["agent-session", "build", wanted.agent.name])]),
            *(_making(placeholder) for placeholder in held),
            *(_cloning(wanted, one) for one in wanted.clones if action == "create"),
            *_commands(engine, spec.name, action, engine.equivalent_commands(spec)),
        ),
    )


def _commands(engine: Engine, container: str, action: str, make: Sequence[Sequence[str]]) -> list[str]:
    """Volumes, container, guard, seed, terminal."""
    from agent_session.workspace.protected_paths import guarded

    *volumes, run = make
    start = [*run[: run.index("run")], "start", container]
    remove = [*run[: run.index("run")], "rm", container]
    lines = {
        "create": [*map(shlex.join, volumes), _folded(run)],
        "replace": [shlex.join(remove), _folded(run)],
        "start": [shlex.join(start)],
    }[action]
    if not engine.rootful:
        exec_ = [
            *run[: run.index("run")],
            "exec",
            "--detach",
            "--privileged",
            "--user",
            "0",
            "--workdir",
            "/",
            container,
        ]
        lines.append(shlex.join([*exec_, inside.SESSION_GUARD, *guarded()]))
    seed = engine.attach_command(
        container, [inside.SESSION_SEED, "--timeout", "60", "--screen"], {}, terminal=False
    )
    attach = engine.attach_command(container, [inside.SESSION_ATTACH], {})
    return [*lines, f"{EMPTY_SEED} | {shlex.join(seed)}", shlex.join(attach)]


def _cloning(request: "SessionRequest", clone: "Clone") -> str:
    """A line that makes a clone as git alone can: it copies what ours borrows."""
    target, source = shlex.quote(str(clone.target)), shlex.quote(clone.source)
    begin = f"git -C {target} switch -q -c {branch_name(request.name)} {clone.start}".rstrip()
    run = ["podman", "run", "--rm", "-i", "--userns=keep-id:uid=1000,gid=1000", "--entrypoint=sh"]
    run += ["-v", f"{volume_names(request.name)[1]}:{inside.WORKSPACE}", request.image, "-ec"]
    if clone.directory:
        make = f"cat > /tmp/bundle; git clone -q /tmp/bundle {target}; {begin}"
        return f"git -C {source} bundle create - --all HEAD | {shlex.join([*run, make])}"
    branch = f"--branch {shlex.quote(clone.branch)} " if clone.branch else ""
    return shlex.join([*run, f"git clone {branch}{source} {target}; {begin}"])


def _folded(command: Sequence[str]) -> str:
    """A long command, an option a line."""
    words = [shlex.quote(word) for word in command]
    return " \\\n  ".join([" ".join(words[: words.index("run") + 1]), *words[words.index("run") + 1 :]])


def _crossing(seed: "Seed") -> tuple[list[str], list[str]]:
    """Names of variables and files in a seed."""
    variables, files = [], []
    with tarfile.open(fileobj=io.BytesIO(seed.archive)) as tar:
        for entry in tar:
            if entry.name == "environment":
                lines = tar.extractfile(entry)
                words = shlex.split(lines.read().decode("utf-8", "surrogateescape")) if lines else []
                variables = [word.partition("=")[0] for word in words[1::2]]
            elif entry.isfile():
                files.append(entry.name.removeprefix("files/"))
    return sorted(variables), sorted(files)


def _making(placeholder: "Placeholder") -> str:
    """The commands that make a placeholder.

    Its time tells agent-session that it is one of its own, to be removed when it is not needed any more.
    """
    from agent_session.workspace.placeholders import MARK

    path = shlex.quote(str(placeholder.path))
    make = (
        f"mkdir {path}"
        if placeholder.content is None
        else f"printf %s {shlex.quote(placeholder.content)} > {path}"
    )
    return f"{make} && touch -d @{MARK} {path}"


def _mount(mount: Mount) -> dict[str, object]:
    return {
        "kind": mount.kind,
        "source": mount.source,
        "target": str(mount.target),
        "read_only": mount.read_only,
    }
