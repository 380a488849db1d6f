"""The expected failures of talking with Linear."""

from agent_session.errors import AgentServerError, Hint, NotFoundError, UsageError

SET_UP = Hint(shell="GET /linear/install", note="docs/linear.md says how Linear is set up")


class NotSetUp(NotFoundError):
    """Linear was not set up here, or not for that workspace."""

    code = "linear-not-set-up"

    def __init__(self, what: str = "Linear is not set up on this server") -> None:
        super().__init__(what, hint=SET_UP)


class BadWebhook(UsageError):
    """A webhook that is not Linear's; `status` is what it is answered with."""

    code = "bad-webhook"

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


class LinearFailed(AgentServerError):
    """Linear did not answer, or its answer cannot be used; later it may."""

    code = "linear-failed"

    def __init__(self, reason: str, *, seconds: float = 0.0) -> None:
        super().__init__(f"Linear cannot be reached: {reason}")
        self.seconds = seconds
        """How long to wait at least."""


class LinearRefused(AgentServerError):
    """Linear has understood, and refuses; asked again, it would refuse again."""

    code = "linear-refused"

    def __init__(self, reason: str, *, kind: str = "") -> None:
        super().__init__(f"Linear refuses: {reason}")
        self.kind = kind
        """Linear's own code."""


class Revoked(LinearRefused):
    """The workspace has taken its permission back."""

    code = "linear-revoked"

    def __init__(self) -> None:
        super().__init__("the workspace's permission is gone", kind="AUTHENTICATION_ERROR")
        self.hints = (SET_UP,)


class Stopped(AgentServerError):
    """A person has stopped the work."""

    code = "linear-stopped"

    def __init__(self) -> None:
        super().__init__("stopped, as you asked")


class ServerEnds(Exception):
    """The server ends; the next one goes on with what is in line."""
