"""The expected failure of needing an image."""

from agent_session.errors import BuildFailed, Hint


class ImageMissing(BuildFailed):
    """The agent's image is not there and was not to be built."""

    code = "image-missing"

    def __init__(self, agent: str, *, older: bool = False) -> None:
        build = Hint("build", [agent])
        if older:
            old = Hint("start", ["--no-build", "-a", agent], note="with the image that is there")
            super().__init__(f"Image out of date: agent '{agent}' has an older one", hint=(build, old))
        else:
            super().__init__(f"Image not built: agent '{agent}' has no image", hint=build)
