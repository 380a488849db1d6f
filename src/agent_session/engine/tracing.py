"""An engine that reports each call to watchers, before and after it; `-v` is one of them."""

import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self, cast

from agent_session import sanitize
from agent_session.engine.command import OneOff
from agent_session.engine.container import ContainerSpec
from agent_session.engine.image_store import BuildSpec
from agent_session.engine.protocol import Engine

LONGEST = 60
INDENT = " " * 12
TAKEN_IN_ARGUMENTS = ("-e", "--env")
PARTS = ("images", "local")
"""The parts of an engine that have methods of their own."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call of an engine's method.

    `number` counts from 1; `words` are its arguments without secrets.
    """

    number: int
    method: str
    words: str


class Watcher(Protocol):
    """A watcher hears of calls in the thread that makes them. An exception of a watcher ends the call."""

    def before(self, call: Call) -> None:
        """The call is about to be made."""

    def after(self, call: Call, seconds: float, error: BaseException | None) -> None:
        """The call has ended, or failed with an error. A call that yields lines ends with the last line."""


class TracedEngine:
    """An Engine that passes each call on to another one and reports it to its watchers.

    Calls of the engine to itself are not reported.
    """

    def __init__(self, engine: Any, watchers: Sequence[Watcher]) -> None:
        self._engine = engine
        self._recorder = _Recorder(watchers)

    def __enter__(self) -> Self:
        self._engine.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._engine.__exit__(*failure)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._engine, name)
        if name in PARTS:
            return None if value is None else _TracedPart(value, name, self._recorder)
        return self._recorder.traced(name, value) if callable(value) else value


class _TracedPart:
    """A part of an engine, whose calls are reported as PART.METHOD."""

    def __init__(self, part: Any, name: str, recorder: "_Recorder") -> None:
        self._part = part
        self._name = name
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        return self._recorder.traced(f"{self._name}.{name}", value) if callable(value) else value


class _Recorder:
    """Counts the calls and reports them to the watchers."""

    def __init__(self, watchers: Sequence[Watcher]) -> None:
        self._watchers = watchers
        self._lock = threading.Lock()
        self._count = 0

    def traced(self, name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap a method so that its calls are reported."""

        def call(*arguments: Any, **named: Any) -> Any:
            with self._lock:
                self._count += 1
                made = Call(number=self._count, method=name, words=words(arguments))
            return self._make(made, lambda: method(*arguments, **named))

        return call

    def _make(self, call: Call, act: Callable[[], Any]) -> Any:
        for watcher in self._watchers:
            watcher.before(call)
        begun = time.monotonic()
        try:
            result = act()
        except BaseException as error:
            self._end(call, begun, error)
            raise
        if isinstance(result, Iterator):
            return self._lines(call, begun, result)
        self._end(call, begun, None)
        return result

    def _lines(self, call: Call, begun: float, lines: Iterator[Any]) -> Generator[Any, None, Any]:
        error: BaseException | None = None
        try:
            return (yield from lines)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._end(call, begun, error)

    def _end(self, call: Call, begun: float, error: BaseException | None) -> None:
        for watcher in self._watchers:
            watcher.after(call, time.monotonic() - begun, error)


def watched(engine: Any, watchers: Sequence[Watcher]) -> Any:
    """The engine, traced if there are watchers."""
    return cast(Engine, TracedEngine(engine, watchers)) if watchers else engine


def words(arguments: Sequence[Any]) -> str:
    """Show the arguments of a call: names and paths, the size of contents, nothing of variables."""
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
    """A watcher that prints each call with its time on a line."""

    tell: Callable[[str], None]

    def before(self, call: Call) -> None:
        """Print nothing: the time is not known yet."""

    def after(self, call: Call, seconds: float, error: BaseException | None) -> None:
        """Print the call, its time and its error on one line."""
        if call.method != "close":
            failed = f": {type(error).__name__}" if error and not isinstance(error, GeneratorExit) else ""
            self.tell(f"{seconds * 1000:7.1f} ms  {call.method} {call.words}".rstrip() + failed)


def tell_details(tell: Callable[[str], None]) -> None:
    """Report each program that is started and each HTTP request, without bodies, streams and environments.

    Python reports both itself, whatever code sends them
    (https://docs.python.org/3/library/audit_events.html). An audit hook stays until the process ends, so this
    is for a program that was started to say all, not for a library.
    """

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if line := _detail(event, arguments):
            tell(INDENT + line)

    sys.addaudithook(hear)


def _detail(event: str, arguments: tuple[Any, ...]) -> str:
    """A program's command line, or the first line of a request; "" for other events."""
    if event in {"subprocess.Popen", "os.exec", "os.posix_spawn"}:
        return " ".join(harmless([_decoded(word) for word in arguments[1]]))
    if event == "http.client.send" and isinstance(arguments[1], bytes):
        line, _, rest = arguments[1].partition(b"\r\n")
        if rest and line.endswith((b"HTTP/1.1", b"HTTP/1.0")):
            return line.decode("ascii", "replace").rpartition(" ")[0]
    return ""


def _decoded(word: Any) -> str:
    text = word.decode("utf-8", "replace") if isinstance(word, bytes) else str(word)
    return sanitize.shown(text)


def harmless(command: Sequence[str]) -> list[str]:
    """A command line without the values of variables, and with long words cut."""
    shown: list[str] = []
    for word in command:
        option, equals, rest = word.partition("=")
        if shown and shown[-1] in TAKEN_IN_ARGUMENTS:
            word = f"{option}=..."
        elif equals and option in TAKEN_IN_ARGUMENTS:
            word = f"{option}={rest.partition('=')[0]}=..."
        shown.append(word if len(word) <= 2 * LONGEST else word[: 2 * LONGEST - 3] + "...")
    return shown
