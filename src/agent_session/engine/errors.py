"""The expected failures of an engine that have a name of their own."""

import shlex

from agent_session.errors import ConflictError, EngineRefused, Hint


class NameTaken(ConflictError):
    """A container that is not a session carries the name."""

    code = "name-taken"

    def __init__(self, name: str, container: str) -> None:
        super().__init__(
            f"the container '{container}' exists already and is not a session of agent-session"
            f" (the name '{name}' is free once that container is removed)",
            hint=Hint("start", ["-n", "OTHER-NAME"]),
        )


class MountMoved(EngineRefused):
    """What would be mounted is not what was to be: a link or another directory has taken its place."""

    code = "mount-moved"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path} is not what it was: there, or on the way there, is a link now, or it was moved. "
            "Nothing was started, "
            "because the session would have got another directory. Someone who can write there did that: "
            "look before you go on",
            hint=Hint(shell=f"namei -l {shlex.quote(path)}"),
        )
