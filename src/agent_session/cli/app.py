"""The command line as Typer reads it, with the options of all verbs, and its help.

A plain command line does not come here: see plain.py. All verbs together take 15 ms to import and to look
through, so a verb's module is imported when it is typed; and Typer (0.29) would import pydantic, 45 ms, to
make a text of a text and a list of texts of a list of texts.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from agent_session import __version__
from agent_session.cli import context as contexts
from agent_session.cli import parameters, verbs
from agent_session.cli.parameters import Option, Parameter
from agent_session.errors import Hint, UsageError

if TYPE_CHECKING:
    from agent_session.cli.prefetch import Prefetch

UNNAMED = "agent-session.unnamed"
PLAIN = (str, bool, list[str])
EVERYWHERE = {"verbose", "quiet"}

EXIT_CODES = """Exit codes: 0 done, 1 a question was declined, or a bug (with a traceback), 2 usage,
3 configuration, or a file that cannot be read or written, 4 not found, 5 conflict, 6 Podman unavailable,
7 Podman refused, 8 build failed or image missing, 9 not ready, 10 agent server, 124 time-out,
130 interrupted, 141 nobody reads the output."""


def _processed(parameter: Any, context: Any, value: Any) -> Any:
    """In place of a parameter's own process_value: texts, flags and what was not given stay what they are.

    Typer (0.29) would import pydantic, 45 ms, to make a text of a text.
    """
    given = value is not None
    described = parameter.type_descriptor
    plain = described.annotation in PLAIN or getattr(parameter, "count", False)
    converted = given and (not plain or described.parameter_info.parser is not None)
    if converted or (parameter.required and not given):
        return type(parameter).process_value(parameter, context, value)
    if not given:
        value = () if parameter.multiple or parameter.nargs == -1 else None
    return parameter.callback(context, parameter, value) if parameter.callback else value


def _as_typed(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        if hasattr(parameter, "type_descriptor"):  # a Typer of another version converts as it always did
            parameter.process_value = partial(_processed, parameter)
    return parameters


class _Verb(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        """Return its own options and the program's -v and -q, which may also follow the verb."""
        own = super().get_params(ctx)
        return _as_typed([*own, *self._everywhere(ctx, {name for one in own for name in one.opts})])

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click's name)
        """Ours in place of click's."""
        from agent_session.cli import help as helps
        from agent_session.cli import schema

        formatter.write(helps.of_verb(schema.read_verb(self.name or "", self), formatter.width))

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As ever; noted is whether `--` stood before the first argument, which only `exec` asks."""
        before = args[: args.index("--")] if "--" in args else None
        ctx.meta[UNNAMED] = before is not None and all(
            word.startswith("-") and word != "-" for word in before
        )
        return super().parse_args(ctx, args)

    def _everywhere(self, ctx: Any, taken: set[str]) -> list[Any]:
        """The same objects each time: the parser compares them. `taken` are names that are the verb's own."""
        if not hasattr(self, "_copies"):
            self._copies = []
            for one in map(copy, ctx.parent.command.params if ctx.parent else ()):
                one.opts = [name for name in one.opts if name not in taken]
                if one.name in EVERYWHERE and one.opts:
                    one.expose_value, one.hidden, one.callback = False, True, _say_as_much
                    self._copies.append(one)
        return self._copies


def _say_as_much(context: Any, parameter: Any, value: Any) -> None:
    """-v or -q after the verb: they beat what was said before it."""
    if value:
        context.obj = contexts.told(context.obj, **{parameter.name: value})


def _for_typer(function: Callable[..., Any]) -> Callable[..., Any]:
    """A verb's function as Typer wants one: with a context, and parameters that are declared in its words."""

    def call(context: typer.Context, **values: Any) -> None:
        function(replace(context.obj, given=values, unnamed=context.meta[UNNAMED]), **values)

    declared = [_declared(one) for one in parameters.of(function)]
    own = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    call.__signature__ = inspect.Signature([own, *declared])  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in (own, *declared)}
    call.__doc__ = function.__doc__
    return call


def _declared(parameter: Parameter) -> inspect.Parameter:
    declared = parameter.declared
    info: Any
    if isinstance(declared, Option):
        info = typer.Option(
            *declared.names,
            metavar=declared.metavar,
            help=declared.help,
            parser=_refusing(declared.parser) if declared.parser else None,
            hidden=declared.hidden,
            rich_help_panel=declared.group,
        )
    else:
        info = typer.Argument(metavar=declared.metavar, help=declared.help)
    default = inspect.Parameter.empty if parameter.default is ... else parameter.default
    annotation = Annotated[parameter.annotation, info]  # type: ignore[name-defined]
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Parameter(parameter.name, kind, default=default, annotation=annotation)


