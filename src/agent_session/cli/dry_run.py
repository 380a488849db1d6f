"""`agent-session start --dry-run`: what a start would do, and how Podman alone would do it. Nothing is made, locked or changed."""

import io
import shlex
import tarfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from agent_session import inside, sanitize
from agent_session.cli import output, request
from agent_session.cli.context import Invocation, note
from agent_session.config import Config
from agent_session.errors import NameTaken

if TYPE_CHECKING:
    from agent_session.agents.seed import Seed
    from agent_session.engine.protocol import Engine, Mount
    from agent_session.sessions.archive import Manifest
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session
    from agent_session.workspace.placeholders import Placeholder

EMPTY_SEED = "tar -cf - -T /dev/null"


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """The plan: names and paths, never what is in a variable or a file. `commands` are lines for a shell, in order."""

    name: str
    agent: str
    action: Literal["create", "start", "replace", "attach"]
    image: str
    built: bool
    projects: tuple[dict[str, str], ...] = ()
    mounts: tuple[dict[str, object], ...] = ()
    variables: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    protected: tuple[str, ...] = ()
    placeholders: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


def find(engine: "Engine", name: str) -> "Session | None":
    """The session of that name, looked at and left alone; NameTaken as in sessions.find."""
    from agent_session.sessions.labels import read
    from agent_session.sessions.names import check_name, container_name

    container = engine.container(container_name(check_name(name)))
    session = read(container) if container else None
    if container and session is None:
        raise NameTaken(name, container.name)
    return session


def rehearse(
    invocation: Invocation,
    engine: "Engine",
    config: Config,
    session: "Session | None",
    manifest: "Manifest | None",
) -> Rehearsal:
    """What a start with these choices would do now."""
    from agent_session.images import build
    from agent_session.sessions import find as sessions

    if session and session.running:
        attach = shlex.join(sessions.attach_command(engine, session, {}))
        projects = tuple({"source": str(p.source), "target": str(p.target)} for p in session.projects)
        return Rehearsal(
            name=session.name, agent=session.agent, action="attach", image=session.image, built=True,
            projects=projects, commands=(attach,),
        )  # fmt: skip
    action: Literal["create", "start", "replace"] = "create"
    if session:
        agent = invocation.agents().get(session.agent)
        wanted, image, built = (
            request.asked_again(invocation, engine, session, agent, config),
            session.image,
            True,
        )
        same = (session.login, session.options, session.protection)
        action = "start" if (wanted.login, wanted.options, wanted.protection.digest) == same else "replace"
    else:
        wanted = request.wished(invocation, engine, config, manifest)
        agent, workshop = wanted.agent, invocation.workshop()
        image = build.reference(engine, workshop, agent)
        built = build.is_current(engine, workshop, agent)
    seed = request.seed_for(invocation, agent, wanted, fresh=config.fresh)
    if config.import_from:
        note(f"what is in {config.import_from} is unpacked by agent-session start only")
    return _planned(engine, wanted, seed, image=image, built=built, action=action)


def _planned(
    engine: "Engine", wanted: "SessionRequest", seed: "Seed", *, image: str, built: bool,
    action: Literal["create", "start", "replace"],
) -> Rehearsal:  # fmt: skip

    from agent_session.sessions import plan

    spec = plan.container_spec(replace(wanted, image=image))
    variables, files = _crossing(seed)
    held = [held for held in wanted.protection.placeholders if not held.path.exists()]
    own = {mount.target for mount in wanted.protection.mounts}
    return Rehearsal(
        name=wanted.name,
        agent=wanted.agent.name,
        action=action,
        image=image,
        built=built,
        projects=tuple({"source": str(p.source), "target": str(p.target)} for p in wanted.projects),
        mounts=tuple(_mount(mount) for mount in spec.mounts if mount.target not in own),
        variables=(*sorted(spec.environment), *variables),
        files=(*(str(inside.SECRETS / secret.target) for secret in spec.secrets), *files),
        protected=tuple(sorted(str(mount.target) for mount in wanted.protection.mounts if mount.read_only)),
        placeholders=tuple(str(placeholder.path) for placeholder in held),
        commands=(
            *([] if built else [shlex.join(["agent-session", "build", wanted.agent.name])]),
            *(_making(placeholder) for placeholder in held),
            *_commands(engine, spec.name, action, engine.equivalent_commands(spec)),
        ),
    )


def _commands(engine: "Engine", container: str, action: str, make: Sequence[Sequence[str]]) -> list[str]:
    """Volumes, container, guard, seed, terminal."""
    from agent_session.workspace.protection import guarded

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
    """What makes one: the time tells agent-session that it is one of its own, to be removed when it is not needed any more."""
    from agent_session.workspace.placeholders import MARK

    path = shlex.quote(str(placeholder.path))
    make = (
        f"mkdir {path}"
        if placeholder.content is None
        else f"printf %s {shlex.quote(placeholder.content)} > {path}"
    )
    return f"{make} && touch -d @{MARK} {path}"


def _mount(mount: "Mount") -> dict[str, object]:
    return {
        "kind": mount.kind,
        "source": mount.source,
        "target": str(mount.target),
        "read_only": mount.read_only,
    }


def tell(plan: Rehearsal, *, as_json: bool) -> None:
    """The plan as comments and its commands: what is printed is a script that does it. Or all of it as JSON."""
    if as_json:
        output.print_json(asdict(plan))
        return
    happens = {
        "create": "would be made", "start": "is stopped and would be started", "attach": "runs and would be attached to",
        "replace": "is stopped and would get another container on its volumes",
    }[plan.action]  # fmt: skip
    lines = [
        ("session", [f"{plan.name} ({happens})"]),
        ("agent", [plan.agent]),
        ("image", [plan.image + ("" if plan.built else " (would be built)")]),
        ("projects", [f"{project['source']} at {project['target']}" for project in plan.projects]),
        ("mounts", [_told(mount) for mount in plan.mounts]),
        ("variables", [", ".join(plan.variables)]),
        ("files", [", ".join(plan.files)]),
        ("protected", plan.protected),
        ("held", [f"{path} (while it runs)" for path in plan.placeholders]),
    ]
    for title, values in lines:
        for value in values:
            if value:
                print(sanitize.shown(f"# {title:<9}  {value}"))
    if plan.action != "attach":
        print(
            "#\n# The tar on session-seed's standard input is what crosses over: `environment` (lines export NAME=value),\n"
            "# `files/NAME` and `gitconfig`. This one is empty: no login, no settings."
        )
    print("\n".join(plan.commands))


def _told(mount: dict[str, object]) -> str:
    how = f"{mount['kind']}{', read-only' if mount['read_only'] else ''}"
    return f"{mount['source'] or 'memory'} at {mount['target']} ({how})"
