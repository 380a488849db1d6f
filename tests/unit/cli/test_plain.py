"""A plain command line means the same without Typer as with it, for every verb,
option and argument there is.
"""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent_session.cli import app, context, parameters, plain, verbs
from agent_session.cli.context import Invocation
from agent_session.cli.parameters import Argument, Option, Parameter
from agent_session.config import Config
from agent_session.errors import UsageError

REFUSED = "refused"
TEXTS = {
    "--model": "opus",
    "--protect": "strict",
    "--memory": "512m",
    "--shm-size": "512m",
    "--cpus": "1.5",
    "--pids": "100",
    "--detach-key": "Ctrl x",
    "--timeout": "2.5",
    "--publish": "8080:3000",
    "-p": "8080:3000",
    "--network": "none",
    "--label": "team=web",
    "--sort": "state",
}
"""What an option can be given that takes not just any text."""

Read = tuple[dict[str, Any], bool] | str | None
"""The values of all parameters, and whether `--` stood before the first argument."""


@pytest.fixture(scope="module")
def by_typer() -> Iterator[Callable[[list[str]], Read]]:
    """Read a command line with Typer, calling no verb."""
    called: list[Read] = []

    def of_verb(verb: verbs.Verb) -> Any:
        function = real(verb)

        class Recorder:
            __code__, __defaults__ = function.__code__, function.__defaults__
            __annotations__, __doc__ = function.__annotations__, function.__doc__

            def __call__(self, invocation: Invocation, **values: Any) -> None:
                called.append((values, invocation.unnamed))

        return Recorder()

    def read(words: list[str]) -> Read:
        called.clear()
        try:
            app.obey(words, None)
        except UsageError:
            return REFUSED
        return called[0] if called else None

    real = verbs.Verb.function
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verbs.Verb, "function", of_verb)
        nothing = Invocation(config=Config(), environment={})
        patch.setattr(app, "contexts", SimpleNamespace(begin=lambda *_, **__: nothing, told=context.told))
        yield read


def by_itself(words: list[str]) -> Read:
    """Read a command line without Typer; None where it is not plain."""
    call = plain.read(words)
    if call is None:
        return None
    defaults = {one.name: one.default for one in parameters.of(call.function)}
    return defaults | call.values, call.unnamed


def options(declared: list[Parameter]) -> Iterator[tuple[Parameter, str, str]]:
    """Each option under each of its names, with a text where it takes one;
    of pairs (watch --on) none is plain.
    """
    for one in declared:
        if isinstance(one.declared, Option) and one.kind != tuple[str, str]:
            for name in (name for names in one.declared.names for name in names.split("/")):
                yield one, name, "" if one.kind is bool else TEXTS.get(name, "text")


def declared(verb: str) -> tuple[list[Parameter], list[str]]:
    """The parameters of a verb, and the words that it cannot do without."""
    found = parameters.of(verbs.VERBS[verb].function())
    return found, [f"word{place}" for place, one in enumerate(found) if one.default is ...]


def plain_lines(verb: str) -> Iterator[list[str]]:
    """Command lines in which each option and each argument comes at least once."""
    found, needed = declared(verb)
    yield [verb, *needed]
    arguments = [one for one in found if isinstance(one.declared, Argument)]
    for count in range(len(needed), len(arguments) + 1):
        yield [verb, *(f"word{place}" for place in range(count))]
        yield [verb, "--", *(f"-word{place}" for place in range(count))]
    if arguments and arguments[-1].kind == list[str]:
        yield [verb, *needed, "one", "two", "-", ""]
    for one, name, text in options(found):
        given = [name, text] if text else [name]
        yield [verb, *given, *needed]
        if not verbs.VERBS[verb].ends_options:
            yield [verb, *needed, *given]
        if text and name.startswith("--"):
            yield [verb, f"{name}={text}", *needed]
        if one.kind == list[str]:
            yield [verb, *given, *given, *needed]
    everything = {one.name: [name, text] if text else [name] for one, name, text in options(found)}
    yield [verb, *(word for given in everything.values() for word in given), *needed]


PLAIN = [line for verb in verbs.VERBS for line in plain_lines(verb)]
ODD = [
    ["stop", "--al"],
    ["stop", "--all=1"],
    ["stop", "--nothing"],
    ["stop", "-vq"],
    ["stop", "-q", "web"],
    ["stop", "-v"],
    ["stop", "-h"],
    ["stop", "--help"],
    ["stop", "--all", "--all"],
    ["ls", "extra"],
    ["ls", "-"],
    ["ls", ""],
    ["wait", "--timeout"],
    ["wait", "--timeout", "soon"],
    ["wait", "--timeout", "1e3"],
    ["wait", "--timeout", "nan"],
    ["wait", "--timeout", "-1"],
    ["wait", "--timeout", ""],
    ["wait", "--timeout="],
    ["wait", "--until", "--", "idle"],
    ["start", "-nweb"],
    ["start", "-n=web"],
    ["start", "-dn", "web"],
    ["start", "--memory", "much"],
    ["start", "--build", "--no-build"],
    ["cp", "one"],
    ["cp", "a", "b", "c"],
    ["screen", "--svg", "-"],
    ["completion"],
    ["export", "web"],
    ["send", "web", "a", "b"],
    ["send", "web", "--key", "-x"],
    ["exec", "-it", "web", "true"],
    ["watch", "--on", "idle", "true"],
    ["--quiet", "ls"],
    ["-V"],
    ["nothing"],
    ["--", "ls"],
    ["", "ls"],
    [],
    ["__complete"],
]


@pytest.mark.parametrize("line", PLAIN, ids=" ".join)
def test_a_plain_line_means_the_same_without_typer(
    line: list[str], by_typer: Callable[[list[str]], Read]
) -> None:
    read = by_itself(line)
    assert read is not None
    assert read == by_typer(line)


@pytest.mark.parametrize("line", ODD, ids=" ".join)
def test_what_is_not_plain_is_left_to_typer(line: list[str]) -> None:
    assert plain.read(line) is None


@pytest.mark.parametrize("verb", verbs.VERBS)
def test_any_line_is_read_as_typer_reads_it_or_left_to_it(
    verb: str, by_typer: Callable[[list[str]], Read]
) -> None:
    found, needed = declared(verb)
    named = [
        word for _, name, text in options(found) for word in (name, f"{name}={text}", f"{name}=", name[:-1])
    ]
    pool = [
        *named,
        *needed,
        *TEXTS.values(),
        "word",
        "",
        "-",
        "--",
        "-1",
        "0",
        "--nothing",
        "-zz",
        "a=b",
        "ä\udcff",
    ]
    chance = random.Random(verb)
    for _ in range(20):
        line = [verb, *chance.choices(pool, k=chance.randrange(5))]
        read = by_itself(line)
        assert read in (None, by_typer(line)), line


def test_a_path_is_a_path() -> None:
    call = plain.read(["screen", "web", "--svg", "web.svg"])
    assert call
    assert call.values == {"name": "web", "svg": Path("web.svg")}


def test_another_name_of_a_verb_is_plain() -> None:
    call = plain.read(["ps", "--json"])
    assert call
    assert (call.verb.name, call.values) == ("ls", {"as_json": True})
