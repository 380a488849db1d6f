"""The conversation in Claude's transcript, as a reader would tell it."""

from pathlib import Path

import agent_state
import claude_session

# A transcript is read whole, a line at a time; of one that is larger, the end.
LARGEST = 500_000_000


def entries() -> list[dict]:
    """The conversation of the first pane, the oldest first; none before there is one."""
    pane = agent_state.pane()
    session = claude_session.of_pane(pane) if pane else None
    found = told(Path(session.transcript)) if session else []
    if session and session.status == "idle" and found and found[-1]["role"] == "user":
        found.pop()  # taken back before it was answered: it is in the input again
    return found


def told(path: Path) -> list[dict]:
    """What was said in a transcript. Each record names the one before: a prompt that was taken back is no part of it."""
    records: dict[str, tuple[str, dict | None]] = {}
    last = ""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - LARGEST))
            for line in file:
                record = claude_session.parse(line) if b'"uuid":"' in line else {}
                own, before = (
                    str(record.get("uuid", "")),
                    record.get("parentUuid") or record.get("logicalParentUuid"),
                )
                if own and not record.get("isSidechain"):
                    records[own] = (str(before or ""), entry(record))
                    last = own if record.get("type") in {"user", "assistant"} else last
                elif record.get("type") == "last-prompt" and record.get("explicit"):
                    leaf = str(record.get("leafUuid", ""))
                    last = leaf if leaf in records else last
    except OSError:
        return []
    chain = []
    while last in records:
        last, said = records.pop(last)
        chain.append(said)
    return merged([said for said in reversed(chain) if said])


def entry(record: dict) -> dict | None:
    """What one record says, None for what nobody said."""
    role = claude_session.kind(record)
    if role not in {"prompt", "answer", "error"}:
        return None
    tools = [
        {"name": str(block.get("name", "")), "input": block.get("input")}
        for block in claude_session.blocks(record)
        if block.get("type") == "tool_use"
    ]
    text = claude_session.text_of(record)
    if not text and not tools:
        return None
    return {
        "role": "user" if role == "prompt" else "assistant",
        "text": text,
        "tools": tools,
        "time": claude_session.time_of(record),
    }


def merged(said: list[dict]) -> list[dict]:
    """An answer's pieces as one entry: up to its tools, and after them the next."""
    found: list[dict] = []
    for one in said:
        before = found[-1] if found else None
        if before and one["role"] == before["role"] == "assistant" and not (before["tools"] and one["text"]):
            before["text"] = "\n\n".join(text for text in (before["text"], one["text"]) if text)
            before["tools"] += one["tools"]
        else:
            found.append(one)
    return found
