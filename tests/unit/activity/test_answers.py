"""What people type to answer a question, and what of it is sent."""

import pytest

from agent_session.activity import answers
from agent_session.activity.state import Question
from agent_session.errors import UsageError

COLOURS = Question(kind="question", text="Which colour?", choices=("Red", "Dark blue", "No"))


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("red", "Red"),
        ("2", "Dark blue"),
        ("dark BLUE", "Dark blue"),
        ("no", "No"),
        ("REJECT", "reject"),
        ("4", "4"),
        ("yes", "yes"),
        ("neither,\nrather green", "neither,\nrather green"),
    ],
)
def test_a_question_takes_its_options_and_texts(typed: str, sent: str) -> None:
    assert answers.reply("web", COLOURS, typed).text == sent


@pytest.mark.parametrize("typed", ["once", "always"])
def test_a_question_is_not_approved(typed: str) -> None:
    with pytest.raises(UsageError, match="its options: Red, Dark blue, No; or reject"):
        answers.reply("web", COLOURS, typed)


def test_only_a_rejected_permission_takes_a_message() -> None:
    with pytest.raises(UsageError, match="a message can only go with the rejection of a permission"):
        answers.reply("web", COLOURS, "reject", instead="why not")
    with pytest.raises(UsageError, match="a message can only go with reject"):
        answers.reply("web", Question(kind="permission", text="x"), "once", instead="why not")


def test_a_permission_that_does_not_offer_an_answer_does_not_take_it() -> None:
    asked = Question(kind="permission", text="x", choices=("once", "reject"))
    with pytest.raises(UsageError):
        answers.reply("web", asked, "always")
    assert answers.reply("web", asked, "yes").text == "once"


def test_words_that_were_meant_for_the_agent_are_offered_as_a_message() -> None:
    with pytest.raises(UsageError) as error:
        answers.reply("my web", Question(kind="permission", text="x"), "use the other file")
    assert error.value.hint == "agent-session answer 'my web' reject -m 'use the other file'"
