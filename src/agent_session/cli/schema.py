"""The command line as data, read from Typer: what completion offers and what the man pages tell."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agent_session.cli.verbs import VERBS


@dataclass(frozen=True, kw_only=True)
class Option:
    """An option of a verb: `names` as they are typed, `metavar` "" for one without a value.

    `group` is "" where it is in none.
    """

    names: tuple[str, ...]
    metavar: str
    help: str
    group: str = ""


@dataclass(frozen=True, kw_only=True)
class Argument:
    """`metavar` as in the usage line, `kind` the bare word of it: "[PROJECT]..." is of the kind PROJECT."""

    metavar: str
    kind: str
    help: str
    several: bool


@dataclass(frozen=True, kw_only=True)
class Verb:
    """One verb. `help` is its text, paragraphs between empty lines; `summary` is its line in a list."""

    name: str
    summary: str
    help: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    examples: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Grammar:
    """All of it; `options` are those before the verb."""

    help: str
    epilog: str
    options: tuple[Option, ...]
    verbs: Mapping[str, Verb] = field(default_factory=dict)


HELP = Option(names=("-h", "--help"), metavar="", help="Show the help and exit.")


class _Verbs(Mapping[str, Verb]):
    """Verbs that are read when they are asked for: a verb's module is imported for it."""

    def __init__(self, commands: Mapping[str, Any]) -> None:
        self._commands = commands

    def __getitem__(self, name: str) -> Verb:
        return read_verb(name, self._commands[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._commands)

    def __len__(self) -> int:
        return len(self._commands)


def read(group: Any) -> Grammar:
    """Of Typer's group of commands, what is not hidden."""
    return Grammar(
        help=_text(group.help),
        epilog=_text(group.epilog),
        options=(*_options(group.params), HELP),
        verbs=_Verbs(group.commands),
    )


def sentence(help_: str) -> str:
    """The first sentence of a help text."""
    return re.split(r"(?<=[^.][.;:])\s", " ".join(help_.partition("\n\n")[0].split()), maxsplit=1)[0].rstrip(
        ".;:"
    )


def read_verb(name: str, command: Any) -> Verb:
    """Of one of Typer's commands, what is not hidden."""
    arguments = tuple(
        Argument(
            metavar=found.metavar or found.name.upper(),
            kind=re.sub(r"^\W+|[\].].*$", "", found.metavar or found.name.upper()),
            help=found.help or "",
            several=found.nargs == -1,
        )
        for found in command.params
        if found.param_type_name == "argument" and not found.hidden
    )
    known = VERBS[name]
    return Verb(
        name=name,
        summary=known.summary,
        help=_text(command.help),
        options=(*_options(command.params), HELP),
        arguments=arguments,
        examples=known.examples,
    )


def _options(parameters: Any) -> Iterator[Option]:
    for found in parameters:
        if found.param_type_name == "option" and not found.hidden and found.opts != list(HELP.names):
            flag = found.is_flag or found.count
            yield Option(
                names=(*found.opts, *found.secondary_opts),
                metavar="" if flag else found.metavar or found.name.upper(),
                help=found.help or "",
                group=found.rich_help_panel or "",
            )


def _text(help_: str | None) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in (help_ or "").split("\n\n"))
