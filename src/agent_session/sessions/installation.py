"""This machine as sessions need it: its agents, its image builds, its locks and the environment."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from agent_session.host import paths
from agent_session.host.lock import Holder, forget, is_held, lock, lock_file
from agent_session.images.base_image import DEFAULT_BASE_IMAGE
from agent_session.sessions.names import check_name, lock_name

if TYPE_CHECKING:
    from agent_session.agents.catalog import Agent
    from agent_session.agents.seed import Seed
    from agent_session.agents.stored_login import Seal, StoredLogin
    from agent_session.engine.protocol import Engine
    from agent_session.host.git_identity import GitProject, Identity
    from agent_session.images.build import Workshop
    from agent_session.sessions.request import SessionRequest
    from agent_session.sessions.session import Session


KEPT_BY_SERVER = (
    "agent-session serve keeps this session's login; started here, it has what it kept of it itself"
)


class Crossing(NamedTuple):
    """An agent with what of it crosses over, the variables that it comes from, and its login and seal."""

    agent: "Agent"
    environment: Mapping[str, str]
    stored: "StoredLogin | None" = None
    seal: "Seal | None" = None


@dataclass(frozen=True, kw_only=True)
class Installation:
    """Agents, images and locks of this machine, looked up when they are needed.

    `environment` is the source of the variables of agents and git.
    """

    environment: Mapping[str, str]
    home: Path
    base_image: str = DEFAULT_BASE_IMAGE

    def agents(self) -> "dict[str, Agent]":
        """Read all agents, by name."""
        from agent_session.agents.agent_yaml import read_agents

        return read_agents(paths.agent_folders())

    def agent(self, name: str) -> "Agent | None":
        """Read the agent of that name alone; None where there is none."""
        from agent_session.agents.agent_yaml import find_agent

        return find_agent(paths.agent_folders(), name)

    def workshop(self) -> "Workshop":
        """Say where images are made, and of what."""
        from agent_session.host import ca_certificates
        from agent_session.images import pins
        from agent_session.images.build import Workshop

        return Workshop(
            folder=paths.agent_folders()[0],
            base_image=self.base_image,
            caches=paths.cache_folders(),
            logs=paths.log_folder(),
            locks=paths.runtime_folder(),
            ca_bundle=ca_certificates.bundle(self.environment),
            pins=pins.read_pins(paths.pins_file()),
        )

    def added_certificates(self) -> Path | None:
        """Find the bundle of CA certificates that containers need; None where the public ones are all."""
        from agent_session.host import ca_certificates

        if not ca_certificates.trusts_more(self.environment):
            return None
        return ca_certificates.bundle(self.environment)

    def seed(
        self,
        engine: "Engine",
        agent: "Agent | None",
        of: "Session | SessionRequest",
        *,
        fresh: bool,
        login: "StoredLogin | None" = None,
    ) -> "Seed":
        """Gather the seed of a session now; its notes say what is missing.

        Which logins it has in it: none for a session without logins, `login` for one of a server's account
        or of another owner, else this machine's.
        """
        from agent_session.agents import seed
        from agent_session.host import git_identity, timezone
        from agent_session.host.umask import umask
        from agent_session.workspace import git_projects

        if agent is None:
            note = "the session's agent is not installed here any more; it gets no login from this machine"
            return replace(seed.EMPTY, notes=(note,))
        notes, crossing = self._logins(engine, agent, of, login)
        options = of.options
        if options.ssh_agent == git_identity.NO_AGENT:
            notes.append(
                "no ssh-agent runs here (SSH_AUTH_SOCK), so the session has none; eval $(ssh-agent) && "
                "ssh-add"
            )
        described = git_projects.describe(of.projects)
        notes += git_projects.filter_notes(described)
        said = {
            "FRESH": "1" if fresh else "",
            "AUTO_APPROVE": "1" if options.auto_approve else "",
            "MODEL": options.model,
        }
        gathered = seed.gather(
            crossing.agent if options.user_config else replace(crossing.agent, user_config=()),
            crossing.environment,
            timezone=timezone.name(self.environment),
            umask=umask(),
            extra={f"AGENT_SESSION_{name}": value for name, value in said.items() if value},
            identity=self._identity(of, described),
            stored=crossing.stored,
            seal=crossing.seal,
            instructions=of.instructions,
        )
        return replace(gathered, notes=(*notes, *gathered.notes))

    def _identity(self, of: "Session | SessionRequest", described: "Sequence[GitProject]") -> "Identity":
        """Read the identity that git has here, which is the local owner's alone."""
        from agent_session.host import git_identity

        if of.owner:
            return git_identity.UNKNOWN
        signing, github = of.options.git_signing, of.options.github_token
        return git_identity.read(self.environment, described, signing=signing, github=github)

    def _logins(
        self,
        engine: "Engine",
        agent: "Agent",
        of: "Session | SessionRequest",
        login: "StoredLogin | None",
    ) -> "tuple[list[str], Crossing]":
        """Choose what a session gets of the agent's logins; and notes of what is missing."""
        from agent_session.agents import seed, stored_login

        if of.without_logins:
            return [], Crossing(*seed.without_logins(agent, self.environment))
        seal = stored_login.seal(engine, agent)
        if of.account or of.owner:
            bare = seed.without_logins if of.owner else seed.without_credentials
            notes = [] if login else [KEPT_BY_SERVER]
            return notes, Crossing(*bare(agent, self.environment), login, seal)
        stored = stored_login.read(engine, agent.name)
        line = seed.login_note(agent, self.environment, stored=stored is not None)
        return [line] if line else [], Crossing(agent, self.environment, stored, seal)

    def locked(self, name: str, *, waiting: Callable[[Holder], None]) -> AbstractContextManager[None]:
        """Let one command at a time change the session of that name. Raises BadName before that."""
        return lock(paths.runtime_folder(), lock_name(check_name(name)), waiting=waiting)

    def forget_lock(self, name: str) -> None:
        """Remove the lock's file of a session that was removed, for the one who holds the lock."""
        forget(paths.runtime_folder(), lock_name(name))

    def is_locked(self, name: str) -> bool:
        """Say whether a command changes the session of that name just now."""
        return is_held(lock_file(paths.runtime_folder(), lock_name(name)))
