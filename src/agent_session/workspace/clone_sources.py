"""What a clone is made from: the repositories that were typed, and what is taken of one of the host.

The repository is only read here, by the host's git; nothing of it is ever writable in a session. Its objects
may be borrowed: then the session has their directory read-only.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.errors import Hint
from agent_session.host import git
from agent_session.workspace import git_urls, projects
from agent_session.workspace.clones import Clone
from agent_session.workspace.errors import ProjectRefused

REMOTE_KEYS = re.compile(r"remote\.[^\n]+\.url|branch\.[^\n]+\.(?:remote|merge|rebase)")
LARGEST_EXCLUDE = 100_000
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


@dataclass(frozen=True, kw_only=True)
class HostRepository:
    """A repository of the host. `top` is its working tree's, or for a bare one its own directory."""

    top: Path
    git_directory: Path
    bare: bool
    head: str
    objects: Path
    """Its object directory; it may be borrowed where it does not borrow itself."""
    borrows: bool
    shallow: bool
    sha256: bool
    submodules: bool
    lfs: bool


def place(
    typed: Iterable[str], home: Path, *, allow_secrets: bool, taken: Iterable[PurePosixPath] = ()
) -> tuple[Clone, ...]:
    """Resolve what was typed to clones, each at /workspace/<its name>. Raises ProjectRefused."""
    found: dict[tuple[str, str], str] = {}
    for text in dict.fromkeys(typed):
        url = git_urls.read(text)
        if url and url.path is None:
            found[url.url, url.branch] = url.name
            continue
        path, branch = (str(url.path), url.branch) if url else git_urls.split_branch(text)
        source = projects.resolve(path, home=home, allow_secrets=allow_secrets)
        found[str(source), branch] = source.name.removesuffix(".git") or "project"
    names: set[str] = {target.name for target in taken}
    clones = []
    for (source_text, branch), name in found.items():
        free = next(one for one in _numbered(name) if one not in names)
        names.add(free)
        clones.append(Clone(source=source_text, target=inside.WORKSPACE / free, branch=branch))
    return tuple(clones)


def read(
    clone: Clone, home: Path, environment: Mapping[str, str], *, allow_secrets: bool
) -> tuple[Clone, HostRepository]:
    """Look at the host's repository that a clone is to be made from; the clone gets its top and its start.

    Raises ProjectRefused for a directory that is no repository, or whose git cannot be read.
    """
    directory = Path(clone.source)
    try:
        said = git.run(
            directory, "rev-parse", "--is-bare-repository", "--absolute-git-dir", "--git-common-dir",
            "--is-shallow-repository", "--show-object-format", environment=environment,
        )  # fmt: skip
    except git.GitFailed as error:
        raise _no_repository(directory, error.message) from error
    bare, own, common, shallow, form = said.decode("utf-8", "surrogateescape").splitlines()
    shared = (directory / common).resolve()
    top = directory
    if bare != "true":
        inside_tree = git.text(directory, "rev-parse", "--show-toplevel", environment=environment)
        if not inside_tree:
            raise ProjectRefused(directory, "it is inside a git directory, not a working tree")
        top = Path(inside_tree)
    else:
        top = Path(own)
    if top != directory:
        projects.resolve(top, home=home, allow_secrets=allow_secrets)
    _refuse_partial(top, environment)
    repository = HostRepository(
        top=top,
        git_directory=shared,
        bare=bare == "true",
        head=git.text(top, "symbolic-ref", "--quiet", "--short", "HEAD", environment=environment),
        objects=(shared / "objects").resolve(),
        borrows=(shared / "objects/info/alternates").exists(),
        shallow=shallow == "true",
        sha256=form == "sha256",
        submodules=(top / ".gitmodules").is_file(),
        lfs=(shared / "lfs").is_dir(),
    )
    start = _start(clone, repository, environment)
    objects = None if repository.borrows or start == "" else repository.objects
    target = clone.target if top == directory else clone.target.with_name(top.name.removesuffix(".git"))
    placed = replace(clone, source=str(top), start=start, base=start, objects=objects, target=target)
    return placed, repository


