"""For an agent's `prepare`: JSON files, the host's in the seed and the agent's own in its home."""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

FILES = Path("/run/agent-session/seed/files")
# A ~/.claude.json with years of history is a few MB; the start must not hang on anything else.
LARGEST = 20_000_000


def note(words: str) -> None:
    """Say one line to the user; the start goes on."""
    print(words, file=sys.stderr)


def read_object(path: Path, name: str) -> dict[str, Any]:
    """The JSON object in `path`, {} if there is none; what cannot be used is noted under `name`, never quoted."""
    try:
        if path.stat().st_size > LARGEST:
            raise ValueError("too large")
        text = path.read_text(encoding="utf-8-sig")
        if not text.strip():
            raise ValueError("empty")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError("not a JSON object")
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        note(f"{name} is not used: not valid JSON (line {error.lineno})")
    except UnicodeDecodeError:
        note(f"{name} is not used: not UTF-8 text")
    except RecursionError:
        note(f"{name} is not used: nested too deeply")
    except (OSError, ValueError) as error:
        note(f"{name} is not used: {error.strerror if isinstance(error, OSError) else error}")
    else:
        return found
    return {}


def write_object(path: Path, content: dict[str, Any]) -> None:
    """Replace `path` in one step, readable by the agent's user only."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=2, ensure_ascii=False)
    Path(temporary).replace(path)
