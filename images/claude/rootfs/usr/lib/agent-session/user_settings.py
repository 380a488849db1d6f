"""The user's settings.json of the host: what of it may come along, and how it joins the session's own."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seed import note, read_object, write_object

NAME = "~/.claude/settings.json"
LAST = Path.home() / ".local/state/agent-session/user-settings.json"
TOLD = LAST.with_name("user-settings-left-out.json")
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
    """What may come along. Of a file that cannot be read it is what came last time: rules that forbid something stay."""
    given = read_object(path, NAME)
    if not given and path.exists() and not is_an_object(path):
        last = read_object(LAST, "the record of the settings")
        note(
            "what it held at the last good start is used, rules of permissions among it"
            if last
            else f"no rule of {NAME} is in force: repair the file, then restart the session"
        )
        return UserConfig(last, {})
    found = {key: value for key, value in given.items() if not stays(key)}
    for key in ("env", "permissions"):
        if not isinstance(found.get(key, {}), dict):
            note(f"{key} in {NAME} is not used: not an object")
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


def is_an_object(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_text(encoding="utf-8-sig")), dict)
    except (OSError, ValueError, RecursionError):
        return False


def stays(key: str) -> bool:
    return key in STAYS_ON_HOST or key.endswith(PROGRAMS)


def permissions(host: dict[str, Any]) -> dict[str, Any]:
    """Rules come along; directories of the host and modes that ask nobody do not."""
    rules = {}
    for key in ("allow", "ask", "deny"):
        listed = host.get(key, [])
        listed = [listed] if isinstance(listed, str) else listed
        if isinstance(listed, list):
            rules[key] = [rule for rule in listed if isinstance(rule, str)]
        if not isinstance(listed, list) or len(rules[key]) < len(listed):
            note(f"in {NAME}, what is no rule in permissions.{key} is not used")
    rules = {key: listed for key, listed in rules.items() if listed or key in host}
    return rules | ({"defaultMode": host["defaultMode"]} if host.get("defaultMode") in MODES else {})


def merge(own: dict[str, Any], user_config: dict[str, Any]) -> dict[str, Any]:
    """The session's settings with the host's of today.

    What came from the host last time and is as it was gives way; what the session chose stays, and is told. Rules
    of permissions are joined, so that what the host denies is denied here.
    """
    before = read_object(LAST, "the record of the settings")
    kept = {key: value for key, value in own.items() if key not in before or before[key] != value}
    joined = user_config | kept
    own_rules, host_rules, last_rules = (
        found if isinstance(found := one.get("permissions"), dict) else {}
        for one in (own, user_config, before)
    )
    if own_rules or host_rules:
        joined["permissions"] = join_permissions(own_rules, host_rules, last_rules)
    for key in sorted(kept.keys() & user_config.keys() - {"permissions"}):
        if kept[key] != user_config[key]:
            note(f"{key} in ~/.claude/settings.json is not used: the session has a value of its own")
    write_object(LAST, user_config)
    return joined


def join_permissions(own: dict[str, Any], host: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The host's rules and those that the session has beside them; a rule that the host took back goes."""
    joined = dict(own)
    for key in ("allow", "ask", "deny"):
        rules, last = own.get(key), before.get(key)
        here = [rule for rule in rules if rule not in (last or [])] if isinstance(rules, list) else []
        joined[key] = list(dict.fromkeys([*host.get(key, []), *here]))
        if not joined[key]:
            del joined[key]
    if own.get("defaultMode") in {None, "default", before.get("defaultMode")} and host.get("defaultMode"):
        joined["defaultMode"] = host["defaultMode"]
    elif own.get("defaultMode") == before.get("defaultMode"):
        joined.pop("defaultMode", None)  # the host's of last time
    return joined


def tell_what_stays(path: Path) -> None:
    """Once for each change: the settings that cannot come along."""
    left = sorted(key for key in read_object(path, "~/.claude/settings.json") if stays(key))
    told = read_object(TOLD, "the record of the settings").get("keys", [])
    if left != told:
        write_object(TOLD, {"keys": left})
        if left:
            note(f"of ~/.claude/settings.json these stay on the host: {', '.join(left)}")
