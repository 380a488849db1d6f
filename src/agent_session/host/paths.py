"""Where things lie on the host: XDG directories, and what to do where they cannot be written."""

import os
import stat
import sys
from pathlib import Path

APP = "agent-session"
XDG = {"config": "~/.config", "data": "~/.local/share", "cache": "~/.cache", "state": "~/.local/state"}
"""Where Linux has a user's files of each kind, unless XDG_<KIND>_HOME names another directory."""


def config_file() -> Path:
    """The user's configuration; it need not exist."""
    return _place("config") / "config.yaml"


def pins_file() -> Path:
    """The user's own versions, instead of those in images/versions.yaml; it need not exist."""
    return config_file().parent / "versions.yaml"


def agent_folders() -> tuple[Path, ...]:
    """Folders of agents: what is shipped (in a wheel or a checkout), then the user's own."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "data" / "images"
    shipped = packaged if packaged.is_dir() else package.parents[1] / "images"
    return shipped, _place("data") / "agents"


def cache_folders() -> tuple[Path, ...]:
    """Where built parts are looked for, first come first served; the last is the one this user may write."""
    shared = Path("/var/cache") / APP
    return (shared,) if os.geteuid() == 0 else (shared, _place("cache"))


def words_folder() -> Path:
    """Where a user's completion keeps what it knows of the command line; it need not exist."""
    return _place("cache")


def review_folder() -> Path:
    """Where it is kept what projects held when their sessions were made; it need not exist."""
    named = os.environ.get("XDG_STATE_HOME", "")
    return (Path(named) if Path(named).is_absolute() else Path.home() / ".local/state") / APP / "review"


def note_folder() -> Path:
    """Where users' notes on sessions are kept; it need not exist."""
    return review_folder().parent / "notes"


def reverted_folder() -> Path:
    """Where it is kept what agents had written in the place of what was put back; it need not exist."""
    return agent_folders()[-1].parent / "reverted"


def log_folder() -> Path:
    """Return a directory for logs that can be written.

    It is the XDG state directory, or a temporary one where the home is read-only.
    """
    folder = _place("state")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    return runtime_folder()


def runtime_folder() -> Path:
    """Return a directory of this user's alone (0700) for locks and sockets; $XDG_RUNTIME_DIR where set.

    Raises OSError where even /tmp offers none that is ours.
    """
    base = Path(runtime_base())
    folder = base / APP if base != Path(_temporary()) else base / f"{APP}-{os.geteuid()}"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{folder} is not ours")
    return folder


def runtime_base() -> str:
    """Return $XDG_RUNTIME_DIR, the directory it would name after a login, or that for temporary files."""
    for candidate in (os.environ.get("XDG_RUNTIME_DIR"), f"/run/user/{os.geteuid()}"):
        if candidate and os.access(candidate, os.W_OK) and Path(candidate).is_dir():
            return candidate
    return _temporary()


def _temporary() -> str:
    import tempfile  # 3 ms that completion need not pay

    return tempfile.gettempdir()


def _place(kind: str) -> Path:
    """The user's directory of that kind for agent-session; it need not exist."""
    if sys.platform == "linux":  # where the rule is short, and platformdirs takes 5 ms to be imported
        named = os.environ.get(f"XDG_{kind.upper()}_HOME", "")
        return Path(named if os.path.isabs(named) else os.path.expanduser(XDG[kind])) / APP  # noqa: PTH111, PTH117
    import platformdirs

    return {
        "config": platformdirs.user_config_path,
        "data": platformdirs.user_data_path,
        "cache": platformdirs.user_cache_path,
        "state": platformdirs.user_state_path,
    }[kind](APP)
