"""How a login of an agent ends, where it does not end well."""

from agent_session.errors import AgentServerError, ConflictError, UsageError


class LoginDenied(ConflictError):
    """The person said no."""

    code = "login-denied"


class LoginExpired(ConflictError):
    """Nobody answered in time."""

    code = "login-expired"


class LoginFailed(AgentServerError):
    """The login could not be made; why, in its words."""

    code = "login-failed"


class NoSuchWay(UsageError):
    """A way to log in that this agent does not have."""

    code = "no-such-login"
