"""The verbs as data: groups, lines in `--help`, examples, and first questions to Podman.

It imports nothing, not even `typing`: it comes before the first question to Podman.
"""

TYPE_CHECKING = False  # as mypy reads it; the real one is in `typing`
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Examples = tuple[tuple[str, str], ...]

SESSIONS, TALK, LOOK, IMAGES, SERVER, MAINTENANCE = GROUPS = (
    "Sessions", "Talk to agents", "Look inside", "Images and logins", "Server", "Maintenance",
)  # fmt: skip
"""In the order of --help."""

OPTION_GROUPS = SESSION, AGENT, PROJECTS, ACCESS, LIMITS = (
    "Session", "Agent", "Projects", "Access", "Limits",
)  # fmt: skip
"""Of a verb with many options, in the order of its help; those in no group come last."""

LISTING, SERVICE, EITHER = "listing", "service", "either"
"""What a verb needs of Podman first: the list of all containers, its API, or (by its other words) the one or
the other."""

RUNNING, STOPPED, ANY = "running", "stopped", "any"
"""Which sessions a verb is for: completion offers only those."""


class Verb:
    """One verb; it is the function `name` of the module cli/commands/<name>.py."""

    def __init__(
        self,
        name: str,
        group: str,
        summary: str,
        needs: str = "",
        sessions: str = ANY,
        *,
        examples: "Examples" = (),
        alias: str = "",
        ends_options: bool = False,
    ) -> None:
        self.name = name
        self.group = group
        self.summary = summary
        """At most 45 characters: its line in --help, whole at 80 columns."""
        self.needs = needs
        self.sessions = sessions
        self.examples = examples
        """Command lines, and what each does."""
        self.alias = alias
        self.ends_options = ends_options
        """What follows its first argument is somebody else's command line."""

    def function(self) -> "Callable[..., Any]":
        """The verb's function; its module is imported for it."""
        from importlib import import_module

        module = import_module(f"agent_session.cli.commands.{self.name}")
        function: Callable[..., Any] = getattr(module, self.name)
        return function


