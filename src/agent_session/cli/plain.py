"""A plain command line, read without Typer: importing that takes longer than all else that `ls` does.

Plain is a verb with its options by their whole names, each once, and values that raise no question. It is
read by the declarations that Typer is given, too. All else is Typer's: help, mistakes, -v, several letters
behind one dash.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from agent_session.cli import parameters, verbs
from agent_session.cli.context import Invocation
from agent_session.cli.parameters import Argument, Option, Parameter

NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


class Call(NamedTuple):
    """What a command line calls: a verb's function with what was given."""

    verb: verbs.Verb
    function: Callable[..., Any]
    values: dict[str, Any]
    unnamed: bool
    """Whether `--` stood before the first argument."""

    def obey(self, invocation: Invocation) -> None:
        """Call it."""
        self.function(replace(invocation, given=self.values, unnamed=self.unnamed), **self.values)


class _NotPlain(Exception):
    """Something that Typer has to look at."""


def read(words: Sequence[str]) -> Call | None:
    """What a plain command line calls; None for one that is not plain."""
    verb = verbs.find(words[0]) if words else None
    if verb is None:
        return None
    function = verb.function()
    declared = parameters.of(function)
    try:
        options, places, unnamed = _sorted(declared, iter(words[1:]), ends_options=verb.ends_options)
        values = options | _arguments(declared, places)
    except _NotPlain:
        return None
    return Call(verb, function, values, unnamed)


def _sorted(
    declared: Sequence[Parameter], words: Iterator[str], *, ends_options: bool
) -> tuple[dict[str, Any], list[str], bool]:
    """The options' values, the words that are arguments, and whether `--` stood before those."""
    named = {name: (one, meaning) for one in declared for name, meaning in _names(one)}
    values: dict[str, Any] = {}
    places: list[str] = []
    unnamed = False
    for word in words:
        if word == "--":
            if any(not isinstance(value, bool) for value in values.values()):
                raise _NotPlain  # Typer takes an option's value for an argument here
            unnamed = not places
            places += words
        elif not word.startswith("-") or word == "-":
            places.append(word)
            if ends_options:
                places += words
        else:
            name, equals, text = word.partition("=")
            if name not in named or (equals and not name.startswith("--")):
                raise _NotPlain
            option, meaning = named[name]
            if option.kind is bool and not equals:
                _give(values, option, meaning)
            elif option.kind is bool:
                raise _NotPlain
            else:
                _give(values, option, _value(option, text if equals else _next(words)))
    return values, places, unnamed


def _names(parameter: Parameter) -> Iterator[tuple[str, bool]]:
    """An option's names, and what each means where it is a flag."""
    if isinstance(parameter.declared, Option):
        for names in parameter.declared.names:
            yes, _, no = names.partition("/")
            yield yes, True
            if no:
                yield no, False


def _next(words: Iterator[str]) -> str:
    word = next(words, "")
    if word.startswith("-"):
        raise _NotPlain
    return word


def _value(option: Parameter, text: str) -> Any:
    """What an option is given by a text."""
    assert isinstance(option.declared, Option)
    if not text:
        raise _NotPlain
    if option.declared.parser:
        try:
            return option.declared.parser(text)
        except ValueError:
            raise _NotPlain from None
    if option.kind in (str, list[str]):
        return text
    if option.kind is float and NUMBER.fullmatch(text):
        return float(text)
    if option.kind is Path:
        return Path(text)
    raise _NotPlain


def _give(values: dict[str, Any], option: Parameter, value: Any) -> None:
    if option.kind == list[str]:
        values.setdefault(option.name, []).append(value)
    elif option.name in values:
        raise _NotPlain
    else:
        values[option.name] = value


def _arguments(declared: Sequence[Parameter], places: list[str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for argument in declared:
        if not isinstance(argument.declared, Argument):
            continue
        if argument.kind == list[str] and places:
            values[argument.name], places = places, []
        elif argument.kind in (str, Path) and places:
            values[argument.name] = argument.kind(places.pop(0))
        elif argument.default is ...:
            raise _NotPlain
    if places:
        raise _NotPlain
    return values
