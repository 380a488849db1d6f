"""What Claude writes down about itself: ~/.claude/sessions/PID.json says what it does now, the transcript what was said.

Seen with 2.1.329. All of it is data that may be anything: bounded, and never trusted to be well-formed. `state` lives as long as
the session, so this imports nothing that costs memory (json alone brings re, and 3 MB).
"""

import os
from _json import make_scanner  # type: ignore[import-not-found]

import agent_state

CONFIG = os.environ.get("CLAUDE_CONFIG_DIR") or os.path.join(os.environ.get("HOME", "/home/agent"), ".claude")
SESSIONS = f"{CONFIG}/sessions"
PROJECTS = f"{CONFIG}/projects"
LARGEST_SESSION = 65536
# How much of a transcript's end is looked at: first a little, then, when nothing of use is in it, more.
TAILS = (65536, 4_000_000)
INTERRUPTED = "[Request interrupted by user"
LOGIN_ERRORS = ("authentication_failed", "oauth_org_not_allowed", "cloud_credential_error")


class _Context:
    strict = False
    object_hook = object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict = {}  # noqa: RUF012


_scan = make_scanner(_Context)


def parse(line: bytes) -> dict:
    """The JSON object in a line; {} for anything else."""
    try:
        found, _ = _scan(line.decode("utf-8", "replace").strip(), 0)
    except (ValueError, StopIteration, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Session:
    """A Claude that runs: `status` is busy, waiting, idle or a word of a newer version; `since` is when that began, as states tell times."""

    def __init__(self, pid: int, found: dict) -> None:
        self.pid = pid
        self.id = str(found.get("sessionId", ""))
        self.cwd = str(found.get("cwd", ""))
        self.status = str(found.get("status", ""))
        self.waiting_for = str(found.get("waitingFor", ""))
        at = found.get("statusUpdatedAt")
        self.changed = at / 1000 if isinstance(at, (int, float)) and 0 < at < 1e14 else 0.0

    @property
    def since(self) -> str:
        return agent_state.utc(self.changed)

    @property
    def transcript(self) -> str:
        """The file its conversation is written to, there or not yet."""
        name = self.id.replace("/", "") + ".jsonl"
        usual = f"{PROJECTS}/{''.join(letter if letter.isascii() and letter.isalnum() else '-' for letter in self.cwd)}/{name}"
        if not os.path.exists(usual):
            for folder in _listed(PROJECTS):
                if os.path.exists(f"{PROJECTS}/{folder}/{name}"):
                    return f"{PROJECTS}/{folder}/{name}"
        return usual


def of_pane(pane: "agent_state.Pane") -> "Session | None":
    """The Claude of the session's first pane; of several the one in front."""
    found = []
    for name in _listed(SESSIONS):
        number, _, extension = name.partition(".")
        if extension == "json" and number.isdigit() and agent_state.is_below(int(number), pane.pid):
            pid, said = int(number), parse(_head(f"{SESSIONS}/{name}", LARGEST_SESSION))
            born = agent_state.started(pid)
            if born and born == said.get("procStart") and said.get("kind", "interactive") == "interactive":
                group, terminal_group = agent_state.stat(pid)[2:6:3] or ("", "-")
                found.append((group == terminal_group, int(born), Session(pid, said)))
    return max(found, key=lambda one: one[:2])[2] if found else None


def process(pane: "agent_state.Pane") -> "tuple[int, float] | None":
    """A Claude of the first pane that may have written nothing yet: its process, and how many seconds it runs."""
    for entry in _listed("/proc"):
        if (
            entry.isdigit()
            and agent_state.name(int(entry)) == "claude"
            and agent_state.is_below(int(entry), pane.pid)
        ):
            born = agent_state.started(int(entry))
            if born:
                up = float(_head("/proc/uptime", 100).split()[0])
                return int(entry), up - int(born) / os.sysconf("SC_CLK_TCK")
    return None


class Turn:
    """The end of a conversation: whether its last turn is over, and how."""

    def __init__(self) -> None:
        self.over = False
        self.at = ""
        """When the last of it was said, as states tell times; "" where nothing was said."""
        self.error = ""
        self.login = False
        self.tool: dict = {}
        """The tool call that has no result yet: {"name", "input"}; of several the first."""


def last_turn(path: str) -> Turn:
    """How the conversation in a transcript stands."""
    for size in TAILS:
        turn, found = Turn(), False
        tail, whole = _tail(path, size)
        answered: set = set()
        for line in reversed(tail):
            if not found and b'"type":"last-prompt"' in line and parse(line).get("explicit"):
                return turn  # the last prompt was taken back before it was answered
            if (
                b'"type":"assistant"' not in line
                and b'"type":"user"' not in line
                and b'"type":"system"' not in line
            ):
                continue
            record = parse(line)
            role = kind(record)
            if not role:
                continue
            if not found:
                turn.over, turn.at = is_over(record, role), time_of(record)
                found = role != "end"
                if found and role == "error":
                    turn.error = text_of(record)[:4000] or "an error of its model"
                    turn.login = record.get("error") in LOGIN_ERRORS
            for block in blocks(record):
                if block.get("type") == "tool_result":
                    answered.add(str(block.get("tool_use_id")))
                elif block.get("type") == "tool_use" and str(block.get("id")) not in answered:
                    turn.tool = {
                        "name": str(block.get("name", "")),
                        "input": block.get("input"),
                        "id": str(block.get("id")),
                    }
            if role in {"prompt", "interrupted", "command"}:
                return turn
        if found or whole:
            return turn
    return Turn()


def last_model(path: str) -> str:
    """The model that gave the last answer; "" for none."""
    for line in reversed(_tail(path, TAILS[-1])[0]):
        record = parse(line) if b'"type":"assistant"' in line else {}
        message = record.get("message")
        model = message.get("model") if isinstance(message, dict) and kind(record) == "answer" else None
        if isinstance(model, str):
            return model
    return ""


def kind(record: dict) -> str:
    """What a record of the transcript is: prompt, interrupted, command, result, answer, error, end, or "" for what is not of the conversation."""
    if record.get("isSidechain") or record.get("isMeta"):
        return ""
    sort = record.get("type")
    if sort == "assistant":
        return "error" if record.get("isApiErrorMessage") else "answer"
    if sort == "system":
        subtype = record.get("subtype")
        return "end" if subtype == "turn_duration" else "command" if subtype == "local_command" else ""
    if sort != "user":
        return ""
    if any(block.get("type") == "tool_result" for block in blocks(record)):
        return "result"
    text = text_of(record)
    if text.startswith(INTERRUPTED):
        return "interrupted"
    return "command" if text.startswith(("<command-name>", "<local-command-", "<bash-")) else "prompt"


def is_over(record: dict, role: str) -> bool:
    """Whether a record can be a turn's last."""
    message = record.get("message")
    stop = message.get("stop_reason") if isinstance(message, dict) else None
    return role in {"error", "interrupted", "command", "end"} or (
        role == "answer" and stop not in (None, "tool_use", "pause_turn")
    )


def blocks(record: dict) -> list:
    """The content of a record's message, as a list of objects."""
    message = record.get("message")
    content = message.get("content") if isinstance(message, dict) else None
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    return [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []


def text_of(record: dict) -> str:
    """What is said in it."""
    return "\n".join(str(block.get("text", "")) for block in blocks(record) if block.get("type") == "text")


def time_of(record: dict) -> str:
    """When, as states tell it; "" where it cannot be one."""
    time = record.get("timestamp")
    return time if isinstance(time, str) and len(time) == 24 and time.endswith("Z") else ""


def described(tool: dict) -> str:
    """A tool call in a few words: "Bash: rm -rf build"."""
    given = tool.get("input")
    given = given if isinstance(given, dict) else {}
    for key in (
        "command",
        "file_path",
        "notebook_path",
        "url",
        "query",
        "pattern",
        "plan",
        "skill",
        "description",
        "prompt",
    ):
        if isinstance(given.get(key), str):
            return f"{tool.get('name')}: {given[key]}"
    return str(tool.get("name", ""))


def questions(tool: dict) -> list:
    """What AskUserQuestion asks: [{"question", "options": [label...], "several"}]."""
    given = tool.get("input")
    asked = (
        given.get("questions") if isinstance(given, dict) and tool.get("name") == "AskUserQuestion" else None
    )
    found = []
    for one in asked if isinstance(asked, list) else []:
        if isinstance(one, dict):
            options = one.get("options")
            labels = (
                [str(option.get("label", "")) for option in options if isinstance(option, dict)]
                if isinstance(options, list)
                else []
            )
            found.append(
                {
                    "question": str(one.get("question", "")),
                    "options": labels,
                    "several": bool(one.get("multiSelect")),
                }
            )
    return found


def _listed(folder: str) -> list:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _head(path: str, size: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(size)
    except OSError:
        return b""


def _tail(path: str, size: int) -> "tuple[list, bool]":
    """The last whole lines of a file, and whether these are all."""
    try:
        with open(path, "rb", buffering=0) as file:
            length = file.seek(0, 2)
            file.seek(max(0, length - size))
            data = file.read(size)
    except OSError:
        return [], True
    lines = data.split(b"\n")
    return (lines, True) if length <= size else (lines[1:], False)
