"""What every verb gets: the configuration, the environment, and a way to the engine."""

import contextlib
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_session.config import Config, read_config
from agent_session.errors import AgentSessionError
from agent_session.host import paths

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.cli.prefetch import Prefetch
    from agent_session.engine.protocol import Engine
    from agent_session.host.lock import Holder
    from agent_session.images.build import Workshop
    from agent_session.sessions.installation import Installation
    from agent_session.sessions.session import Session


class Exit(Exception):
    """The end of the program with an exit code, when all is said."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class _Notes:
    """Whether notes are silenced. A process has one stderr, hence one of these."""

    silenced = False


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One run of the program."""

    config: Config
    environment: Mapping[str, str]
    prefetch: "Prefetch | None" = None
    given: Mapping[str, Any] = field(default_factory=dict)  # the verb's parameters, as its function gets them
    unnamed: bool = False  # the arguments began with `--`: the first of them is no session's name
    trouble: AgentSessionError | None = (
        None  # why the configuration is not the user's; only `doctor` goes on then
    )

    def engine(self, *, one_question: bool = False) -> "AbstractContextManager[Engine]":
        """Podman, to be used in a `with`; with --verbose each call is told.

        Where its service has to be started, that begins now, unless one question is all.
        """
        from agent_session.engine.podman.engine import PodmanEngine

        prefetched = self.prefetch
        engine = PodmanEngine(
            self.environment,
            listing=prefetched.listing if prefetched else None,
            service=prefetched.taken_service() if prefetched else None,
        )
        if not one_question:
            try:
                engine.connect_soon()
            except BaseException:  # it is in nobody's `with` yet
                engine.close()
                raise
        if not self.config.verbose:
            return engine
        from agent_session.engine import tracing

        if self.config.verbose > 1:
            tracing.tell_details(_tell)
        watched: AbstractContextManager[Engine] = tracing.watched(engine, [tracing.CallLogger(tell=_tell)])
        return watched

    @property
    def installation(self) -> "Installation":
        """This machine, as sessions are made of it."""
        from agent_session.sessions.installation import Installation

        return Installation(environment=self.environment, home=Path.home(), base_image=self.config.base_image)

    def agents(self) -> "dict[str, Agent]":
        """All agents there are, by name."""
        return self.installation.agents()

    def agent(self, name: str) -> "Agent | None":
        """The agent of that name alone; None where there is none."""
        return self.installation.agent(name)

    def workshop(self) -> "Workshop":
        """Where images are made."""
        return self.installation.workshop()

    @contextmanager
    def locked(self, name: str, *, before_waiting: Callable[[], None] = lambda: None) -> Iterator[bool]:
        """One command at a time on a session of that name; gives whether it had to wait. BadName.

        Where somebody else has the lock `before_waiting` is called, which may refuse what would wait for
        nothing.
        """
        waited = False

        def waiting(holder: "Holder") -> None:
            nonlocal waited
            waited = True
            before_waiting()
            if self.prefetch and self.prefetch.listing:
                self.prefetch.listing.drop()
            begun = datetime.fromtimestamp(holder.since).astimezone()
            seconds = max(0, int((datetime.now().astimezone() - begun).total_seconds()))
            note(
                f"session '{name}' is being worked on by another agent-session (process {holder.pid}, "
                f"since {begun:%H:%M:%S}, {seconds} s ago); waiting for it"
            )

        with self.installation.locked(name, waiting=waiting):
            yield waited

    def session(self, engine: "Engine", name: str | None, *, verb: str = "attach") -> "Session":
        """Find the session of that name, or of AGENT_SESSION_NAME, of this directory, or the only one.

        NotFoundError where there is none, UsageError where it could be several; `verb` is for its hint.
        """
        from agent_session.sessions import find, which

        if named := name or self.config.name:
            return find.get(engine, named)
        sessions = find.list_sessions(engine)
        if not sessions:
            find.find_session(
                engine, which.DEFAULT
            )  # NameTaken, where a container of somebody else's is in the way
        return which.meant(sessions, directory(), verb=verb)

    def name(self, engine: "Engine", name: str | None, *, verb: str = "attach") -> str:
        """The name that `session` would look for. A given name is not checked."""
        return name or self.config.name or self.session(engine, None, verb=verb).name

    def addressed(
        self, engine: "Engine", first: str | None, second: str | None, *, verb: str
    ) -> tuple[str, str | None]:
        """Read NAME and TEXT of a verb that takes `[NAME] TEXT`.

        One word alone is NAME where there is a session of that name, else TEXT.

        Where something is piped in, one word that could be a session's name is NAME: the text comes from
        there.
        """
        if first is None or second is not None:
            return self.name(engine, first, verb=verb), second
        from agent_session.sessions import find, names, which

        known = find.list_sessions(engine)
        if any(session.name == first for session in known) or (names.NAME.fullmatch(first) and piped_in()):
            return first, None
        return self.config.name or which.meant(known, directory(), verb=verb).name, first


def begin(
    verb: str,
    *,
    file: str | None = None,
    verbose: int = 0,
    quiet: bool | None = None,
    prefetch: "Prefetch | None" = None,
) -> Invocation:
    """Read the configuration, of which --config names the `file`, and the environment. ConfigurationError."""
    environment = dict(os.environ) | ({"AGENT_SESSION_CONFIG": file} if file else {})
    trouble = None
    try:
        chosen = read_config(environment, paths.config_file())
    except AgentSessionError as error:
        if verb != "doctor":
            raise
        chosen, trouble = Config(), error
    invocation = Invocation(config=chosen, environment=environment, trouble=trouble, prefetch=prefetch)
    return told(invocation, verbose=verbose, quiet=quiet)


def told(invocation: Invocation, *, verbose: int = 0, quiet: bool | None = None) -> Invocation:
    """The invocation with -v and -q, which count from now on."""
    config = invocation.config.with_flags(verbose=min(verbose, 2) or None, quiet=quiet)
    silence(notes=config.quiet)
    return replace(invocation, config=config)


def silence(*, notes: bool) -> None:
    """With --quiet: from now on no notes."""
    _Notes.silenced = notes


def note(line: str, *, needed: bool = False, faint: bool = False) -> None:
    """Print a line for the person, on stderr: stdout is for results.

    With --quiet only what is needed to answer a question is printed.
    """
    if needed or not _Notes.silenced:
        _tell(line, faint=faint)


def quiet() -> bool:
    """Whether notes are silenced."""
    return _Notes.silenced


def _tell(line: str, *, faint: bool = False) -> None:
    if not line.isprintable():
        from agent_session.sanitize import shown  # names and paths of others get into notes

        line = shown(line, newlines=True)
    if faint:
        line = f"\x1b[2m{line}\x1b[m"
    with contextlib.suppress(OSError):  # stderr may be full, or nobody reads it: no reason to give up
        print(line, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether there is a person at a terminal to ask and to attach."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


def piped_in() -> bool:
    """Whether standard input is a pipe or a file: something that somebody put there to be read."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode if sys.stdin is not None else 0
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def directory() -> Path | None:
    """The current directory, None where it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return None
