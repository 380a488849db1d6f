"""Directories that no agent may see: the system's, and those of the user's keys, logins and programs."""

from pathlib import Path

from agent_session.errors import Hint
from agent_session.workspace.errors import ProjectRefused

SECRET_DIRECTORIES = {
    ".ssh": "your SSH keys are there",
    ".gnupg": "your GnuPG keys are there",
    ".claude": "your Claude login and history are there",
    ".config": "logins of many programs are there",
    ".aws": "your AWS keys are there",
    ".azure": "your Azure login is there",
    ".kube": "your Kubernetes logins are there",
    ".docker": "your registry logins are there",
    ".password-store": "your passwords are there",
    ".mozilla": "your browser's passwords and cookies are there",
    ".thunderbird": "your mail is there",
    ".local/share/keyrings": "your keyrings are there",
    ".local/share/containers": "Podman keeps its images and containers there",
    ".local/share/opencode": "your OpenCode login and history are there",
    ".local/share/agent-session": "agent-session keeps your own agents there",
    ".local/state/agent-session": "agent-session keeps there what your projects held",
    ".codex": "your Codex login is there",
    ".gemini": "your Gemini login is there",
    ".netlify": "your Netlify login is there",
    ".terraform.d": "your Terraform login is there",
    ".cargo": "your package registry token is there",
    ".m2": "your Maven logins are there",
    ".gradle": "your Gradle logins are there",
    ".vault-token": "your Vault token is there",
    ".claude.json": "your Claude login is there",
    ".netrc": "your logins are there",
    ".git-credentials": "your git logins are there",
    ".npmrc": "your package registry token is there",
    ".pypirc": "your package registry token is there",
    ".pgpass": "your database passwords are there",
    "Library/Keychains": "your keychains are there",
    "Library/Application Support": "logins of many programs are there",
}

PROGRAM_DIRECTORIES = dict.fromkeys(
    (
        "bin",
        "go/bin",
        ".local/bin",
        ".local/lib",
        ".local/share/applications",
        ".local/share/dbus-1",
        ".local/share/gnome-shell",
        ".local/share/mise",
        ".local/share/nvim",
        ".local/share/pipx",
        ".local/share/systemd",
        ".local/share/uv",
        ".asdf",
        ".bash_it",
        ".bun",
        ".cursor",
        ".deno",
        ".emacs.d",
        ".fzf",
        ".nix-profile",
        ".npm-global",
        ".nvm",
        ".oh-my-bash",
        ".oh-my-zsh",
        ".pyenv",
        ".rbenv",
        ".rustup",
        ".sdkman",
        ".tmux",
        ".vim",
        ".volta",
        ".vscode",
        ".vscode-server",
        ".zsh",
        ".zprezto",
        "Library/LaunchAgents",
    ),
    "programs that run by themselves, or by a name that you type, are there",
)
"""Places in PATH, of autostart, and of what shells, editors and interpreters load when they start."""

SYSTEM_DIRECTORIES = ("/proc", "/sys", "/dev", "/boot", "/run/user", "/run/podman")
MOST_LINKS = 40
"""As many as the kernel follows."""
ALLOW_SECRETS = "--allow-secret-directories"


def refuse_system(text: str, path: Path) -> None:
    """Refuse a path that leads through a system directory, links followed one by one.

    /proc/self/cwd leads anywhere, without a user's name in it.
    """
    rest, here, links = list(reversed(path.parts[1:])), Path("/"), 0
    while rest and links <= MOST_LINKS:
        name = rest.pop()
        here = here.parent if name == ".." else here / name
        for system in map(Path, SYSTEM_DIRECTORIES):
            if here == system or system in here.parents:
                raise ProjectRefused(text, f"{system} belongs to the system")
        try:
            target = here.readlink()
        except OSError:  # not a link, or not there
            continue
        links += 1
        here = Path("/") if target.is_absolute() else here.parent
        rest += reversed(target.parts[1:] if target.is_absolute() else target.parts)


def refuse_private(text: str, source: Path, home: Path, *, allow_secrets: bool) -> None:
    """Refuse the whole machine, the home directory, and directories of keys, logins and programs."""
    if source == Path("/"):
        raise ProjectRefused(text, "it is the whole machine")
    for name in SYSTEM_DIRECTORIES:
        if source == Path(name) or Path(name) in source.parents or source in Path(name).parents:
            raise ProjectRefused(text, f"{name} belongs to the system")
    if source == home:
        raise ProjectRefused(text, "it is your home directory, with all your keys and logins")
    if source in home.parents:
        raise ProjectRefused(text, "your home directory is inside it, with all your keys and logins")
    if allow_secrets:
        return
    for name, reason in (SECRET_DIRECTORIES | PROGRAM_DIRECTORIES).items():
        secret = home / name
        if any(
            place == source or place in source.parents or source in place.parents
            for place in (secret, secret.resolve())
        ):
            raise ProjectRefused(text, f"{reason} (~/{name})", hint=Hint("start", [ALLOW_SECRETS, text]))
