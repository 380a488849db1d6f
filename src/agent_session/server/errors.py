"""The expected failures of serving over HTTP."""

from agent_session.errors import ConfigurationError, ConflictError, Hint, NotInstalled, UsageError


class ServerNotInstalled(NotInstalled):
    """The Python packages of the extra `serve` are not there; `missing` is the first of them."""

    code = "server-not-installed"

    def __init__(self, missing: str) -> None:
        super().__init__("serve", missing, used_by="the HTTP server")


class Unsafe(ConfigurationError):
    """Settings that would let strangers in."""

    code = "unsafe-settings"

    def __init__(self, reason: str, *, hint: Hint) -> None:
        super().__init__("serve", reason, hint=hint)


class SchemaDiffers(ConfigurationError):
    """A database whose tables are not those of this release."""

    code = "schema-differs"

    def __init__(self, where: str, reason: str, *, hint: Hint) -> None:
        super().__init__(where, reason, hint=hint)


class Unauthenticated(UsageError):
    """A request that does not say who asks, or says it with a login that is not valid."""

    code = "unauthenticated"

    def __init__(self, reason: str = "Authentication required") -> None:
        super().__init__(reason, hint=Hint("serve", ["--url"]))


class Forbidden(UsageError):
    """A request that its caller may not make; `scope` is what is lacking."""

    code = "forbidden"

    def __init__(self, scope: str) -> None:
        super().__init__(
            f"this needs the scope {scope!r}", hint=Hint("token", ["create", "NAME", "--scope", scope])
        )


class TooManyRequests(ConflictError):
    """More requests than are allowed; `seconds` is how long to wait."""

    code = "too-many-requests"

    def __init__(self, reason: str, seconds: int) -> None:
        super().__init__(reason)
        self.seconds = seconds