def notes(
    clone: Clone,
    repository: HostRepository,
    environment: Mapping[str, str],
    *,
    typed: str,
    with_changes: bool,
) -> Iterator[str]:
    """What the user should know of a clone before the session starts: lines."""
    if typed != clone.source:
        yield f"{typed} is a part of the repository {clone.source}: all of it is cloned"
    if not with_changes and (count := changes(repository, environment)):
        what = "1 uncommitted change stays" if count == 1 else f"{count} uncommitted changes stay"
        yield f"{what} in {clone.source}; --with-changes takes them along"
    if with_changes and repository.bare:
        yield f"{clone.source} is a bare repository: it has no uncommitted changes"
    if repository.submodules:
        yield f"{clone.source} has submodules; in the session they come with: git submodule update --init"
    if repository.lfs:
        yield f"{clone.source} keeps files in Git LFS; in the session they come with: git lfs pull"


def refs(repository: HostRepository, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """List the repository's branches, remote branches and tags: (id, name)."""
    listed = git.run(
        repository.top, "for-each-ref", "--format=%(objectname) %(refname) %(symref)",
        "refs/heads", "refs/remotes", "refs/tags", environment=environment,
    )  # fmt: skip
    lines = (line.split(" ") for line in listed.decode("utf-8", "surrogateescape").splitlines())
    return [(words[0], words[1]) for words in lines if len(words) == 3 and not words[2]]


def settings(repository: HostRepository, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """List what a clone's config takes over: where remotes are, without logins, and what branches follow."""
    listed = git.text(
        repository.top, "config", "--null", "--get-regexp", r"^(remote|branch)\.", environment=environment
    )
    entries = (entry.partition("\n") for entry in listed.split("\0") if entry)
    found = [(key, value) for key, _, value in entries if REMOTE_KEYS.fullmatch(key)]
    return [(key, git_urls.without_login(value) if key.endswith(".url") else value) for key, value in found]


def exclude(repository: HostRepository) -> str:
    """Return the repository's own ignore patterns."""
    try:
        with (repository.git_directory / "info/exclude").open(encoding="utf-8", errors="replace") as file:
            return file.read(LARGEST_EXCLUDE)
    except OSError:
        return ""


def shallow(repository: HostRepository) -> str:
    """Return the commits at which a shallow repository's history ends."""
    return (repository.git_directory / "shallow").read_text() if repository.shallow else ""


def changes(repository: HostRepository, environment: Mapping[str, str]) -> int:
    """Count the uncommitted changes of a working tree, untracked files that are not ignored among them."""
    if repository.bare:
        return 0
    listed = git.run(
        repository.top, "status", "--porcelain", "-z", "--no-renames", "--ignore-submodules=all",
        environment=environment,
    )  # fmt: skip
    return listed.count(b"\0")


def _start(clone: Clone, repository: HostRepository, environment: Mapping[str, str]) -> str:
    """The commit that a clone starts from; "" for a repository without any."""
    ask = ("rev-parse", "--verify", "--quiet", "--end-of-options")
    if not clone.branch:
        return git.text(repository.top, *ask, "HEAD^{commit}", environment=environment)
    for prefix in ("refs/heads/", "refs/remotes/origin/", "refs/tags/", ""):
        name = f"{prefix}{clone.branch}^{{commit}}"
        if found := git.text(repository.top, *ask, name, environment=environment):
            return found
    raise ProjectRefused(
        f"{clone.source}#{clone.branch}",
        f"there is no branch, tag or commit {clone.branch!r}",
        hint=Hint(shell=f"git -C {clone.source} branch -a"),
    )


def _no_repository(directory: Path, said: str) -> ProjectRefused:
    if "not a git repository" in said:
        return ProjectRefused(
            directory,
            "it is not in a git repository, and only those can be cloned; without --clone it is mounted",
            hint=Hint("start", [str(directory)]),
        )
    return ProjectRefused(directory, said)


def _refuse_partial(top: Path, environment: Mapping[str, str]) -> None:
    """Refuse a partial clone: what it has not fetched nobody can borrow."""
    if not git.text(top, "config", "--get-regexp", r"^remote\..*\.promisor$", environment=environment):
        return
    url = git_urls.without_login(git.text(top, "config", "remote.origin.url", environment=environment))
    raise ProjectRefused(
        top,
        "it is a partial clone (git clone --filter), which lacks objects; clone from where it came",
        hint=Hint("start", ["--clone", url or "GIT-URL"]),
    )


def _numbered(name: str) -> Iterator[str]:
    yield name
    number = 1
    while True:
        number += 1
        yield f"{name}-{number}"
