"""The steps of a start: what `start.decide` decides and `start.perform` does."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.sessions.clones import Access
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session


@dataclass(frozen=True, kw_only=True)
class Attach:
    """The session needs nothing, unless it is `unsettled`: then the remains of an update are removed."""

    session: "Session"
    unsettled: bool = False


@dataclass(frozen=True, kw_only=True)
class Deliver:
    """The session runs, but may not be up yet: it gets its seed, and its screen is waited for."""

    session: "Session"
    agent: "Agent | None"
    screen: bool


@dataclass(frozen=True, kw_only=True)
class Create:
    """Make a new session, from an archive where one is named. `built` says that its image exists."""

    request: "SessionRequest"
    built: bool
    screen: bool
    archive: Path | None = None
    access: "Access | None" = None
    """What its clones are made with; None where it has none."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Start the session's container again, which is stopped first where it runs."""

    session: "Session"
    request: "SessionRequest"
    screen: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Replace:
    """Give the session another container on its volumes; with `runs` the session runs afterwards."""

    session: "Session"
    request: "SessionRequest"
    screen: bool
    built: bool = True
    runs: bool = True
    notes: tuple[str, ...] = ()


Step = Attach | Deliver | Create | Resume | Replace
