"""`agent-session config`: the user's choices as they count here, and a file to write them in."""

import os
import re
from typing import TYPE_CHECKING, Annotated, Any

from agent_session.cli.context import Invocation, note
from agent_session.cli.options import JsonList
from agent_session.cli.parameters import Argument
from agent_session.errors import ConflictError, Hint, UsageError

if TYPE_CHECKING:
    from pathlib import Path

SHOW, INIT = ACTIONS = ("show", "init")
HEAD = """# agent-session: what you choose for every session. A variable beats this file, a flag beats both.
# All keys with their defaults; take away the # in front of one that is to be another.
"""
Action = Annotated[
    str | None,
    Argument(metavar="[show|init]", help="Show what counts, or write a file with every key. [default: show]"),
]


def config(invocation: Invocation, action: Action = None, as_json: JsonList = False) -> None:
    """Show each choice as it counts, and where it comes from; or begin a configuration file.

    It comes from the default, the file, or a variable. `init` writes a file in which every key is explained
    and commented out, and never over one that is there.
    """
    from agent_session import config as configuration

    if action not in {None, *ACTIONS}:
        raise UsageError(f"{action!r} is neither show nor init", hint=Hint("config", ["show"]))
    file = configuration.file_named(invocation.environment)
    if action == INIT:
        _init(file)
        return
    rows = configuration.explained(invocation.environment, file)
    if as_json:
        from agent_session.cli import output

        output.print_json([{"key": one.key, "value": one.value, "from": one.source} for one in rows])
        return
    from agent_session.cli.table import print_table

    print_table(["KEY", "VALUE", "FROM"], [(one.key, _shown(one.value), one.source) for one in rows])
    if not file.exists():
        note(f"there is no {file}; agent-session config init begins one")


def _shown(value: object) -> str:
    if value is None or value == () or value == "":
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _init(file: "Path") -> None:
    """Write the file. Raises ConflictError where there is one."""
    text = _beginning()
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        hint = Hint("config", ["show"])
        raise ConflictError(f"{file} is there already, and nothing was written", hint=hint) from None
    with os.fdopen(handle, "w", encoding="utf-8") as written:
        written.write(text)
    print(file)


def _beginning() -> str:
    """Every key that a file may have, with its meaning and its default, commented out."""
    import json
    import textwrap

    from agent_session.config import FIELDS

    meanings = _meanings()
    parts = [HEAD]
    for key, field in FIELDS.items():
        default: Any = field.default
        words = textwrap.wrap(meanings.get(key, ""), 100, initial_indent="# ", subsequent_indent="# ")
        value = "" if default in {None, ""} else json.dumps(default)
        parts.append("\n".join([*words, f"# {key}: {value}".rstrip(), ""]))
    return "\n".join(parts)


def _meanings() -> dict[str, str]:
    """What each key that a flag sets means, from the help of the flag."""
    import typer

    from agent_session.cli import app, schema

    known = schema.read(typer.main.get_command(app.app))
    helps = [one.help for verb in known.verbs.values() for one in verb.arguments]
    helps += [one.help for verb in known.verbs.values() for one in verb.options]
    found: dict[str, str] = {}
    for text in (*helps, *(option.help for option in known.options)):
        if named := re.search(r"\[env: AGENT_SESSION_([A-Z_]+)", text):
            found.setdefault(named[1].lower(), re.sub(r"\s*\[(env|default): [^\]]*\]", "", text))
    return found
