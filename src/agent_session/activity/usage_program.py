"""A program that counts what agents have written down of tokens, costs and tools in a home.

Its text is sent by the host, so that it works whatever image the session has, and it imports nothing of
agent-session. It knows two forms: transcripts as lines of JSON (.claude/projects), and messages as files or
in a database (.local/share/opencode). All of it may be anything: what does not fit is passed over.
"""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]
HOME = Path(os.environ.get("AGENT_SESSION_USAGE_HOME", "/home/agent"))
LONGEST_LINE = 4_000_000
MOST_TOOLS = 2000
COUNTS = ("input", "output", "cache_read", "cache_write")


def number(value: Any) -> float:
    """The number, 0 for anything else."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0


def transcripts() -> Iterator[Json]:
    """Messages of .claude/projects; one that was written several times counts as it was last."""
    found: dict[str, Json] = {}
    for file in sorted((HOME / ".claude/projects").glob("**/*.jsonl")):
        try:
            lines = file.open("rb")
        except OSError:
            continue
        with lines:
            place = 0
            while line := lines.readline(LONGEST_LINE):
                place += 1
                if b'"usage"' in line and (one := transcript_message(line)):
                    key = one["id"] or f"{file}:{place}"
                    one["tools"] = found.get(key, {"tools": []})["tools"] + one["tools"]
                    found[key] = one
    yield from found.values()


def transcript_message(line: bytes) -> Json | None:
    """What a line says of an answer; None for any other line."""
    try:
        record = json.loads(line)
        message = record["message"]
        usage = message["usage"]
        blocks = message.get("content")
        return {
            "id": str(message.get("id") or ""),
            "model": str(message.get("model") or "?"),
            "input": number(usage.get("input_tokens")),
            "output": number(usage.get("output_tokens")),
            "cache_read": number(usage.get("cache_read_input_tokens")),
            "cache_write": number(usage.get("cache_creation_input_tokens")),
            "cost": number(record["costUSD"]) if "costUSD" in record else None,
            "tools": [
                [str(record.get("timestamp") or ""), str(one.get("name") or "?")]
                for one in (blocks if isinstance(blocks, list) else [])
                if isinstance(one, dict) and one.get("type") == "tool_use"
            ],
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def messages() -> Iterator[Json]:
    """Messages of .local/share/opencode, from its files and from its database."""
    top = HOME / ".local/share/opencode"
    for file in sorted((top / "storage/message").glob("*/*.json")):
        try:
            said = json.loads(file.read_bytes()[:LONGEST_LINE])
        except (OSError, ValueError, RecursionError):
            continue
        if one := message(said):
            yield one
    for database in sorted(top.glob("opencode*.db")):
        yield from rows(database)


def rows(database: Path) -> Iterator[Json]:
    """The messages of a database, which is only read."""
    import sqlite3

    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=5) as opened:
            tools: dict[str, list[list[str]]] = {}
            for key, text in opened.execute("select message_id, data from part where data like '%tool%'"):
                part = parsed(text)
                if part.get("type") == "tool":
                    tools.setdefault(str(key), []).append([when(part), str(part.get("tool") or "?")])
            for key, text in opened.execute("select id, data from message"):
                if one := message(parsed(text)):
                    yield {**one, "tools": tools.get(str(key), [])}
    except sqlite3.Error:
        return


def parsed(text: Any) -> Json:
    """The object in a text; {} for anything else."""
    try:
        said = json.loads(text)
    except (ValueError, TypeError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def when(part: Json) -> str:
    """When a tool was begun, as RFC 3339; "" where that is not said."""
    from datetime import UTC, datetime

    try:
        return datetime.fromtimestamp(part["state"]["time"]["start"] / 1000, UTC).isoformat()
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return ""


def message(said: Any) -> Json | None:
    """What a message says of an answer; None for any other."""
    try:
        tokens = said["tokens"]
        cache = tokens.get("cache") or {}
        return {
            "model": "/".join(str(said[key]) for key in ("providerID", "modelID") if said.get(key)) or "?",
            "input": number(tokens.get("input")),
            "output": number(tokens.get("output")) + number(tokens.get("reasoning")),
            "cache_read": number(cache.get("read")),
            "cache_write": number(cache.get("write")),
            "cost": number(said["cost"]) if "cost" in said else None,
            "tools": [],
        }
    except (KeyError, TypeError, AttributeError):
        return None


def main() -> None:
    """Write all of it as a line of JSON."""
    models: dict[str, Json] = {}
    tools: list[list[str]] = []
    for one in (*transcripts(), *messages()):
        nothing = {"answers": 0, "cost": None, **dict.fromkeys(COUNTS, 0)}
        model = models.setdefault(one["model"][:200], nothing)
        model["answers"] += 1
        for name in COUNTS:
            model[name] += int(one[name])
        if one["cost"] is not None:
            model["cost"] = (model["cost"] or 0) + one["cost"]
        tools += one["tools"]
    sys.stdout.write(json.dumps({"models": models, "tools": sorted(tools)[-MOST_TOOLS:]}) + "\n")


if __name__ == "__main__":
    main()
