"""Questions of agents, as tests compare them."""

from typing import Any


def without_id(question: dict[str, Any]) -> dict[str, Any]:
    """A question without its id, which is another one each time; fails where it has none."""
    assert question["id"]
    return {key: value for key, value in question.items() if key != "id"}
