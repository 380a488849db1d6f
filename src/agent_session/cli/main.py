"""Where the program begins: what its command line will ask of Podman is begun, then the command line is read; the error boundary.

Imports next to nothing itself: Podman works while the rest is imported.
"""

import gc
import io
import os
import sys

from agent_session.cli.prefetch import Foresight
from agent_session.errors import DOCTOR, AgentSessionError, EngineUnavailable, Hint, Interrupted, UsageError
from agent_session.host import signals


def main() -> None:
    """Run the program and end the process with a documented exit code."""
    gc.set_threshold(100_000)  # looking for garbage while importing costs 5 ms
    signals.raise_on_endings()
    _open_what_is_closed()
    _replace_what_cannot_be_said()
    code = run(sys.argv[1:], Foresight())
    gc.freeze()  # and at the end as much: what is left goes with the process
    sys.exit(code)


def _open_what_is_closed() -> None:
    """Where a caller closed a standard stream (`>&-`), the next files to be opened would get its number, and its output."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123 (it is for as long as we are; pathlib takes 3 ms)


def _replace_what_cannot_be_said() -> None:
    """On a terminal, or in a locale, that has not all characters the others become question marks, not tracebacks."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        # What of a file's name is no UTF-8 is surrogates here, which UTF-8 streams of the C locale can give back as they were.
        if isinstance(stream, io.TextIOWrapper) and (stream.errors, stream.encoding) != (
            "surrogateescape",
            "utf-8",
        ):
            stream.reconfigure(errors="replace")


def run(arguments: list[str], foresight: Foresight | None = None) -> int:
    """Run one command line; returns its exit code. Expected failures are told on stderr, a bug with its traceback."""
    try:
        if foresight:
            foresight.begin(arguments)
        code = _obey(arguments, foresight)
        if sys.stdout:  # None where somebody closed it before we began
            sys.stdout.flush()  # or a reader that left is only noticed when nobody can answer it any more
        return code
    except AgentSessionError as error:
        unknown = (DOCTOR,) if error.exit_code >= EngineUnavailable.exit_code else ()
        return _fail(error.message, *(error.hints or unknown), code=error.exit_code)
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # `agent-session ls | head -1`
        return 141
    except Exception as error:
        if (
            isinstance(error, OSError) and error.filename and error.strerror
        ):  # a file or directory of this machine
            import shlex

            from agent_session import sanitize

            place = sanitize.shown(os.fsdecode(error.filename))
            look = Hint(shell=f"ls -ld {shlex.quote(place)}; df -h")
            return _fail(f"{place}: {error.strerror}", look, code=3)
        import traceback

        traceback.print_exc()
        return _fail("this is a bug in agent-session", Hint("--version"), code=1)
    finally:
        if foresight:
            foresight.drop()


def _obey(arguments: list[str], foresight: Foresight | None) -> int:
    if arguments[:1] == ["__complete"]:
        from agent_session.cli.completion import candidates

        return candidates.answer(arguments[1:], os.environ)
    from typer.exceptions import TyperException

    from agent_session.cli.app import NAMES, app

    try:
        return int(app(arguments, prog_name="agent-session", standalone_mode=False, obj=foresight) or 0)
    except TyperException as error:
        verb = next((word for word in arguments if word in NAMES), "")
        raise UsageError(
            error.format_message(), hint=Hint(verb, ["--help"]) if verb else Hint("--help")
        ) from error


def _fail(message: str, *hint: Hint, code: int) -> int:
    if code != Interrupted.exit_code:
        from agent_session.cli import hints
        from agent_session.sanitize import shown  # once more for all: words of others get into messages

        print(f"error: {shown(message, newlines=True)}", file=sys.stderr)
        for line in hints.lines(hint):
            print(shown(line, newlines=True), file=sys.stderr)
    return code
