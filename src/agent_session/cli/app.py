"""The command line: options of all verbs; a verb's module is imported when it is typed, and its words stay what they are.

The latter are for speed. All verbs together take 15 ms to import and to look through; and Typer (0.29) would import pydantic, 45 ms, to
make a text of a text and a list of texts of a list of texts.
"""

import os
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from agent_session import __version__
from agent_session.cli.context import UNNAMED, Invocation, silence
from agent_session.config import Config, read_config
from agent_session.errors import AgentSessionError
from agent_session.host import paths

NAMES = (
    "start", "attach", "stop", "restart", "ls", "rm", "update", "build", "agents", "login", "logout", "export", "send",
    "screen", "logs", "cp", "exec", "status", "wait", "watch", "chat", "prompt", "answer", "models", "completion", "doctor",
    "uninstall",
)  # fmt: skip
"""In the order of --help. A verb NAME is the function NAME of the module cli/NAME.py."""

SETTINGS = {
    "exec": {"allow_interspersed_args": False}
}  # what follows its NAME is somebody else's command line
EVERYWHERE = {"verbose", "quiet"}
PLAIN = (str, bool, list[str])

EXIT_CODES = """Exit codes: 0 done, 1 a bug (with a traceback), 2 usage, 3 configuration, 4 not found, 5 conflict,
6 Podman unavailable, 7 Podman refused, 8 build failed or image missing, 9 not ready, 10 agent server, 124 time-out, 130 interrupted."""


class _AsTyped:
    """In place of Typer's conversion: a value that is of its type already, and one that was not given, stay what they are."""

    def __init__(self, parameter: Any) -> None:
        described = parameter.type_descriptor
        plain = described.annotation in PLAIN or getattr(parameter, "count", False)
        self._converted = not plain or described.parameter_info.parser is not None
        self._typers = type(parameter).get_runtime_param

    def coerce(self, value: Any, *, param: Any, ctx: Any) -> Any:
        """The value, by Typer's names."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        return self._typers(param).coerce(value, param=param, ctx=ctx) if self._converted else value


def _left_as_typed(parameters: list[Any]) -> list[Any]:
    """Where a Typer of another version does not ask like this, it converts as it always did."""
    for parameter in parameters:
        if hasattr(parameter, "type_descriptor"):
            parameter.get_runtime_param = partial(_AsTyped, parameter)
    return parameters


class _Verb(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        """Its own, and the program's -v and -q, which are typed after the verb as well; help tells them once, before it."""
        own = super().get_params(ctx)
        taken = {name for parameter in own for name in parameter.opts}
        return _left_as_typed([*own, *(one for one in self._everywhere(ctx) if not taken & {*one.opts})])

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As ever; noted is whether `--` stood before the first argument, which only `exec` asks."""
        ctx.meta[UNNAMED] = "--" in args and all(word.startswith("-") for word in args[: args.index("--")])
        return super().parse_args(ctx, args)

    def _everywhere(self, ctx: Any) -> list[Any]:
        """The same objects each time: the parser compares them."""
        if not hasattr(self, "_copies"):
            self._copies = [
                copy(one)
                for one in (ctx.parent.command.params if ctx.parent else ())
                if one.name in EVERYWHERE
            ]
            for one in self._copies:
                one.expose_value, one.hidden, one.callback = False, True, _say_as_much
        return self._copies


def _say_as_much(context: Any, parameter: Any, value: Any) -> None:
    """-v or -q after the verb: they beat what was said before it."""
    if value:
        context.obj = _told(context.obj, **{parameter.name: value})


def _told(invocation: Invocation, *, verbose: int = 0, quiet: bool | None = None) -> Invocation:
    config = invocation.config.with_flags(verbose=min(verbose, 2) or None, quiet=quiet)
    silence(notes=config.quiet)
    return replace(invocation, config=config)


class _Shelf(Mapping[str, Any]):
    """Commands by name, made when they are asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in NAMES:
            raise KeyError(name)
        if name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            function = getattr(import_module(f"agent_session.cli.commands.{name}"), name)
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


app = typer.Typer(
    cls=Verbs,
    help="A persistent, rootless home for AI coding agents.",
    epilog=EXIT_CODES,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"agent-session {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="Configuration file. [env: AGENT_SESSION_CONFIG] [default: config.yaml in the XDG configuration directory]",
            show_default=False,
        ),
    ] = None,
    verbose: Annotated[
        int,
        typer.Option(
            "-v",
            "--verbose",
            count=True,
            metavar="",
            help="Tell each call of the engine with its time on stderr; -vv also the podman commands and HTTP requests. "
            "[env: AGENT_SESSION_VERBOSE=1 or 2]",
            show_default=False,
        ),
    ] = 0,
    quiet: Annotated[
        bool | None,
        typer.Option(
            "-q",
            "--quiet",
            help="No notes on stderr: only errors, and results on stdout. [env: AGENT_SESSION_QUIET=1]",
            show_default=False,
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A persistent, rootless home for AI coding agents."""
    environment = dict(os.environ) | ({"AGENT_SESSION_CONFIG": config} if config else {})
    trouble = None
    try:
        chosen = read_config(environment, paths.config_file())
    except AgentSessionError as error:
        if context.invoked_subcommand != "doctor":
            raise
        chosen, trouble = Config(), error
    invocation = Invocation(config=chosen, environment=environment, trouble=trouble, foresight=context.obj)
    context.obj = _told(invocation, verbose=verbose, quiet=quiet)
