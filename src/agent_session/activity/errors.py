"""The expected failures of talking to an agent."""

from agent_session.errors import ConflictError, Hint


class OrderRefused(ConflictError):
    """An agent that refused an order; `doing` is its state's value, "" where it did not say."""

    code = "agent-refused"

    def __init__(self, name: str, message: str, *, doing: str = "") -> None:
        hints = {
            "working": Hint("wait", [name]),
            "waiting": Hint("answer", [name, "once"]),
            "exited": Hint("restart", [name]),
            "failed": Hint("restart", [name]),
        }
        super().__init__(message, hint=hints.get(doing, Hint("screen", [name])))
        self.doing = doing


class NeedsAnswer(ConflictError):
    """A turn that cannot go on before somebody answers its question."""

    code = "needs-answer"

    def __init__(self, name: str, question: str, choice: str = "once") -> None:
        super().__init__(
            f"session '{name}' waits for an answer: {question}",
            hint=Hint("answer", [name, choice]),
        )


class ImageTooOld(ConflictError):
    """An order to a session whose image is from before there were any."""

    code = "image-too-old"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"session '{name}' has an image of an older agent-session, which takes no orders",
            hint=Hint("update", [name]),
        )
