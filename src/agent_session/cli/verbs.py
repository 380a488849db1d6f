"""The verbs of the command line: a verb's module is imported when it is typed, and its words stay what they are.

Both are for speed. All verbs together take 15 ms to import and to look through; and Typer (0.29) would import pydantic, 45 ms, to
make a text of a text and a list of texts of a list of texts.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

NAMES = (
    "start", "attach", "stop", "restart", "ls", "rm", "update", "build", "agents", "login", "logout", "export", "send",
    "screen", "logs", "cp", "exec", "status", "wait", "watch", "chat", "prompt", "answer", "models", "completion", "doctor",
    "uninstall",
)  # fmt: skip
"""In the order of --help. A verb NAME is the function NAME of the module cli/NAME.py."""

SETTINGS = {"exec": {"allow_interspersed_args": False}}  # what follows its NAME is somebody else's command line
PLAIN = (str, bool, list[str])


class _AsTyped:
    """In place of Typer's conversion, for a parameter whose values already are of its type."""

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:  # noqa: ARG002 (Typer's names)
        return () if value is None and (param.multiple or param.nargs == -1) else value


def _left_as_typed(parameters: list[Any]) -> list[Any]:
    """Where a Typer of another version does not ask like this, it converts as it always did."""
    for parameter in parameters:
        described = getattr(parameter, "type_descriptor", None)
        if described is None or described.parameter_info.parser is not None:
            continue
        if described.annotation in PLAIN or getattr(parameter, "count", False):
            parameter.get_runtime_param = _AsTyped
    return parameters


class _Verb(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _left_as_typed(super().get_params(ctx))


class _Shelf(Mapping[str, Any]):
    """Commands by name, made when they are asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            function = getattr(import_module(f"agent_session.cli.{name}"), name)
            alone.command(name, cls=_Verb, context_settings=SETTINGS.get(name))(function)
            self._made[name] = typer.main.get_command(alone)
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


class Verbs(TyperGroup):
    """All verbs, as `typer.Typer(cls=...)` wants them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "commands": _Shelf()})

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, `--help` included."""
        return _left_as_typed(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Typer's name)
        """Names alone: Typer's own would make all commands."""
        return list(NAMES)