VERBS = {
    verb.name: verb
    for verb in (
        Verb("start", SESSIONS, "Start a session here, or come back to it", EITHER, examples=(
            ("agent-session start", "in a project's directory: a session of it, on this terminal"),
            ("agent-session start -a claude -n web ~/projects/webapp ~/projects/api", "one session with "
                                                                                      "two projects"),
            ("agent-session start -d -n web --memory 4g", "in the background, with a limit"),
        )),
        Verb("attach", SESSIONS, "Put a running session on this terminal", LISTING, RUNNING),
        Verb("dash", SESSIONS, "All sessions on one screen, with keys", LISTING),
        Verb("ls", SESSIONS, "List sessions and what their agents do", LISTING, alias="ps"),
        Verb("note", SESSIONS, "Keep a note on a session", LISTING, examples=(
            ("agent-session note web waits for the review of Anna", "shown by status and ls --wide"),
        )),
        Verb("stop", SESSIONS, "Stop sessions; all they hold stays", EITHER, RUNNING),
        Verb("restart", SESSIONS, "Start a session again, also a running one", SERVICE),
        Verb("rm", SESSIONS, "Remove stopped sessions; projects stay", SERVICE, STOPPED),
        Verb("update", SESSIONS, "Move sessions to their agent's newest image"),
        Verb("move", SESSIONS, "Tell a session where its project is now", SERVICE, STOPPED, examples=(
            ("agent-session move web ~/webapp ~/projects/webapp", "after: mv ~/webapp ~/projects/webapp"),
        )),
        Verb("add", SESSIONS, "Give a session another project", SERVICE, examples=(
            ("agent-session add web ~/projects/docs:ro", "to read, from the next moment on"),
        )),
        Verb("drop", SESSIONS, "Take a project away from a session", SERVICE),
        Verb("enable", SESSIONS, "Start a session when the machine starts", LISTING),
        Verb("disable", SESSIONS, "Start a session by hand only"),
        Verb("rename", SESSIONS, "Give a stopped session another name", SERVICE, STOPPED),
        Verb("fork", SESSIONS, "Start a second session from where one is", SERVICE, examples=(
            ("agent-session fork web other-way", "the same conversation, from here on another one"),
        )),
        Verb("export", SESSIONS, "Save a session in one file"),
        Verb("diff", SESSIONS, "Show what a session changed in its clones", LISTING, examples=(
            ("agent-session diff web", "all since the session's start, committed or not"),
            ("agent-session diff web --stat src", "a line a file, of those in src"),
        )),
        Verb("fetch", SESSIONS, "Bring a session's commits here, as a branch", LISTING, examples=(
            ("agent-session fetch web && git merge agent/web", "its commits into this branch"),
            ("agent-session fetch web --uncommitted", "also what it has not committed, "
                "as agent/web-uncommitted"),
        )),
        Verb("apply", SESSIONS, "Bring a session's changes here, uncommitted", LISTING),
        Verb("prompt", TALK, "Give an agent a turn, wait for its answer", LISTING, RUNNING, examples=(
            ("agent-session prompt --wait web 'why is the login page slow?'", "the answer on stdout"),
            ("git diff | agent-session prompt --wait web -", "the prompt from standard input"),
            ("agent-session prompt web 'fix the failing "
                "test' && agent-session wait web", "go on with something else meanwhile"),
        )),
        Verb("chat", TALK, "Talk with an agent on this terminal", LISTING, RUNNING),
        Verb("answer", TALK, "Answer what an agent waits for", LISTING, RUNNING),
        Verb("interrupt", TALK, "End what an agent is doing", LISTING, RUNNING),
        Verb("send", TALK, "Type into a session's terminal", LISTING, RUNNING),
        Verb("wait", TALK, "Wait until agents are done or need you", LISTING, examples=(
            ("agent-session wait web", "until it is idle, waits for a person, has quit or failed"),
            ("agent-session wait --until waiting,failed --timeout 600 web api", "only for those two, ten "
                                                                                "minutes at most"),
        )),
        Verb("watch", TALK, "Print each change of a session's state", LISTING),
        Verb("models", TALK, "List the models a session can use", LISTING, RUNNING),
        Verb("review", LOOK, "List changed files that run by themselves", LISTING, examples=(
            ("agent-session review web", "what differs, and what would run it"),
            ("agent-session review --diff web .vscode", "line by line"),
            ("agent-session review --revert web .vscode/tasks.json", "what was there before"),
        )),
        Verb("status", LOOK, "Show everything about one session", LISTING),
        Verb("screen", LOOK, "Print what a session's terminal shows", LISTING, RUNNING),
        Verb("logs", LOOK, "Show what happened to a session", LISTING),
        Verb("usage", LOOK, "Show a session's tokens and costs", SERVICE),
        Verb("audit", LOOK, "Show the trail of a session", SERVICE),
        Verb("exec", LOOK, "Run a command in a session", LISTING, RUNNING, ends_options=True, examples=(
            ("agent-session exec web npm test", "where the agent starts, with its environment"),
            ("agent-session exec -- git status", "in the session of this directory"),
            ("agent-session exec web sh -c 'echo $HOME'", "a line for a shell"),
        )),
        Verb("ports", LOOK, "List a session's ports, or forward one here", LISTING, RUNNING, examples=(
            ("agent-session ports web", "what listens in the session, and how this machine reaches it"),
            ("agent-session ports web --publish 3000", "http://127.0.0.1:3000 until Ctrl-C"),
        )),
        Verb("cp", LOOK, "Copy files into a session and out of it", LISTING, examples=(
            ("agent-session cp notes.md web:", "to where the agent starts"),
            ("agent-session cp web:report.pdf .", "back to this directory"),
            ("agent-session cp web:dist - | tar -t", "as a tar on standard output"),
        )),
        Verb("build", IMAGES, "Build the images of agents", SERVICE),
        Verb("agents", IMAGES, "List agents, their images and logins", SERVICE),
        Verb("login", IMAGES, "Log an agent in, once for all sessions"),
        Verb("logout", IMAGES, "Forget an agent's stored login"),
        Verb("serve", SERVER, "Serve sessions over HTTP", examples=(
            ("agent-session serve", "for you, on this machine: it prints a link"),
            ("agent-session serve --url", "a new link to the server that runs, with a QR code for a phone"),
        )),
        Verb("controller", SERVER, "Serve containers to a backend elsewhere"),
        Verb("token", SERVER, "Make, list and remove API tokens", examples=(
            ("agent-session token create ci --scope sessions:read --expires 8w", "a "
                                                                                    "token for a program"),
            ("agent-session token rm ci", "from now on it is refused"),
        )),
        Verb("share", SERVER, "Make a link to watch a session", LISTING, examples=(
            ("agent-session share web --for 2h", "a link for a colleague without an account"),
            ("agent-session share --list", "links that have not ended, each with its id for --revoke"),
        )),
        Verb("keys", SERVER, "Renew the key of agents' logins"),
        Verb("db", SERVER, "Upgrade or inspect the server's database"),
        Verb("doctor", MAINTENANCE, "Find what is wrong, and how to fix it"),
        Verb("config", MAINTENANCE, "Show your choices, or begin a file for them", examples=(
            ("agent-session config show", "what counts here, and where it comes from"),
            ("agent-session config init", "a file in which every key is explained"),
        )),
        Verb("df", MAINTENANCE, "Show what sessions take of the disk"),
        Verb("prune", MAINTENANCE, "Remove images that nothing uses, and caches", examples=(
            ("agent-session prune --caches", "also the package caches of stopped sessions"),
        )),
        Verb("completion", MAINTENANCE, "Print a shell's completion script"),
        Verb("uninstall", MAINTENANCE, "Remove agent-session from this machine"),
        Verb("help", MAINTENANCE, "Show this help, or a command's"),
        Verb("version", MAINTENANCE, "Print the version"),
    )
}  # fmt: skip

ALIASES = {verb.alias: verb.name for verb in VERBS.values() if verb.alias}


def find(word: str) -> Verb | None:
    """The verb that is called so, by its name or its other one."""
    return VERBS.get(ALIASES.get(word, word))
