"""Runs one command line. It is the error boundary, too: what fails is told, and ends in an exit code."""

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from agent_session.cli import stdout
from agent_session.errors import DOCTOR, AgentSessionError, EngineUnavailable, Hint, Interrupted

if TYPE_CHECKING:
    from agent_session.cli.prefetch import Prefetch


def run(arguments: list[str], prefetch: "Prefetch | None" = None) -> int:
    """Run one command line; returns its exit code.

    Expected failures are printed on stderr, a bug with its traceback.
    """
    before, sys.stdout = sys.stdout, stdout.named(sys.stdout)
    try:
        if prefetch:
            prefetch.begin(arguments)
        code = _obey(arguments, prefetch)
        if sys.stdout is not None:  # as it is where somebody closed it before we began
            sys.stdout.flush()  # or a reader that left is only noticed when nobody can answer it any more
        return code
    except Interrupted as ending:
        return ending.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    except AgentSessionError as error:
        unknown = (DOCTOR,) if error.exit_code >= EngineUnavailable.exit_code else ()
        return _fail(error.message, *(error.hints or unknown), code=error.exit_code)
    except Exception as error:
        return _fail_unexpectedly(error)
    finally:
        if prefetch:
            prefetch.drop()
        _discard_what_cannot_be_written()
        sys.stdout = before


def _obey(arguments: list[str], prefetch: "Prefetch | None") -> int:
    if arguments[:1] == ["__complete"]:
        from agent_session.cli.completion import candidates

        return candidates.answer(arguments[1:], os.environ)
    from agent_session.cli import context, plain

    try:
        call = plain.read(arguments)
        if call is None:
            from agent_session.cli import app

            return app.obey(arguments, prefetch)
        call.obey(context.begin(call.verb.name, prefetch=prefetch))
    except context.Exit as ending:
        return ending.code
    except EOFError:  # Ctrl-D at a question
        raise KeyboardInterrupt from None
    return 0


def _fail(message: str, *hint: Hint, code: int) -> int:
    from agent_session.cli import hints
    from agent_session.sanitize import shown  # once more for all: words of others get into messages

    with contextlib.suppress(OSError):  # stderr may be full or closed, too
        print(f"{_marked('error:', '31')} {shown(message, newlines=True)}", file=sys.stderr)
        for line in hints.lines(hint):
            word, colon, rest = shown(line, newlines=True).partition(":")
            print(f"{_marked(word + colon, '36')}{rest}", file=sys.stderr)
    return code


def _marked(word: str, colour: str) -> str:
    """The word that a line of stderr begins with, in its colour on a terminal that wants any."""
    from agent_session.cli.output import marked

    return marked(word, colour, sys.stderr)


def _fail_unexpectedly(error: Exception) -> int:
    """Report a file of this machine, or stdout, that cannot be read or written, in a line.

    All else is a bug.
    """
    if isinstance(error, OSError):
        if isinstance(error, BrokenPipeError):  # `agent-session ls | head -1`
            return 141
        if error.filename == stdout.NAME:
            return _fail(f"cannot write to {stdout.NAME}: {error.strerror}", code=3)
        if error.filename and error.strerror:
            import shlex

            from agent_session import sanitize

            place = sanitize.shown(os.fsdecode(error.filename))
            look = Hint(shell=f"ls -ld {shlex.quote(place)}; df -h")
            return _fail(f"{place}: {error.strerror}", look, code=3)
    import traceback

    with contextlib.suppress(OSError):
        traceback.print_exception(error)
    return _fail("this is a bug in agent-session", Hint("--version"), code=1)


def _discard_what_cannot_be_written() -> None:
    """Python would try once more at its end, and end with 120 where that fails."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream:
                stream.flush()
        except (OSError, ValueError):
            with contextlib.suppress(OSError, ValueError), open(os.devnull, "wb") as nothing:  # noqa: PTH123
                os.dup2(nothing.fileno(), stream.fileno())
