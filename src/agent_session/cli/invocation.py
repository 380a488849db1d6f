"""What every verb gets: the configuration, the environment, and a way to the engine."""

import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from agent_session import places
from agent_session.config import Config
from agent_session.errors import AgentSessionError

if TYPE_CHECKING:
    from agent_session.agents import Agent
    from agent_session.cli.foresight import Foresight
    from agent_session.engine import Engine
    from agent_session.images import Workshop


_silenced = [False]


@dataclass(frozen=True, kw_only=True)
class Invocation:
    """One run of the program."""

    config: Config
    environment: Mapping[str, str]
    foresight: "Foresight | None" = None
    trouble: AgentSessionError | None = None  # why the configuration is not the user's; only `doctor` goes on then

    def engine(self, *, one_question: bool = False) -> "AbstractContextManager[Engine]":
        """Podman, to be used in a `with`; with --verbose each call is told.

        Where its service has to be started, that begins now, unless one question is all.
        """
        from agent_session.podman_engine import PodmanEngine

        foreseen = self.foresight
        engine = PodmanEngine(
            self.environment,
            listing=foreseen.listing if foreseen else None,
            service=foreseen.taken_service() if foreseen else None,
        )
        if not one_question:
            try:
                engine.begin()
            except BaseException:  # it is in nobody's `with` yet
                engine.close()
                raise
        if not self.config.verbose:
            return engine
        from agent_session import witness

        if self.config.verbose > 1:
            witness.tell_details(_tell)
        watched: AbstractContextManager[Engine] = witness.watched(engine, [witness.Narrator(tell=_tell)])
        return watched

    def agents(self) -> "dict[str, Agent]":
        """All agents there are, by name."""
        from agent_session.agents import read_agents

        return read_agents(places.agent_folders())

    def agent(self, name: str) -> "Agent | None":
        """The agent of that name alone; None where there is none."""
        from agent_session.agents import find_agent

        return find_agent(places.agent_folders(), name)

    def workshop(self) -> "Workshop":
        """Where images are made."""
        from agent_session import latest, trust
        from agent_session.images import Workshop

        return Workshop(
            folder=places.agent_folders()[0],
            base_image=self.config.base_image,
            caches=places.cache_folders(),
            logs=places.log_folder(),
            locks=places.runtime_folder(),
            ca_bundle=trust.bundle(self.environment),
            pins=latest.read_pins(places.pins_file()),
        )

    def locked(self, name: str) -> AbstractContextManager[None]:
        """One command at a time on a session of that name. BadName first: it becomes a file's name."""
        from agent_session.lock import lock
        from agent_session.plan import check_name, lock_name

        def waiting(pid: str) -> None:
            if self.foresight and self.foresight.listing:
                self.foresight.listing.drop()
            note(f"session '{name}' is being worked on by another agent-session (process {pid}); waiting for it")

        return lock(places.runtime_folder(), lock_name(check_name(name)), waiting=waiting)

    def is_locked(self, name: str) -> bool:
        """Whether a command works on the session of that name just now."""
        from agent_session.lock import is_held, lock_file
        from agent_session.plan import lock_name

        return is_held(lock_file(places.runtime_folder(), lock_name(name)))


def of(context: typer.Context) -> Invocation:
    """The invocation that main put into Typer's context."""
    invocation: Invocation = context.obj
    return invocation


def silence(*, notes: bool) -> None:
    """With --quiet: from now on no notes."""
    _silenced[0] = notes


def note(line: str, *, needed: bool = False) -> None:
    """A line for the person, on stderr: stdout is for results. With --quiet only what is needed to answer a question."""
    if needed or not _silenced[0]:
        _tell(line)


def quiet() -> bool:
    """Whether notes are silenced."""
    return _silenced[0]


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def on_terminal() -> bool:
    """Whether there is a person at a terminal to ask and to attach."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout is not None and sys.stdout.isatty()


def directory() -> Path | None:
    """The current directory, None where it has been removed."""
    try:
        return Path.cwd()
    except OSError:
        return None
