"""The expected failure of needing an image."""

from agent_session.errors import BuildFailed, Hint


class ImageMissing(BuildFailed):
    """The agent's image is not there and was not to be built."""

    code = "image-missing"

    def __init__(self, agent: str) -> None:
        super().__init__(
            f"Image not built: agent '{agent}' has no current image", hint=Hint("build", [agent])
        )
