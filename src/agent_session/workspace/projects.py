"""The projects: host directories that an agent may see, their places, and those it may never see.

Looks at the file system (does it exist, what does it resolve to) and changes nothing.
"""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from agent_session import inside
from agent_session.errors import SOME_PROJECT, Hint
from agent_session.workspace.errors import ProjectRefused
from agent_session.workspace.private_directories import refuse_private, refuse_system

READ_ONLY = ":ro"
"""What is typed behind a project that the agent may read and not write."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """A host directory and where the agent sees it."""

    source: Path
    target: PurePosixPath
    read_only: bool = False

    def __str__(self) -> str:
        """The directory as it is typed."""
        return f"{self.source}{READ_ONLY if self.read_only else ''}"


def is_place(target: PurePosixPath) -> bool:
    """Whether a path of a container is one that a project can have."""
    return target.parent == inside.WORKSPACE and target.name != ".." and str(target).isprintable()


def split_mode(text: str) -> tuple[str, bool]:
    """Split PATH:ro into the path and whether it is read-only. A directory of that name is itself."""
    path = text.removesuffix(READ_ONLY)
    if path == text or not path or Path(text).expanduser().exists():
        return text, False
    return path, True


def resolve_projects(paths: Iterable[str | Path], *, home: Path, allow_secrets: bool) -> tuple[Project, ...]:
    """Resolve these paths to projects, each once, in the order given. Raises ProjectRefused.

    The target is /workspace/<directory's real name>; where two share a name, parents are put in front until
    they differ. What is given once as PATH:ro is read-only.
    """
    modes: dict[Path, bool] = {}
    for text in map(str, paths):
        path, read_only = split_mode(text)
        source = resolve(path, home=home, allow_secrets=allow_secrets)
        modes[source] = modes.get(source, False) or read_only
    names = _distinct_names(list(modes))
    return tuple(
        Project(source=source, target=inside.WORKSPACE / names[source], read_only=read_only)
        for source, read_only in modes.items()
    )


def retargeted(projects: tuple[Project, ...], targets: Sequence[PurePosixPath]) -> tuple[Project, ...]:
    """Move the projects to other targets, if there are as many.

    The conversations of an imported session name those.
    """
    if len(targets) != len(projects) or len(set(targets)) != len(targets):
        return projects
    return tuple(replace(one, target=target) for one, target in zip(projects, targets, strict=True))


def resolve_mounts(paths: Iterable[str | Path], *, home: Path, allow_secrets: bool) -> tuple[Path, ...]:
    """Resolve directories or files to be mounted at their own path.

    Raises ProjectRefused, also for a path that would hide a part of the container.
    """
    mounts = []
    for path in paths:
        resolve(path, home=home, allow_secrets=allow_secrets, must_be_directory=False)
        # The same path as on the host, symbolic links and all.
        lexical = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100
        above, below = {lexical, *lexical.parents}, {Path(name): name for name in inside.DIRECTORIES}
        hidden = [name for place, name in below.items() if place in above or lexical in place.parents]
        if hidden:
            raise ProjectRefused(
                path, f"mounted at the same path it would hide the container's own {hidden[0]}"
            )
        mounts.append(lexical)
    return tuple(dict.fromkeys(mounts))


def resolve(path: str | Path, *, home: Path, allow_secrets: bool, must_be_directory: bool = True) -> Path:
    """Resolve the real path of something an agent may see. Raises ProjectRefused otherwise."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ProjectRefused(repr(text), "its name is not UTF-8, which Podman needs") from None
    if _has_controls(text):
        raise ProjectRefused(text, "there is a control character in its name")
    if not text:
        raise ProjectRefused(text, "the path is empty")
    try:
        typed = Path(text).expanduser()
        refuse_system(text, typed if typed.is_absolute() else Path.cwd() / typed)
        source = typed.resolve(strict=True)
        is_directory = source.is_dir()
    except FileNotFoundError:
        raise _missing(text) from None
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ProjectRefused(text, f"it cannot be looked at: {reason}") from error
    if must_be_directory and not is_directory:
        raise ProjectRefused(text, "it is not a directory", hint=Hint("start", [str(source.parent)]))
    if _has_controls(str(source)):
        raise ProjectRefused(text, "its real path has a control character or is not UTF-8")
    if is_directory and not os.access(source, os.R_OK | os.X_OK):
        raise ProjectRefused(text, "you may not read it")
    refuse_private(text, source, home.resolve(), allow_secrets=allow_secrets)
    return source


def _missing(text: str) -> ProjectRefused:
    """The refusal of a path that does not exist, with the command that was perhaps meant."""
    path, _, suffix = text.rpartition(":")
    if re.fullmatch(r"[a-zA-Z,]{1,12}", suffix) and path and Path(path).expanduser().is_dir():
        return ProjectRefused(
            text,
            f":{suffix} is not known; a project is writable, and read-only with {READ_ONLY} behind it",
            hint=(Hint("start", [path]), Hint("start", [path + READ_ONLY])),
        )
    near = _nearest(Path(text).expanduser())
    hint = Hint("start", [str(near)]) if near else SOME_PROJECT
    return ProjectRefused(text, "there is no such directory", hint=hint)


def _nearest(path: Path) -> Path | None:
    """Find the directory whose path is most like one that does not exist; None without a similar one.

    Each missing name is replaced by the most similar one.
    """
    parts = Path(os.path.abspath(path)).parts  # noqa: PTH100 (a link on the way stays what was typed)
    found = Path(parts[0])
    for name in parts[1:]:
        if not (found / name).is_dir():
            try:
                names = [one.name for one in found.iterdir() if one.is_dir()]
            except OSError:
                return None
            import difflib

            like = difflib.get_close_matches(name, names, n=1)
            if not like:
                return None
            name = like[0]
        found /= name
    return found


def _has_controls(text: str) -> bool:
    """Line ends, escapes and their like; a no-break space or a joined emoji is a name like any other."""
    return any(unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} for char in text)


def _distinct_names(sources: Sequence[Path]) -> dict[Path, str]:
    depth = dict.fromkeys(sources, 1)
    while True:
        names = {source: "-".join(source.parts[1:][-depth[source] :]) for source in sources}
        doubles = [s for s in sources if sum(name == names[s] for name in names.values()) > 1]
        if not doubles:
            return names
        longer = [source for source in doubles if depth[source] < len(source.parts) - 1]
        if not longer:  # /a-b/c and /a/b-c, say: nothing readable is left to add
            return names | {s: f"{names[s]}-{i}" for i, s in enumerate(sorted(doubles), 1)}
        for source in longer:
            depth[source] += 1
