"""Files in a running session, listed, read and written by a small program in its container."""

import json
import posixpath
from typing import Any

from agent_session import inside, sanitize
from agent_session.engine.command import ExecResult
from agent_session.engine.protocol import Engine
from agent_session.errors import AgentServerError, ConflictError, Hint, NotFoundError, UsageError
from agent_session.sessions.session import Session

LARGEST = 10_000_000
"""Bytes of a file that is read or written."""
MOST = 5000
"""Entries of a directory that are listed."""
SECONDS = 60
NOT_THERE, NOT_POSSIBLE = 3, 4
PROGRAM = f"""
import json, os, sys
verb, path = sys.argv[1:]
try:
    if verb == "list":
        found = []
        for entry in os.scandir(path):
            status = entry.stat(follow_symlinks=False)
            kind = "link" if entry.is_symlink() else "directory" if entry.is_dir() else "file"
            found.append([entry.name, kind, status.st_size, status.st_mtime])
        print(json.dumps(sorted(found)[:{MOST}]))
    elif verb == "read":
        with open(path, "rb") as file:
            sys.stdout.buffer.write(file.read({LARGEST} + 1))
    else:
        new = path + ".agent-session"
        with open(new, "wb") as file:
            file.write(sys.stdin.buffer.read())
        if os.path.exists(path):
            os.chmod(new, os.stat(path).st_mode & 0o7777)
        os.replace(new, os.path.realpath(path))
except FileNotFoundError as error:
    sys.exit(print(error.strerror, file=sys.stderr) or {NOT_THERE})
except OSError as error:
    sys.exit(print(error.strerror, file=sys.stderr) or {NOT_POSSIBLE})
"""


def place(path: str) -> str:
    """Return a path in the container; what is not absolute is below the workspace. UsageError."""
    if not path or "\0" in path or len(path) > 4096:
        raise UsageError(f"{path[:100]!r} is not a path", hint=Hint("cp", ["--help"]))
    return posixpath.normpath(posixpath.join(str(inside.WORKSPACE), path))


def listed(engine: Engine, session: Session, path: str) -> list[dict[str, Any]]:
    """List a directory by name. NotFoundError, ConflictError where it is none."""
    done = _run(engine, session, "list", path)
    try:
        return [
            {"name": str(name), "kind": str(kind), "size": int(size), "modified": float(modified)}
            for name, kind, size, modified in json.loads(done.stdout)
        ]
    except (ValueError, TypeError) as error:
        raise AgentServerError(
            f"session '{session.name}' lists {path!r} in words that are not understood",
            hint=Hint("exec", [session.name, "ls", path]),
        ) from error


def read(engine: Engine, session: Session, path: str) -> bytes:
    """Read a file. NotFoundError, ConflictError for a directory and for a file that is too large."""
    content = _run(engine, session, "read", path).stdout
    if len(content) > LARGEST:
        raise ConflictError(
            f"{path!r} is larger than {LARGEST} bytes", hint=Hint("cp", [f"{session.name}:{path}", "."])
        )
    return content


def write(engine: Engine, session: Session, path: str, content: bytes) -> None:
    """Write a file in one step; its directory must be there. NotFoundError, ConflictError."""
    _run(engine, session, "write", path, stdin=content)


def _run(engine: Engine, session: Session, verb: str, path: str, *, stdin: bytes = b"") -> ExecResult:
    command = [inside.PYTHON, "-I", "-c", PROGRAM, verb, path]
    done = engine.exec(session.container, command, stdin=stdin, timeout=SECONDS)
    if done.exit_code == NOT_THERE:
        raise NotFoundError(
            f"{path!r} is not in session '{session.name}'", hint=Hint("exec", [session.name, "ls"])
        )
    if done.exit_code:
        raise ConflictError(
            f"{path!r} in session '{session.name}': {sanitize.message(done.message)}",
            hint=Hint("exec", [session.name, "ls", "-l", path]),
        )
    return done