def _refusing(parser: Callable[[str], Any]) -> Callable[[str], Any]:
    """A parser whose ValueError Typer tells as a mistake in the option's value."""

    def read(text: str) -> Any:
        try:
            return parser(text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error

    return read


class _LazyCommands(Mapping[str, Any]):
    """Commands by name, made when they are asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        verb = verbs.find(name)
        if verb is None:
            raise KeyError(name)
        if verb.name not in self._made:
            alone = typer.Typer(add_completion=False, rich_markup_mode=None)
            settings = {"allow_interspersed_args": False} if verb.ends_options else None
            alone.command(verb.name, cls=_Verb, context_settings=settings)(_for_typer(verb.function()))
            self._made[verb.name] = typer.main.get_command(alone)
        return self._made[verb.name]

    def __iter__(self) -> Iterator[str]:
        return iter(verbs.VERBS)

    def __len__(self) -> int:
        return len(verbs.VERBS)


class Verbs(TyperGroup):
    """All verbs, as `typer.Typer(cls=...)` wants them."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **{**options, "commands": _LazyCommands()})

    def get_params(self, ctx: Any) -> list[Any]:
        """All parameters, `--help` included."""
        return _as_typed(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (Typer's name)
        """Names alone: Typer's own would make all commands."""
        return list(verbs.VERBS)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (Typer's name)
        """Ours in place of click's, of which no verb's module is imported."""
        from agent_session.cli import help as helps
        from agent_session.cli import schema

        formatter.write(helps.program(schema.read(self), formatter.width))


app = typer.Typer(
    cls=Verbs,
    help="A persistent, rootless home for AI coding agents.",
    epilog=EXIT_CODES,
    add_completion=False,
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"agent-session {__version__}")
        raise typer.Exit


ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Configuration file. [env: AGENT_SESSION_CONFIG] [default: config.yaml in the XDG "
        "configuration directory]",
        show_default=False,
    ),
]
Verbose = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        metavar="",
        help="Tell each call of the engine with its time on stderr; -vv also the podman commands and "
        "HTTP requests. [env: AGENT_SESSION_VERBOSE=1 or 2]",
        show_default=False,
    ),
]
Quiet = Annotated[
    bool | None,
    typer.Option(
        "-q",
        "--quiet",
        help="No notes on stderr: only errors, and results on stdout. [env: AGENT_SESSION_QUIET=1]",
        show_default=False,
    ),
]
Version = Annotated[
    bool,
    typer.Option("-V", "--version", help="Print the version.", callback=_print_version, is_eager=True),
]


@app.callback()
def options(
    context: typer.Context,
    config: ConfigFile = None,
    verbose: Verbose = 0,
    quiet: Quiet = None,
    _version: Version = False,
) -> None:
    """A persistent, rootless home for AI coding agents."""
    context.obj = contexts.begin(
        context.invoked_subcommand or "", file=config, verbose=verbose, quiet=quiet, prefetch=context.obj
    )
    if context.invoked_subcommand is None:
        from agent_session.cli.commands import dash

        dash.alone(context.obj)


def obey(words: Sequence[str], prefetch: "Prefetch | None") -> int:
    """Run a command line; returns its exit code. UsageError for one that is wrong."""
    command = typer.main.get_command(app)
    try:
        with command.make_context("agent-session", list(words), obj=prefetch) as context:
            command.invoke(context)
    except typer.Exit as ending:
        return ending.exit_code
    except TyperException as error:
        verb = next((word for word in words if verbs.find(word)), "")
        hint = Hint(verb, ["--help"]) if verb else Hint("--help")
        raise UsageError(error.format_message(), hint=hint) from error
    return 0


def help_text(verb: str = "") -> str:
    """What --help prints, of the program or of one verb."""
    with _context() as context:
        if verb:
            context = typer.Context(context.command.commands[verb], info_name=verb, parent=context)
        return str(context.get_help())


def short_help() -> str:
    """How each verb is called."""
    from agent_session.cli import help as helps
    from agent_session.cli import schema

    with _context() as context:
        return helps.program(schema.read(context.command), context.make_formatter().width, short=True)


def _context() -> Any:
    return typer.main.get_command(app).make_context("agent-session", [], resilient_parsing=True)
