"""The paths and programs inside a session's container that the host relies on.

The images put them there (images/base); a path that is written anywhere else on the host's side is a mistake.
"""

from pathlib import PurePosixPath

HOME = PurePosixPath("/home/agent")
WORKSPACE = PurePosixPath("/workspace")
RUNTIME = PurePosixPath("/run/agent-session")
"""A tmpfs: the seed with its secrets, the agent's state, the marks of a start."""
SEED = RUNTIME / "seed"
"""What crossed over at the last start."""
HOST = RUNTIME / "host"
"""Below it, at its own path, a directory of the host that the container has its own copy of."""
BORROWED = PurePosixPath("/run/host-objects")
"""Where a clone has the objects, read-only, that it borrows from a repository of the host."""
SSH_AGENT = PurePosixPath("/run/ssh-agent.sock")
CA_BUNDLE = PurePosixPath("/etc/ssl/certs/ca-certificates.crt")
LOGIN_RESULT = PurePosixPath("/run/agent-session-login")
"""Where the program of a login leaves what it got, in a container of its own."""
SEALED_LOGINS = PurePosixPath(".local/state/agent-session/login-files.sealed")
"""Below the home: the login files of the session, encrypted."""
SERVER_PASSWORD = HOME / ".local/state/agent-session/server-password"

DIRECTORIES = (
    "/bin", "/dev", "/etc", "/lib", "/lib64", "/proc", "/run/agent-session", "/sbin", "/sys", "/usr",
    "/workspace", "/home/agent",
)  # fmt: skip
"""Directories of the container's own, which no mount of the user's may hide."""

SESSION_ATTACH = "/usr/local/bin/session-attach"
SESSION_EXEC = "/usr/local/bin/session-exec"
SESSION_GUARD = "/usr/local/bin/session-guard"
SESSION_SEED = "/usr/local/bin/session-seed"
PGREP = "/usr/bin/pgrep"
PYTHON = "/usr/bin/python3"
AGENT_COMMAND = "/usr/lib/agent-session/agent-command"
COPY = "/usr/lib/agent-session/copy"
SHOW_SCREEN = "/usr/lib/agent-session/show-screen"
MISSING_FILTER = "/usr/lib/agent-session/git-missing-filter"
PACK = "/usr/lib/agent-session/pack"
TYPE_TEXT = "/usr/lib/agent-session/type-text"
UNPACK = "/usr/lib/agent-session/unpack"
UNSAVED_WORK = "/usr/lib/agent-session/unsaved-work"
