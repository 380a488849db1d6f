"""An engine that is watched: watchers are told of each call, before it and after it.

The command line's `-v` is one watcher.
"""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, cast

from agent_session import sanitize
from agent_session.engine.protocol import BuildSpec, ContainerSpec, Engine, OneOff

LONGEST = 60
INDENT = " " * 12
TAKEN_IN_ARGUMENTS = ("-e", "--env")
_LOCK = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an engine's method. `number` counts from 1; `words` are its arguments, none of them a secret."""

    number: int
    method: str
    words: str


class Watcher(Protocol):
    """Who is told of calls, in the thread that makes them. What a watcher raises ends the call."""

    def before(self, call: Call) -> None:
        """It is about to be made."""

    def after(self, call: Call, seconds: float, error: BaseException | None) -> None:
        """It has ended, or (with an error) failed. A call that yields lines ends with the last one."""


class TracedEngine:
    """An Engine that does what another one does, and tells its watchers. Calls that an engine makes to itself are not told."""

    def __init__(self, engine: Any, watchers: Sequence[Watcher]) -> None:
        self._engine = engine
        self._watchers = watchers
        self._count = 0

    def __enter__(self) -> Self:
        self._engine.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._engine.__exit__(*failure)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if not callable(found):
            return found

        def watched(*arguments: Any, **named: Any) -> Any:
            with _LOCK:
                self._count += 1
                call = Call(number=self._count, method=name, words=words(arguments))
            return self._witnessed(call, lambda: found(*arguments, **named))

        return watched

    def _witnessed(self, call: Call, act: Callable[[], Any]) -> Any:
        for watcher in self._watchers:
            watcher.before(call)
        begun = time.monotonic()
        try:
            result = act()
        except BaseException as error:
            self._ended(call, begun, error)
            raise
        if isinstance(result, Iterator):
            return self._lines(call, begun, result)
        self._ended(call, begun, None)
        return result

    def _lines(self, call: Call, begun: float, lines: Iterator[Any]) -> Generator[Any, None, Any]:
        error: BaseException | None = None
        try:
            return (yield from lines)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._ended(call, begun, error)

    def _ended(self, call: Call, begun: float, error: BaseException | None) -> None:
        for watcher in self._watchers:
            watcher.after(call, time.monotonic() - begun, error)


def watched(engine: Any, watchers: Sequence[Watcher]) -> Any:
    """The engine, watched if anybody watches."""
    return cast(Engine, TracedEngine(engine, watchers)) if watchers else engine


def words(arguments: Sequence[Any]) -> str:
    """Arguments of a call as they may be told: names and paths; of contents their size, of variables nothing."""
    return " ".join(word for argument in arguments if (word := _word(argument)))


def _word(argument: Any) -> str:
    match argument:
        case str() | Path():
            text = str(argument)
        case bytes():
            text = f"({len(argument)} bytes)"
        case ContainerSpec():
            text = f"{argument.name} of {argument.image}"
        case OneOff():
            text = f"{argument.command[0]} in {argument.image}"
        case BuildSpec():
            text = argument.tag
        case Mapping():
            text = ""
        case Sequence():
            text = " ".join(str(item) for item in argument)
        case _:
            text = ""
    text = sanitize.shown(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


@dataclass(frozen=True, kw_only=True)
class CallLogger:
    """A watcher that tells each call with its time, in a line."""

    tell: Callable[[str], None]

    def before(self, call: Call) -> None:
        """Its time is not known yet."""

    def after(self, call: Call, seconds: float, error: BaseException | None) -> None:
        """One line."""
        if call.method != "close":
            failed = f": {type(error).__name__}" if error and not isinstance(error, GeneratorExit) else ""
            self.tell(f"{seconds * 1000:7.1f} ms  {call.method} {call.words}".rstrip() + failed)


_listeners: list[Callable[[str], None]] = []
_hooked: list[bool] = []


def tell_details(tell: Callable[[str], None] | None) -> None:
    """From now on tell each program that is started and each HTTP request, without bodies, streams and environments; None: no more.

    Python's own audit events say it, so it is all there is, whatever sends it. https://docs.python.org/3/library/audit_events.html
    """
    _listeners[:] = [tell] if tell else []
    if tell and not _hooked:
        sys.addaudithook(_heard)  # for ever: there is no way to take it back
        _hooked.append(True)


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    for tell in _listeners:
        if event in {"subprocess.Popen", "os.exec"}:
            tell(INDENT + " ".join(harmless([_decoded(word) for word in arguments[1]])))
        elif event == "http.client.send" and isinstance(arguments[1], bytes):
            line, _, rest = arguments[1].partition(b"\r\n")
            if rest and line.endswith((b"HTTP/1.1", b"HTTP/1.0")):
                tell(INDENT + line.decode("ascii", "replace").rpartition(" ")[0])


def _decoded(word: Any) -> str:
    text = word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
    return sanitize.shown(text)


def harmless(command: Sequence[str]) -> list[str]:
    """A command line whose variables have no values, and whose words are not endless."""
    told: list[str] = []
    for word in command:
        option, equals, rest = word.partition("=")
        if told and told[-1] in TAKEN_IN_ARGUMENTS:
            word = f"{option}=..."
        elif equals and option in TAKEN_IN_ARGUMENTS:
            word = f"{option}={rest.partition('=')[0]}=..."
        told.append(word if len(word) <= 2 * LONGEST else word[: 2 * LONGEST - 3] + "...")
    return told
