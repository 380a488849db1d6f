"""How a verb declares its options and arguments: as data, once, for both that read command lines.

`plain` reads plain command lines by them, `app` hands them to Typer, which reads all others and writes the
help. So this module, and a verb's, imports nothing of Typer.
"""

from collections.abc import Callable
from typing import Any


class Argument:
    """An argument, by its place; a list takes all that are left."""

    def __init__(self, *, metavar: str, help: str) -> None:
        self.metavar = metavar
        self.help = help


class Option:
    """An option, by its names as they are typed; "--yes/--no" is one of each meaning."""

    def __init__(
        self,
        *names: str,
        help: str = "",
        metavar: str | None = None,
        parser: Callable[[str], Any] | None = None,
        hidden: bool = False,
        group: str | None = None,
    ) -> None:
        self.names = names
        self.help = help
        self.metavar = metavar
        self.parser = parser
        """What makes a value of a text; ValueError in a line."""
        self.hidden = hidden
        self.group = group
        """One of verbs.OPTION_GROUPS."""


class Parameter:
    """A parameter of a verb's function, with its declaration."""

    def __init__(self, name: str, annotation: Any, default: Any) -> None:
        self.name = name
        self.annotation: Any = annotation.__origin__
        self.kind: Any = _without_none(self.annotation)
        self.declared: Argument | Option = annotation.__metadata__[0]
        self.default = default
        """`...` where it has to be given."""


def of(function: Callable[..., Any]) -> list[Parameter]:
    """Read the parameters of a verb's function, all but the first, which is the invocation."""
    names = function.__code__.co_varnames[1 : function.__code__.co_argcount]
    defaults = function.__defaults__ or ()
    defaults = (...,) * (len(names) - len(defaults)) + defaults
    return [
        Parameter(name, function.__annotations__[name], default)
        for name, default in zip(names, defaults, strict=True)
    ]


def _without_none(annotation: Any) -> Any:
    """`str` of `str | None`."""
    kinds: tuple[Any, ...] = getattr(annotation, "__args__", ())
    return kinds[0] if len(kinds) == 2 and kinds[1] is type(None) else annotation
