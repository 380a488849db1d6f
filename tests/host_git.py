"""The user's side of a test about repositories: projects below an account's home, and git on the host."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.account import Account, Done

IDENTITY = {
    "GIT_AUTHOR_NAME": "Host",
    "GIT_AUTHOR_EMAIL": "host@example.org",
    "GIT_COMMITTER_NAME": "Host",
    "GIT_COMMITTER_EMAIL": "host@example.org",
}
AS_AGENT = [f"--env={name}={value}" for name, value in IDENTITY.items()]


@dataclass(frozen=True, kw_only=True)
class Host:
    """The user's side: projects below the account's home, and git."""

    account: Account

    def git(self, directory: Path, *arguments: str, ok: bool = True) -> Done:
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=directory,
            env=self.account.environment | IDENTITY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not ok or done.returncode == 0, f"git {' '.join(arguments)}: {done}"
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def shell(self, directory: Path, script: str) -> Done:
        """A shell script on the host."""
        done = subprocess.run(
            ["sh", "-c", script],
            cwd=directory,
            env=self.account.environment | IDENTITY,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(code=done.returncode, out=done.stdout, err=done.stderr)

    def repository(self, path: Path) -> Path:
        """A repository with one commit, and an origin beside it."""
        origin = path.parent / f"{path.name}-origin.git"
        path.mkdir(parents=True)
        self.git(path, "init", "--quiet", "-b", "main")
        (path / "file").write_text("one\n")
        self.git(path, "add", "-A")
        self.git(path, "commit", "--quiet", "-m", "one")
        self.git(path.parent, "clone", "--quiet", "--bare", path.name, origin.name)
        self.git(path, "remote", "add", "origin", f"../{origin.name}")
        self.git(path, "push", "--quiet", "-u", "origin", "main")
        return path

    def inside(self, session: str, script: str, *arguments: str, directory: str = "/workspace/app") -> Done:
        """A shell script in the session, by the agent's user."""
        return self.account.podman_done(
            "exec",
            *AS_AGENT,
            "--workdir",
            directory,
            f"agent_{session}",
            "sh",
            "-c",
            script,
            "sh",
            *arguments,
        )
