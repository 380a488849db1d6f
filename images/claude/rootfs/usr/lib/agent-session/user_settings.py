"""The user's settings.json of the host: what of it may come along, and how it joins the session's own."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed import note, read_object, write_object

LAST = Path.home() / ".local/state/agent-session/user-settings.json"
# They run the host's programs, name its directories, or choose what this session's flags choose.
STAYS_ON_HOST = {
    "hooks", "statusLine", "subagentStatusLine", "fileSuggestion", "sandbox", "enabledPlugins", "extraKnownMarketplaces", "autoUpdatesChannel",
    "plansDirectory", "autoMemoryDirectory", "forceLoginMethod", "forceLoginOrgUUID", "teammateMode", "remote", "sshConfigs",
    "skipDangerousModePermissionPrompt", "skipAutoPermissionPrompt", "useAutoModeDuringPlan",
}  # fmt: skip
PROGRAMS = ("Helper", "Refresh", "Export", "Command")
MODES = {"default", "acceptEdits", "plan"}
# The session's own surroundings.
NOT_FROM_SETTINGS = (
    "PATH",
    "HOME",
    "USER",
    "SHELL",
    "TMPDIR",
    "LD_",
    "XDG_",
    "SSH_",
    "ZELLIJ",
    "AGENT_SESSION_",
    "NODE_EXTRA_CA_CERTS",
    "CLAUDE_CONFIG_DIR",
)


@dataclass(frozen=True)
class UserConfig:
    """`variables` are those of the settings' env, which may hold keys: they stay on the tmpfs."""

    settings: dict[str, Any]
    variables: dict[str, str]


def read(path: Path) -> UserConfig:
    """What may come along."""
    found = {
        key: value for key, value in read_object(path, "~/.claude/settings.json").items() if not stays(key)
    }
    for key in ("env", "permissions"):
        if not isinstance(found.get(key, {}), dict):
            note(f"{key} in ~/.claude/settings.json is not used: not an object")
            del found[key]
    variables = {
        name: str(value)
        for name, value in found.pop("env", {}).items()
        if isinstance(value, (str, int))
        and str(name).isidentifier()
        and not name.startswith(NOT_FROM_SETTINGS)
    }
    if "permissions" in found:
        found["permissions"] = permissions(found["permissions"])
    return UserConfig(found, variables)


def stays(key: str) -> bool:
    return key in STAYS_ON_HOST or key.endswith(PROGRAMS)


def permissions(host: dict[str, Any]) -> dict[str, Any]:
    """Rules come along; directories of the host and modes that ask nobody do not."""
    rules = {
        key: [rule for rule in host[key] if isinstance(rule, str)]
        for key in ("allow", "ask", "deny")
        if isinstance(host.get(key), list)
    }
    return rules | ({"defaultMode": host["defaultMode"]} if host.get("defaultMode") in MODES else {})


def merge(own: dict[str, Any], user_config: dict[str, Any]) -> tuple[dict[str, Any], set[str]]:
    """The session's settings with the host's of today, and which keys are the host's.

    What came from the host last time and is as it was gives way; what the session chose stays.
    """
    before = read_object(LAST, "the record of the settings")
    kept = {key: value for key, value in own.items() if key not in before or before[key] != value}
    return user_config | kept, user_config.keys() - kept.keys()


def remember(from_host: dict[str, Any]) -> None:
    """What was written as the host's, for the next `merge`."""
    write_object(LAST, from_host)
