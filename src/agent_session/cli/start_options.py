"""The options of a new session: a flag, a variable and a key of the configuration file each."""

from typing import Annotated, Any

from agent_session.cli.parameters import Argument, Option
from agent_session.cli.verbs import ACCESS, AGENT, LIMITS, PROJECTS, SESSION
from agent_session.engine import limits, network_mode, published
from agent_session.host import label, model_name
from agent_session.workspace import protect_mode


def _option(*flags: str, meaning: str, group: str | None, env: str = "", **more: Any) -> Any:
    """An option of a group; `env` is its variable as it is typed, without AGENT_SESSION_."""
    variable = f" [env: AGENT_SESSION_{env}]" if env else ""
    return Option(*flags, help=meaning + variable, group=group, **more)


def _switch(name: str, meaning: str, group: str | None, *, values: str = "1") -> Any:
    """An option that is on or off: --NAME and --no-NAME."""
    flag = name.lower().replace("_", "-")
    return _option(f"--{flag}/--no-{flag}", meaning=meaning, group=group, env=f"{name}={values}")


def _limit(name: str, metavar: str, most: str, *, default: int = 0) -> Any:
    """The option of a limit of that name."""
    return Option(
        f"--{name}",
        metavar=metavar,
        parser=limits.READERS[name],
        help=f"The most {most}; 0 is no limit. [env: AGENT_SESSION_{name.upper()}] [default: {default}]",
        group=LIMITS,
    )


