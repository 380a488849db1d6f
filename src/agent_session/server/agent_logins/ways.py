"""Which way an agent logs in: what a request says, checked, and made a login or the way to one."""

from collections.abc import Mapping

from agent_session.agents import login as agent_login
from agent_session.agents import seed
from agent_session.agents.catalog import Agent
from agent_session.agents.stored_login import StoredLogin, login_secret
from agent_session.engine.protocol import Engine
from agent_session.errors import Hint, UsageError
from agent_session.server.agent_logins import container, github
from agent_session.server.agent_logins.errors import NoSuchWay
from agent_session.server.agent_logins.login import Login, Way
from agent_session.server.settings import Settings
from agent_session.sessions.installation import Installation


def usual(engine: Engine, agent: Agent, environment: Mapping[str, str], *, owner: str) -> str:
    """Return the way that is meant where none is said: this machine's login where it is the caller's own."""
    if not agent.credentials:
        return "machine"
    stored = engine.secret_id(login_secret(agent.name)) is not None
    if not owner and not seed.login_note(agent, environment, stored=stored):
        return "machine"
    return "agent"


def with_key(agent: Agent, variable: str | None, key: str) -> StoredLogin:
    """Return the login that an API key is. UsageError, without quoting it, for what can be no key."""
    variables = [name for name in agent.credentials if name in agent.environment]
    if variable is not None and variable not in variables:
        raise NoSuchWay(
            f"{agent.title} takes no key in {variable!r}, but in: {', '.join(variables) or 'none'}",
            hint=Hint("agents"),
        )
    name = variable or next(iter(variables), None)
    if name is None:
        raise NoSuchWay(f"{agent.title} takes no key", hint=Hint("agents"))
    key = key.strip()
    if agent.login and agent.login.variable == name:
        key = agent_login.check(agent.login, key)
    if not key or not key.isascii() or not key.isprintable() or " " in key or seed.PLACEHOLDER.fullmatch(key):
        raise UsageError("that is no key: it is empty, has spaces in it, or is what guides write for one")
    return StoredLogin(environment={name: key})


def check_machine(agent: Agent, owner: str) -> None:
    """Refuse this machine's logins to other users than the one who runs the server. NoSuchWay."""
    if owner and agent.credentials:
        raise NoSuchWay(
            "the logins of this machine are not for its server's users; choose key, agent or github",
            hint=Hint(shell='POST /api/agents with "login": {"way": "agent"}'),
        )


def of_github(settings: Settings, agent: Agent) -> Way:
    """Return the way by GitHub's device flow. NoSuchWay."""
    github.check(settings, agent)

    async def go(login: Login) -> StoredLogin:
        return await github.log_in(settings, agent, login)

    return go


def of_agent(
    engine: Engine, installation: Installation, agent: Agent, provider: str | None, enterprise_url: str | None
) -> Way:
    """Return the way by the agent's own login, in a throw-away container. NoSuchWay."""
    if agent.login is None:
        raise NoSuchWay(f"{agent.title} has no login of its own", hint=Hint("agents"))
    words = [provider] if provider else []
    words += ["--enterprise", enterprise_url] if enterprise_url else []

    async def go(login: Login) -> StoredLogin:
        return await container.log_in(engine, installation, agent, words, login)

    return go
