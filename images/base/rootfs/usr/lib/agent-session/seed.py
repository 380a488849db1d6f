"""For an agent's `prepare`: what crossed over from the host, and how to put it into the agent's home or on the tmpfs."""

import contextlib
import hashlib
import json
import os
import shlex
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

RUN = Path("/run/agent-session")
FILES = RUN / "seed" / "files"
USER_CONFIG = FILES / "user-config"
ENVIRONMENT = RUN / "environment"
# A ~/.claude.json with years of history is a few MB; the start must not hang on anything else.
LARGEST = 20_000_000


def note(words: str) -> None:
    """Say one line to the user; the start goes on."""
    print(words, file=sys.stderr)


def read_object(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in `path`, {} if there is none; what cannot be used is noted under `name`, never quoted."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise ValueError("empty")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        note(f"{name} is not used: not valid JSON (line {error.lineno})")
    except UnicodeDecodeError:
        note(f"{name} is not used: not UTF-8 text")
    except RecursionError:
        note(f"{name} is not used: nested too deeply")
    except (OSError, ValueError) as error:
        note(f"{name} is not used: {error.strerror if isinstance(error, OSError) else error}")
    else:
        return found
    return {}


def write_object(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` by JSON."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False))


def write_text(path: Path, content: str) -> None:
    """Replace `path` in one step, readable by the agent's user only; where it is a link (login-files), what it leads to."""
    path = path.resolve()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    with os.fdopen(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(content)
    Path(temporary).replace(path)


def export(variables: dict[str, str], *, unset: Iterable[str] = ()) -> None:
    """Variables for the agent, on the tmpfs; its command sources them. What its pane or caller has set itself is stronger."""
    lines = [f"unset {name}\n" for name in unset]
    lines += [
        f'[ "${{{name}+set}}" ] || export {name}={shlex.quote(value)}\n'
        for name, value in sorted(variables.items())
    ]
    write_text(ENVIRONMENT, "".join(lines))


def install_user_config(home: Path, *, leave: Callable[[str], bool]) -> None:
    """Read-only copies, below `home`, of the user's own configuration of the agent on the host; refreshed, and removed when they are gone there.

    `leave` says which paths below `home` are not to be touched. What the session made itself stays, even under a name that the host has, too.
    """
    record = Path.home() / ".local/state/agent-session/user-config.json"
    before = read_object(record, "the record of copied configuration")
    host = (
        {
            str(path.relative_to(USER_CONFIG)): path
            for path in sorted(USER_CONFIG.rglob("*"))
            if path.is_file()
        }
        if USER_CONFIG.is_dir()
        else {}
    )
    host = {name: path for name, path in host.items() if not leave(name)}
    for name in before.keys() - host.keys():
        _forget(home, name, before[name])
    now = {}
    for name, path in host.items():
        target, content = home / name, path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if name not in before and target.exists() and target.read_bytes() != content:
            note(f"{target} is the session's own; the host's was left out")
            continue
        now[name] = digest
        if before.get(name) != digest or not target.is_file():
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(content)
            target.chmod(0o555 if path.stat().st_mode & 0o100 else 0o444)
    write_object(record, now)


def _forget(home: Path, name: str, digest: str) -> None:
    target = home / name
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == digest:
        target.unlink()
        with contextlib.suppress(OSError):  # not empty
            for folder in target.relative_to(home).parents[:-1]:
                (home / folder).rmdir()