Projects = Annotated[
    list[str] | None,
    Argument(
        metavar="[PROJECT]...",
        help="Directories for the agent, each at /workspace/<its name>, PATH:ro for one that it may "
        "only read; for a new session the current one. "
        "A git URL is cloned. "
        "[env: AGENT_SESSION_PROJECTS, colon-separated]",
    ),
]
AgentName = Annotated[
    str | None,
    _option(
        "-a",
        "--agent",
        metavar="AGENT",
        meaning="The agent. [env: AGENT_SESSION_AGENT] [default: asked on a terminal, otherwise claude]",
        group=AGENT,
    ),
]
Name = Annotated[
    str | None,
    _option(
        "-n",
        "--name",
        metavar="NAME",
        meaning="The session's name. [env: AGENT_SESSION_NAME] [default: default]",
        group=SESSION,
    ),
]
Detach = Annotated[
    bool | None,
    _option(
        "-d",
        "--detach",
        meaning="Do not attach: return when the agent's screen is up and print the session's name.",
        group=SESSION,
        env="DETACH=1",
    ),
]
Build = Annotated[
    bool | None,
    _switch(
        "BUILD",
        "Build a missing image without asking, or never; start then takes one that is out of date.",
        AGENT,
        values="1 or 0",
    ),
]
Json = Annotated[
    bool, _option("--json", meaning="Like --detach, and print the session as JSON.", group=SESSION)
]
Fresh = Annotated[
    bool | None,
    _option("--fresh", meaning="A new conversation, not the last one.", group=AGENT, env="FRESH=1"),
]
AutoApprove = Annotated[bool | None, _switch("AUTO_APPROVE", "The agent does not ask before it acts.", AGENT)]
ImportFrom = Annotated[
    str | None,
    _option(
        "--import",
        metavar="FILE",
        meaning="A new session with what `agent-session export` saved: its agent and name, unless others are "
        "given. Name its projects; on a terminal those that it had are asked about.",
        group=SESSION,
        env="IMPORT_FROM",
    ),
]
NoProjects = Annotated[
    bool,
    _option(
        "--no-projects",
        meaning="With --import: no directory of this machine, whatever the archive names.",
        group=SESSION,
    ),
]
Logins = Annotated[
    bool,
    _option(
        "--logins",
        meaning="With --import: the session gets your logins at once. Otherwise it gets them at its next "
        "start, because programs in the archive run before you have looked at it.",
        group=SESSION,
    ),
]
Clone = Annotated[
    bool | None,
    _switch(
        "CLONE",
        "The session works in clones of its own, on the branch "
        "agent/NAME, and can write to nothing of yours; "
        "its work comes back with fetch and apply. PROJECT may be a git URL, which is always cloned; #BRANCH "
        "after it is what the clone starts from.",
        PROJECTS,
    ),
]
WithChanges = Annotated[
    bool | None,
    _option(
        "--with-changes",
        meaning="With --clone: your uncommitted changes come along: staged, unstaged, and untracked files "
        "that are not ignored.",
        group=PROJECTS,
        env="WITH_CHANGES=1",
    ),
]
Unprotected = Annotated[
    list[str] | None,
    _option(
        "--unprotected",
        metavar="PATH",
        meaning="A path in a project that the agent may change although this machine could run what it puts "
        "there: .vscode, .git/hooks, ... Repeatable. [env: AGENT_SESSION_UNPROTECTED, colon-separated]",
        group=PROJECTS,
    ),
]
Protect = Annotated[
    str | None,
    _option(
        "--protect",
        metavar="MODE",
        parser=protect_mode.read,
        meaning="What happens with files in a project that this machine "
        "could run by itself (.vscode, .envrc, "
        "...): review: the agent may write them, and agent-session "
        "tells which differ; strict: it cannot; off: "
        "neither. Git's config and hooks are guarded in each. [env: AGENT_SESSION_PROTECT] [default: review]",
        group=PROJECTS,
    ),
]
UserConfig = Annotated[
    bool | None,
    _switch(
        "USER_CONFIG",
        "Copies of your own instructions, settings, commands and skills for the agent come along (the "
        "default), or do not.",
        AGENT,
        values="1 or 0",
    ),
]
GitSigning = Annotated[
    bool | None,
    _switch(
        "GIT_SIGNING",
        "Commits in the session are signed with your SSH key, by your ssh-agent: whatever the agent "
        "commits is signed as you. Implies --ssh-agent.",
        ACCESS,
    ),
]
SshAgent = Annotated[
    bool | None,
    _switch(
        "SSH_AGENT",
        "The session may use your ssh-agent while it runs: log in, push and sign as you wherever its "
        "keys are known, though not read them.",
        ACCESS,
    ),
]
GithubToken = Annotated[
    bool | None,
    _switch(
        "GITHUB_TOKEN",
        "The session gets your GitHub token (GH_TOKEN, GITHUB_TOKEN or gh's login): the agent can "
        "read it and do all that it allows.",
        ACCESS,
    ),
]
Model = Annotated[
    str | None,
    Option(
        "--model",
        metavar="MODEL",
        parser=model_name.read,
        help="The model that the agent starts with, in its own words. "
        "[env: AGENT_SESSION_MODEL] [default: the agent's own choice]",
        group=AGENT,
    ),
]
Memory = Annotated[int | None, _limit("memory", "SIZE", "memory the session may use: 512m, 2g")]
Cpus = Annotated[float | None, _limit("cpus", "NUMBER", "processors: 2, 1.5")]
Pids = Annotated[int | None, _limit("pids", "NUMBER", "processes and threads", default=limits.PIDS)]
ShmSize = Annotated[
    int | None,
    Option(
        "--shm-size",
        metavar="SIZE",
        parser=limits.READERS["shm_size"],
        help="The size of /dev/shm, memory that browsers and test workers share: 256m, 2g. "
        f"[env: AGENT_SESSION_SHM_SIZE] [default: {limits.written(limits.SHM)}]",
        group=LIMITS,
    ),
]
Publish = Annotated[
    list[str] | None,
    _option(
        "-p",
        "--publish",
        metavar="[HOST:]PORT",
        parser=published.read,
        meaning="A port of the session that this machine reaches at 127.0.0.1, as HOST or the same number. "
        "Repeatable; none publishes nothing any more. [env: AGENT_SESSION_PUBLISH, comma-separated]",
        group=ACCESS,
    ),
]
Network = Annotated[
    str | None,
    _option(
        "--network",
        metavar="open|none",
        parser=network_mode.read,
        meaning="open: the session reaches the network; none: it reaches nothing, so that an agent whose "
        "model is elsewhere cannot work. [env: AGENT_SESSION_NETWORK] [default: open]",
        group=ACCESS,
    ),
]
Label = Annotated[
    list[str] | None,
    _option(
        "--label",
        metavar="KEY=VALUE",
        parser=label.read,
        meaning="A label of your own, for `ls --filter label=KEY=VALUE`. Repeatable; none takes them away. "
        "[env: AGENT_SESSION_LABEL, comma-separated]",
        group=SESSION,
    ),
]
AllowUserNamespaces = Annotated[
    bool | None,
    _switch(
        "ALLOW_USER_NAMESPACES",
        "Programs in the session may make user namespaces (bwrap, Chromium's sandbox, Podman). The "
        "agent can then change every protected path.",
        None,
    ),
]
AllowSetuid = Annotated[
    bool | None,
    _switch(
        "ALLOW_SETUID",
        "Programs in the session may set the set-user-id and set-group-id bits of files: other users "
        "of this machine can then act as you.",
        None,
    ),
]
AllowSecrets = Annotated[
    bool | None,
    _option(
        "--allow-secret-directories",
        meaning="Insist on a PROJECT that holds keys, logins or programs of yours.",
        group=PROJECTS,
        env="ALLOW_SECRET_DIRECTORIES=1",
    ),
]
DryRun = Annotated[
    bool,
    _option(
        "--dry-run",
        meaning="Change nothing: print what would be done, and the podman commands that do the same. With "
        "--json as one object.",
        group=SESSION,
    ),
]
