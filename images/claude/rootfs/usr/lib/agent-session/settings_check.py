"""What Claude would stop at in settings files, asked of Claude itself (`claude doctor`).

That costs most of a second, so the answer is remembered for as long as the settings and Claude are the same.
"""

import hashlib
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from seed import RUN, read_object, write_object

CLAUDE = Path("/usr/local/lib/claude")
RECORD = Path.home() / ".local/state/agent-session/complaints.json"
PROJECT = {"project": Path(".claude/settings.json"), "local": Path(".claude/settings.local.json")}
LINE = re.compile(r"- (?P<file>/.*?) › (?P<key>[^:]+): (?P<words>.*)")
RULE = re.compile(r'Invalid permission rule "(.*)" was skipped')


def of(settings: dict[str, Any], folder: Path) -> list[tuple[str, str, str]]:
    """(source, key, words) of each complaint; sources are user (for `settings`), project and local (below `folder`)."""
    files = {source: folder / path for source, path in PROJECT.items() if (folder / path).is_file()}
    if not settings and not files:
        return []
    asked = repr(
        (
            settings,
            sorted((source, file.read_bytes()) for source, file in files.items()),
            (CLAUDE / "package.json").read_bytes(),
        )
    )
    digest = hashlib.sha256(asked.encode()).hexdigest()
    record = read_object(RECORD, "the record of complaints")
    if record.get("digest") != digest:
        record = {"digest": digest, "complaints": ask(settings, folder, files)}
        write_object(RECORD, record)
    return [(source, key, words) for source, key, words in record["complaints"]]


def ask(settings: dict[str, Any], folder: Path, files: dict[str, Path]) -> list[tuple[str, str, str]]:
    with tempfile.TemporaryDirectory(dir=RUN) as empty:
        user = Path(empty, "settings.json")
        user.write_text(json.dumps(settings))
        sources = {str(file): source for source, file in files.items()} | {str(user): "user"}
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": empty,
            "CLAUDE_CONFIG_DIR": empty,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
        try:
            done = subprocess.run(
                [CLAUDE / "claude", "doctor"],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=15,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
    found = (LINE.fullmatch(line) for line in done.stdout.splitlines())
    return [
        (sources[line["file"]], line["key"], line["words"])
        for line in found
        if line and line["file"] in sources
    ]


def heed(settings: dict[str, Any], key: str, words: str) -> None:
    """Take what was complained about out of settings: a permission rule, or a whole key."""
    group, _, name = key.partition(".")
    rules = settings.get(group, {}).get(name) if group == "permissions" else None
    if isinstance(rules, list) and (rule := RULE.match(words)):
        settings[group][name] = [item for item in rules if item != rule[1]]
    else:
        settings.pop(group, None)
