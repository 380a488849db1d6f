"""The options of a new session: a flag, a variable and a key of the configuration file each."""

from typing import Annotated, Any

import typer

from agent_session.cli.verbs import ACCESS, AGENT, LIMITS, PROJECTS, SESSION
from agent_session.engine import limits
from agent_session.workspace import protect_mode


def _limit(name: str, metavar: str, most: str, *, default: int = 0) -> Any:
    """The option of a limit of that name."""

    def read(text: str) -> int | float:
        try:
            return limits.READERS[name](text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return typer.Option(
        f"--{name}",
        metavar=metavar,
        parser=read,
        help=f"The most {most}; 0 is no limit. [env: AGENT_SESSION_{name.upper()}] [default: {default}]",
        show_default=False,
        rich_help_panel=LIMITS,
    )


def _mode(text: str) -> str:
    try:
        return protect_mode.read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


Projects = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[PROJECT]...",
        help="Directories for the agent, each at /workspace/<its name>; for a new session the current one. "
        "[env: AGENT_SESSION_PROJECTS, colon-separated]",
        show_default=False,
    ),
]
AgentName = Annotated[
    str | None,
    typer.Option(
        "-a",
        "--agent",
        metavar="AGENT",
        help="The agent. [env: AGENT_SESSION_AGENT] [default: asked on a terminal, otherwise claude]",
        show_default=False,
        rich_help_panel=AGENT,
    ),
]
Name = Annotated[
    str | None,
    typer.Option(
        "-n",
        "--name",
        metavar="NAME",
        help="The session's name. [env: AGENT_SESSION_NAME] [default: default]",
        show_default=False,
        rich_help_panel=SESSION,
    ),
]
Detach = Annotated[
    bool | None,
    typer.Option(
        "-d",
        "--detach",
        help="Do not attach: return when the agent's screen is up and print the session's name. [env: "
        "AGENT_SESSION_DETACH=1]",
        show_default=False,
        rich_help_panel=SESSION,
    ),
]
Build = Annotated[
    bool | None,
    typer.Option(
        "--build/--no-build",
        help="Build a missing image without asking, or never. [env: AGENT_SESSION_BUILD=1 or 0]",
        show_default=False,
        rich_help_panel=AGENT,
    ),
]
Json = Annotated[
    bool,
    typer.Option("--json", help="Like --detach, and print the session as JSON.", rich_help_panel=SESSION),
]
Fresh = Annotated[
    bool | None,
    typer.Option(
        "--fresh",
        help="A new conversation, not the last one. [env: AGENT_SESSION_FRESH=1]",
        show_default=False,
        rich_help_panel=AGENT,
    ),
]
AutoApprove = Annotated[
    bool | None,
    typer.Option(
        "--auto-approve/--no-auto-approve",
        help="The agent does not ask before it acts. [env: AGENT_SESSION_AUTO_APPROVE=1]",
        show_default=False,
        rich_help_panel=AGENT,
    ),
]
ImportFrom = Annotated[
    str | None,
    typer.Option(
        "--import",
        metavar="FILE",
        help="A new session with what `agent-session export` saved: its agent and name, unless others are given. "
        "Name its projects; on a terminal those that it had are asked about. "
        "[env: AGENT_SESSION_IMPORT_FROM]",
        show_default=False,
        rich_help_panel=SESSION,
    ),
]
NoProjects = Annotated[
    bool,
    typer.Option(
        "--no-projects",
        help="With --import: no directory of this machine, whatever the archive names.",
        rich_help_panel=SESSION,
    ),
]
Logins = Annotated[
    bool,
    typer.Option(
        "--logins",
        help="With --import: the session gets your logins at once. Otherwise it gets them at its next start, because programs in the "
        "archive run before you have looked at it.",
        rich_help_panel=SESSION,
    ),
]
Unprotected = Annotated[
    list[str] | None,
    typer.Option(
        "--unprotected",
        metavar="PATH",
        help="A path in a project that the agent may change although this machine could run what it puts "
        "there: .vscode, "
        ".git/hooks, ... Repeatable. [env: AGENT_SESSION_UNPROTECTED, colon-separated]",
        show_default=False,
        rich_help_panel=PROJECTS,
    ),
]
Protect = Annotated[
    str | None,
    typer.Option(
        "--protect",
        metavar="MODE",
        parser=_mode,
        help="What happens with files in a project that this machine could run by itself (.vscode, .envrc, ...): "
        "review: the agent may write them, and agent-session tells which differ; strict: it cannot; off: "
        "neither. Git's config and hooks are guarded in each. [env: AGENT_SESSION_PROTECT] [default: review]",
        show_default=False,
        rich_help_panel=PROJECTS,
    ),
]
UserConfig = Annotated[
    bool | None,
    typer.Option(
        "--user-config/--no-user-config",
        help="Copies of your own instructions, settings, commands and skills for the agent come along (the "
        "default), or do not. "
        "[env: AGENT_SESSION_USER_CONFIG=1 or 0]",
        show_default=False,
        rich_help_panel=AGENT,
    ),
]
GitSigning = Annotated[
    bool | None,
    typer.Option(
        "--git-signing/--no-git-signing",
        help="Commits in the session are signed with your SSH key, by your ssh-agent: whatever the agent "
        "commits is signed as you. "
        "Implies --ssh-agent. [env: AGENT_SESSION_GIT_SIGNING=1]",
        show_default=False,
        rich_help_panel=ACCESS,
    ),
]
SshAgent = Annotated[
    bool | None,
    typer.Option(
        "--ssh-agent/--no-ssh-agent",
        help="The session may use your ssh-agent while it runs: log in, push and sign as you wherever its "
        "keys are known, "
        "though not read them. [env: AGENT_SESSION_SSH_AGENT=1]",
        show_default=False,
        rich_help_panel=ACCESS,
    ),
]
GithubToken = Annotated[
    bool | None,
    typer.Option(
        "--github-token/--no-github-token",
        help="The session gets your GitHub token (GH_TOKEN, GITHUB_TOKEN or gh's login): the agent can "
        "read it and do all that "
        "it allows. [env: AGENT_SESSION_GITHUB_TOKEN=1]",
        show_default=False,
        rich_help_panel=ACCESS,
    ),
]
Memory = Annotated[int | None, _limit("memory", "SIZE", "memory the session may use: 512m, 2g")]
Cpus = Annotated[float | None, _limit("cpus", "NUMBER", "processors: 2, 1.5")]
Pids = Annotated[int | None, _limit("pids", "NUMBER", "processes and threads", default=limits.PIDS)]
AllowUserNamespaces = Annotated[
    bool | None,
    typer.Option(
        "--allow-user-namespaces/--no-allow-user-namespaces",
        help="Programs in the session may make user namespaces (bwrap, Chromium's sandbox, Podman). The "
        "agent can then change every "
        "protected path. [env: AGENT_SESSION_ALLOW_USER_NAMESPACES=1]",
        show_default=False,
    ),
]
AllowSetuid = Annotated[
    bool | None,
    typer.Option(
        "--allow-setuid/--no-allow-setuid",
        help="Programs in the session may set the set-user-id and set-group-id bits of files: other users "
        "of this machine can then "
        "act as you. [env: AGENT_SESSION_ALLOW_SETUID=1]",
        show_default=False,
    ),
]
AllowSecrets = Annotated[
    bool | None,
    typer.Option(
        "--allow-secret-directories",
        help="Insist on a PROJECT that holds keys, logins or programs of yours. [env: AGENT_SESSION_ALLOW_SECRET_DIRECTORIES=1]",
        show_default=False,
        rich_help_panel=PROJECTS,
    ),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        help="Change nothing: print what would be done, and the podman commands that do the same. With "
        "--json as one object.",
        rich_help_panel=SESSION,
    ),
]
