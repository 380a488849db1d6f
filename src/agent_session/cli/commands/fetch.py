"""`agent-session fetch`: bring the commits of a session's clones into repositories of this machine."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli.context import Invocation, note
from agent_session.cli.options import Into, JsonList, Name, Project
from agent_session.cli.parameters import Option
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.sessions.fetch import Fetched
    from agent_session.workspace.clones import Clone

To = Annotated[
    str | None,
    Option("--branch", metavar="BRANCH", help="The branch here that gets the commits. [default: agent/NAME]"),
]
Of = Annotated[
    str | None,
    Option(
        "--from", metavar="BRANCH", help="A branch of the session. [default: the one that has its commits]"
    ),
]
Uncommitted = Annotated[
    bool,
    Option(
        "--uncommitted",
        help="Also what is not committed, as a commit on a branch of its own: BRANCH-uncommitted.",
    ),
]
Force = Annotated[
    bool, Option("--force", help="Replace a branch that has commits which the session's does not have.")
]


def fetch(
    invocation: Invocation,
    name: Name,
    project: Project = None,
    branch: To = None,
    of: Of = None,
    uncommitted: Uncommitted = False,
    force: Force = False,
    into: Into = None,
    as_json: JsonList = False,
) -> None:
    """Bring a session's commits into the repository that its clone was made from, as the branch agent/NAME.

    Nothing of the session's repository is run or believed: git checks every object, and no branch of yours
    loses a commit. The session may run or be stopped.
    """
    from agent_session.activity import shapes
    from agent_session.cli import output
    from agent_session.sessions import fetch as fetching
    from agent_session.sessions import find, which

    done = []
    with invocation.engine(one_question=True) as engine:
        session = find.get(engine, name)
        for clone in which.clones_meant(session, project):
            wish = fetching.FetchWish(
                into=destination(clone, into, "fetch", name),
                branch=branch,
                of=of or "",
                uncommitted=uncommitted,
                force=force,
            )
            done.append(fetching.fetch(engine, session, clone, wish, invocation.environment))
            if not as_json:
                _tell(name, done[-1])
    if as_json:
        output.print_json([shapes.fetched(one) for one in done])


def destination(clone: "Clone", into: Path | None, verb: str, name: str) -> Path:
    """The directory of this machine that gets the work of a clone. UsageError where none is known."""
    found = into.expanduser().absolute() if into else clone.directory
    if found is None:
        made = clone.source or "an archive"
        raise UsageError(
            f"the clone {clone.target.name} was made from {made}: say which repository here gets its work",
            hint=Hint(verb, [name, "--into", "DIRECTORY"]),
        )
    if not found.is_dir():
        raise UsageError(f"there is no directory {found}", hint=Hint(verb, [name, "--into", "DIRECTORY"]))
    return found


def _tell(name: str, done: "Fetched") -> None:
    """The branch on stdout, the rest on stderr: what came, and the command that goes on from here."""
    print(sanitize.shown(done.branch))
    count = "1 commit" if done.commits == 1 else f"{done.commits} commits"
    where = shlex.quote(str(done.into))
    note(f"{count} of session '{name}' ({done.of}) in {done.into}; next: git -C {where} merge {done.branch}")
    if done.replaced:
        note(f"{done.branch} was replaced; it was at {done.replaced}")
    if done.uncommitted:
        print(sanitize.shown(done.uncommitted))
        note(f"what is not committed: git -C {where} diff {done.branch} {done.uncommitted}")
    elif done.left:
        files = "1 file is" if done.left == 1 else f"{done.left} files are"
        note(f"{files} not committed and was left: agent-session fetch {name} --uncommitted")
    if done.stashes:
        note(f"stashes stay in the session: {done.stashes}")
    for other in done.others:
        short = sanitize.line(other.name.removeprefix("refs/heads/"), 200)
        note(
            f"not fetched: {short}, {other.ahead} commits: agent-session "
            f"fetch {name} --from {shlex.quote(short)}"
        )
