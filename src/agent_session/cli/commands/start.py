"""`agent-session start`: the main job. No such session: make it; stopped: start it; then attach.

Who comes back to a session that runs waits for what is imported here: what only others need is imported
where they need it.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent_session.cli import terminal
from agent_session.cli.context import Invocation, note, on_terminal
from agent_session.cli.options import Clipboard, DetachKey
from agent_session.cli.start_options import (
    AgentName,
    AllowSecrets,
    AllowSetuid,
    AllowUserNamespaces,
    AutoApprove,
    Build,
    Clone,
    Cpus,
    Detach,
    DryRun,
    Fresh,
    GithubToken,
    GitSigning,
    ImportFrom,
    Json,
    Label,
    Logins,
    Memory,
    Model,
    Name,
    Network,
    NoProjects,
    Pids,
    Projects,
    Protect,
    Publish,
    ShmSize,
    SshAgent,
    Unprotected,
    UserConfig,
    WithChanges,
)
from agent_session.config import FIELDS
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.config import Config
    from agent_session.sessions.wish import Wish


def start(
    invocation: Invocation,
    projects: Projects = None,
    agent: AgentName = None,
    name: Name = None,
    detach: Detach = None,
    detach_key: DetachKey = None,
    clipboard: Clipboard = None,
    build: Build = None,
    as_json: Json = False,
    fresh: Fresh = None,
    auto_approve: AutoApprove = None,
    import_from: ImportFrom = None,
    no_projects: NoProjects = False,
    logins: Logins = False,
    clone: Clone = None,
    with_changes: WithChanges = None,
    model: Model = None,
    protect: Protect = None,
    unprotected: Unprotected = None,
    user_config: UserConfig = None,
    git_signing: GitSigning = None,
    ssh_agent: SshAgent = None,
    github_token: GithubToken = None,
    memory: Memory = None,
    cpus: Cpus = None,
    pids: Pids = None,
    shm_size: ShmSize = None,
    publish: Publish = None,
    network: Network = None,
    label: Label = None,
    allow_user_namespaces: AllowUserNamespaces = None,
    allow_setuid: AllowSetuid = None,
    allow_secret_directories: AllowSecrets = None,
    dry_run: DryRun = False,
) -> None:
    """Start a session in a project's directory, or come back to it.

    A session that does not exist is made; one that is stopped is started; then this terminal is attached.
    Ctrl q, or closing the window, detaches, and the agent keeps running.

    Two more variables, for a new session: AGENT_SESSION_MOUNTS, a colon-separated list of host paths, mounted
    read-only at the same paths; AGENT_SESSION_KOB, one directory, mounted read-write at its own path, so that
    symbolic links in projects resolve. A flag beats a variable, a variable the configuration file
    (AGENT_SESSION_CONFIG names another), the file the default.
    """
    from agent_session.cli import wishes

    config = invocation.config.with_flags(**_flags(invocation))
    detached = config.detach or as_json or not on_terminal()
    wish = wishes.wish(config, screen=detached)
    _check_import(wish, projects or [], no_projects=no_projects, logins=logins)
    wish = replace(
        wish, logins=logins, no_projects=no_projects, projects=() if no_projects else wish.projects
    )
    wish = wishes.imported(wish, invocation.installation.home, ask=not dry_run)
    if dry_run:
        _print_plan(invocation, wish, config, as_json=as_json)
    else:
        _start(invocation, wish, config, detached=detached, as_json=as_json)


def _flags(invocation: Invocation) -> dict[str, Any]:
    """The options that were given, by their names in Config."""
    given = {name: value for name, value in invocation.given.items() if name in FIELDS}
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


def _start(invocation: Invocation, wish: "Wish", config: "Config", *, detached: bool, as_json: bool) -> None:
    from agent_session.cli import reviews, wishes
    from agent_session.sessions import find

    with invocation.engine(one_question=True) as engine:
        known = find.find_all(engine)
        wish = wishes.named_here(wish, known, config)
        step, session = wishes.fulfil(
            invocation, engine, wish, build=config.build, found=known.get(wish.name)
        )
        reviews.tell_after(step, session)
        if as_json:
            from agent_session.activity import shapes, state
            from agent_session.cli import output

            output.print_json(shapes.session(session, state.read(engine, [session])[session.name]))
        else:
            terminal.arrive(invocation, engine, session, config=config, detached=detached)


def _check_import(wish: "Wish", projects: list[str], *, no_projects: bool, logins: bool) -> None:
    """UsageError for the options of an import without one, and for projects beside --no-projects."""
    vain = "--no-projects" if no_projects else "--logins" if logins else ""
    if vain and not wish.import_from:
        raise UsageError(f"{vain} is for an import", hint=Hint("start", ["--import", "FILE", vain]))
    if no_projects and projects:
        typed = Hint("start", ["--import", str(wish.import_from), *projects])
        raise UsageError(f"--no-projects and {projects[0]!r} contradict each other", hint=typed)


def _print_plan(invocation: Invocation, wish: "Wish", config: "Config", *, as_json: bool) -> None:
    """What a start would do. Nothing is locked or changed."""
    from agent_session.cli import dry_run as printed
    from agent_session.cli import wishes
    from agent_session.sessions import dry_run, find, start

    with invocation.engine() as engine:
        wish = wishes.named_here(wish, find.find_all(engine), config)
        step = start.decide(engine, wish, invocation.installation)
        seed = start.seed_for(engine, step, wish, invocation.installation)
        for line in (*getattr(step, "notes", ()), *(seed.notes if seed else ())):
            note(line)
        if wish.import_from:
            note(f"what is in {wish.import_from} is unpacked by agent-session start only")
        printed.tell(dry_run.describe(engine, step, seed), as_json=as_json)
