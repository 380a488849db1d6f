"""The command line's composition root and error boundary."""

import io
import os
import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer
from typer.exceptions import TyperException

from agent_session import __version__, places, signals
from agent_session.cli import render
from agent_session.cli.invocation import Invocation, silence
from agent_session.cli.verbs import NAMES, Verbs
from agent_session.config import Config, read_config
from agent_session.errors import AgentSessionError, Interrupted, PodmanUnavailable

EXIT_CODES = """Exit codes: 0 done, 1 a bug (with a traceback), 2 usage, 3 configuration, 4 not found, 5 conflict,
6 Podman unavailable, 7 Podman refused, 8 build failed or image missing, 9 not ready, 10 agent server, 124 time-out, 130 interrupted."""

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
        chosen = read_config(environment, places.config_file())
    except AgentSessionError as error:
        if context.invoked_subcommand != "doctor":
            raise
        chosen, trouble = Config(), error
    chosen = chosen.with_flags(verbose=min(verbose, 2) or None, quiet=quiet)
    silence(notes=chosen.quiet)
    context.obj = Invocation(config=chosen, environment=environment, trouble=trouble)


def main() -> None:
    """Run the program and end the process with a documented exit code."""
    signals.raise_on_endings()
    _open_what_is_closed()
    _replace_what_cannot_be_said()
    sys.exit(run(sys.argv[1:]))


def _open_what_is_closed() -> None:
    """Where a caller closed a standard stream (`>&-`), the next files to be opened would get its number, and its output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 (it is for as long as we are)


def _replace_what_cannot_be_said() -> None:
    """On a terminal, or in a locale, that has not all characters the others become question marks, not tracebacks."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # What of a file's name is no UTF-8 is surrogates here, which UTF-8 streams of the C locale can give back as they were.
        if isinstance(stream, io.TextIOWrapper) and (stream.errors, stream.encoding) != ("surrogateescape", "utf-8"):
            stream.reconfigure(errors="replace")


def run(arguments: list[str]) -> int:
    """Run one command line; returns its exit code. Expected failures are told on stderr, a bug with its traceback."""
    try:
        if arguments[:1] == ["__complete"]:
            from agent_session.cli import completion

            return completion.answer(typer.main.get_command(app), arguments[1:], os.environ)
        code = int(app(arguments, prog_name="agent-session", standalone_mode=False) or 0)
        if sys.stdout:  # None where somebody closed it before we began
            sys.stdout.flush()  # or a reader that left is only noticed when nobody can answer it any more
        return code
    except TyperException as error:
        return _fail(error.format_message(), hint=_help_hint(arguments), code=2)
    except AgentSessionError as error:
        unknown = "agent-session doctor" if error.exit_code >= PodmanUnavailable.exit_code else ""
        return _fail(error.message, hint=error.hint or unknown, code=error.exit_code)
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `agent-session ls | head -1`
        return 141
    except Exception as error:
        if isinstance(error, OSError) and error.filename and error.strerror:  # a file or directory of this machine
            place = render.plain(os.fsdecode(error.filename))
            return _fail(f"{place}: {error.strerror}", hint=f"ls -ld {shlex.quote(place)}; df -h", code=3)
        import traceback

        traceback.print_exc()
        return _fail("this is a bug in agent-session", hint="agent-session --version", code=1)


def _help_hint(arguments: list[str]) -> str:
    verbs = [word for word in arguments if word in NAMES]
    return f"agent-session {verbs[0] + ' ' if verbs else ''}--help"


def _fail(message: str, *, hint: str, code: int) -> int:
    if code != Interrupted.exit_code:
        print(f"error: {message}", file=sys.stderr)
        if hint:
            print(f"hint: {hint}", file=sys.stderr)
    return code
