"""What a build tells on a terminal: which image, and which step of how many."""

import pytest

from agent_session.cli.output import build_step


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("STEP 6/15: RUN apt update", "base image, step 6 of 15: RUN apt update"),
        ("building localhost/agent-session-base:0123", "base image"),
        ("preparing its layers for sessions", "base image, preparing its layers for sessions"),
        ("Setting up git", ""),
        ("", ""),
        ("STEP back", ""),
    ],
)
def test_a_line_that_begins_something_says_where_the_build_is(line: str, told: str) -> None:
    assert build_step(line, image="base") == told


def test_before_an_image_is_named_the_step_stands_alone() -> None:
    assert build_step("STEP 1/2: FROM debian", image="") == "step 1 of 2: FROM debian"
