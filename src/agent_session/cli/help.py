"""The text of `--help`, made of the command line as data: verbs in groups, a verb's options in groups."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping

from agent_session.cli.schema import Grammar, Option, Verb
from agent_session.cli.verbs import ALIASES, GROUPS, OPTION_GROUPS, VERBS

OTHERS = "Options"
"""Of options that are in no group of their own."""

NARROW, WIDE = 40, 30
"""No text is folded to fewer columns; no column of names is wider, longer names have a line of their own."""


def program(grammar: Grammar, width: int, *, short: bool = False) -> str:
    """The help of the whole program; the short one is for a command line without words.

    It shows how each verb is called, and where to read on.
    """
    aliases = {name: f"{name}, {alias}" for alias, name in ALIASES.items()}
    lines = ["Usage: agent-session [OPTION]... COMMAND [ARGUMENT]...", "", f"  {grammar.help}"]
    column = max(len(aliases.get(name, name)) for name in VERBS)
    for group in GROUPS:
        verbs = [verb for verb in VERBS.values() if verb.group == group]
        lines += ["", f"{group}:"]
        lines += [f"  {aliases.get(verb.name, verb.name):<{column}}  {verb.summary}" for verb in verbs]
    if short:
        return "\n".join([*lines, "", "More of a command: agent-session help COMMAND", ""])
    lines += _options({"Options": grammar.options}, width)
    return "\n".join([*lines, "", *_paragraphs(grammar.epilog, width), ""])


def of_verb(verb: Verb, width: int) -> str:
    """The help of one verb: what it does, its arguments, its options by groups, examples."""
    usage = ["agent-session", verb.name, "[OPTION]...", *(argument.metavar for argument in verb.arguments)]
    lines = _folded(" ".join(usage), width, "Usage: ", " " * 7)
    for paragraph in verb.help.split("\n\n"):
        lines += ["", *_folded(paragraph, width, "  ", "  ")]
    if verb.arguments:
        lines += ["", "Arguments:"]
        lines += _rows(((argument.metavar, argument.help) for argument in verb.arguments), width)
    lines += _options(_grouped(verb.options), width)
    if verb.examples:
        lines += ["", "Examples:"]
        for command, meaning in verb.examples:
            lines += [*_folded(f"# {meaning}", width, "  ", "  # "), f"  {command}"]
    return "\n".join([*lines, ""])


def _grouped(options: Iterable[Option]) -> dict[str, list[Option]]:
    """Options by their groups."""
    found: dict[str, list[Option]] = {group: [] for group in (*OPTION_GROUPS, OTHERS)}
    for option in options:
        found[option.group or OTHERS].append(option)
    return {group: options for group, options in found.items() if options}


def _options(groups: Mapping[str, Iterable[Option]], width: int) -> Iterator[str]:
    for group, options in groups.items():
        yield ""
        yield f"{group}:"
        yield from _rows(((_names(option), option.help) for option in options), width)


def _names(option: Option) -> str:
    """As they are typed: `-n, --name NAME`, `--build, --no-build`."""
    return ", ".join(option.names) + (f" {option.metavar}" if option.metavar else "")


def _rows(rows: Iterable[tuple[str, str]], width: int) -> Iterator[str]:
    """Names and what they mean, in two columns."""
    listed = list(rows)
    column = max((len(name) for name, _ in listed if len(name) <= WIDE), default=0)
    for name, meaning in listed:
        first = f"  {name:<{column}}  "
        if len(name) > column:
            yield f"  {name}"
            first = " " * (column + 4)
        yield from _folded(meaning, width, first, " " * (column + 4))


def _paragraphs(text: str, width: int) -> Iterator[str]:
    for paragraph in text.split("\n\n"):
        yield from _folded(paragraph, width, "", "  ")


def _folded(text: str, width: int, first: str, rest: str) -> list[str]:
    width = max(width, len(rest) + NARROW)
    return textwrap.wrap(
        text,
        width,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first.rstrip()]
