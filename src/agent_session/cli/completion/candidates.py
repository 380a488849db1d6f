"""The answers to a shell that completes a command line: words for its last place, with meanings.

Nothing is answered, and nothing said, where something is wrong: it would land in somebody's prompt. Imports
next to nothing: it is asked at each press of a key.
"""

import contextlib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from agent_session.cli import schema, verbs
from agent_session.cli.completion import cache
from agent_session.cli.schema import Grammar, Option, Verb

FILES = {
    "FILE": ":files",
    "PATH": ":files",
    "SRC": ":files",
    "DST": ":files",
    "PROJECT": ":directories",
    "DIRECTORY": ":directories",
}


@dataclass(kw_only=True)
class Typed:
    """What is understood of a command line before the word that is being typed."""

    verb: Verb | None = None
    taken: list[str] = field(default_factory=list)
    awaits: list[str] = field(default_factory=list)  # the kinds of values that come next
    literal: bool = False  # `--` was there: no options any more
    lost: bool = False  # there is no such verb


def answer(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Print the offers for the last of these words."""
    with contextlib.suppress(Exception):  # the error boundary of this mouth: nobody could read a word of it
        from agent_session.host import paths

        words = _split(words[1]) if words[:1] == ["--line"] else list(words)
        for word, meaning in offers(cache.known(paths.words_folder()), words, environment):
            print(f"{word}\t{meaning}" if meaning else word)
    return 0


def offers(known: Grammar, words: Sequence[str], environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """Words that could stand in place of the last one, and their meanings.

    At the end stands `:files` or `:directories` where those can.
    """
    *before, current = words or [""]
    typed = understand(known, before)
    if typed.lost:
        return []
    start = ""
    if typed.awaits:
        found = _values(typed.awaits[0], typed, environment)
    elif current.startswith("-") and not typed.literal:
        name, equals, _ = current.partition("=")
        option = _option(known, typed, name)
        if equals and option:
            start = name + equals
            found = _values(option.metavar, typed, environment)
        else:
            options = typed.verb.options if typed.verb else known.options
            found = [(name, schema.sentence(option.help)) for option in options for name in option.names]
    elif typed.verb is None:
        found = [(verb.name, verb.summary) for verb in known.verbs.values()]
    else:
        found = _arguments(typed, environment)
    return [
        (word if word.startswith(":") else start + word, meaning)
        for word, meaning in found
        if word.startswith(":") or (start + word).startswith(current)
    ]


def understand(known: Grammar, words: Iterable[str]) -> Typed:
    """Read complete words, as the parser would."""
    typed = Typed()
    for word in words:
        if typed.awaits:
            typed.awaits.pop(0)
        elif word == "--" and not typed.literal:
            typed.literal = True
        elif word.startswith("-") and word != "-" and not typed.literal:
            typed.awaits = _awaiting(known, typed, word)
        elif typed.verb is None:
            typed.verb = known.verbs.get(verbs.ALIASES.get(word, word))
            typed.lost = typed.verb is None
            if typed.lost:
                break
        else:
            typed.taken.append(word)
    return typed


def _awaiting(known: Grammar, typed: Typed, word: str) -> list[str]:
    """The kinds of values that the next words are, after --name, -n, or the last letter of -dn."""
    if word.startswith("--"):
        option = _option(known, typed, word)
        return option.metavar.split() if option else []
    for place, letter in enumerate(word[1:], 2):
        option = _option(known, typed, f"-{letter}")
        if option and option.metavar:
            return option.metavar.split() if place == len(word) else []
    return []


def _option(known: Grammar, typed: Typed, name: str) -> Option | None:
    options = typed.verb.options if typed.verb else known.options
    return next((option for option in options if name in option.names), None)


def _arguments(typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    assert typed.verb
    arguments, place = typed.verb.arguments, len(typed.taken)
    if place >= len(arguments) and not (arguments and arguments[-1].several):
        return []
    argument = arguments[min(place, len(arguments) - 1)]
    if argument.kind == "DST" and ":" in typed.taken[0]:
        return [(":files", "")]
    found = _values(argument.kind, typed, environment)
    return [offer for offer in found if not (argument.several and offer[0] in typed.taken)]


def _values(metavar: str, typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    """What a value of that kind can be."""
    if "|" in metavar:
        return [(word, "") for word in metavar.split("|") if word.islower()]
    kind = re.split(r"\W", metavar)[0]
    if kind == "COMMAND" and typed.verb and typed.verb.name == "help":
        return [(verb.name, verb.summary) for verb in verbs.VERBS.values()]
    if kind == "STATE":
        from agent_session.activity.state import VALUES

        return [(state, "") for state in VALUES]
    found = [(FILES[kind], "")] if kind in FILES else []
    if kind == "NAME" or kind in {"SRC", "DST"}:
        end = "" if kind == "NAME" else ":"
        return [(name + end, meaning) for name, meaning in _sessions(typed, environment)] + found
    if kind == "AGENT":
        return _agents()
    if kind == "KEY":
        from agent_session.activity.keys import NAMES

        return [(name, "") for name in NAMES]
    return found


def _sessions(typed: Typed, environment: Mapping[str, str]) -> list[tuple[str, str]]:
    from agent_session.cli.completion import sessions

    known = verbs.find(typed.verb.name) if typed.verb else None
    wanted = known.sessions if known else verbs.ANY
    return [
        (one.name, f"{one.agent}, {'running' if one.running else 'stopped'}")
        for one in sessions.sessions(environment)
        if wanted == verbs.ANY or one.running == (wanted == verbs.RUNNING)
    ]


def _agents() -> list[tuple[str, str]]:
    from agent_session.host import paths

    return [
        (name, "")
        for name in sorted(
            {file.parent.name for folder in paths.agent_folders() for file in folder.glob("*/agent.yaml")}
        )
    ]


def _split(line: str) -> list[str]:
    """The words after the program's name, the last one as far as it is typed; a quote may be open."""
    for closing in ("", '"', "'"):
        try:
            words = shlex.split(line + closing)
        except ValueError:
            continue
        return [*words[1:], ""] if line[-1:].isspace() and not closing else words[1:]
    return []
