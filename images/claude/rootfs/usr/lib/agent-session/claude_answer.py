"""How what Claude waits for is answered: with keys, checked against the dialog that is shown (seen with 2.1.329).

Claude does not take a key that comes in the moment in which it asks. A key that chooses must never be pressed twice: the
second press would answer the next question, or be left in the input. So the cursor is moved until the dialog is seen to
take keys, and then the key that chooses is pressed, once.
"""

import time
from collections.abc import Callable

import claude_screen
import claude_session
import claude_state
from agent_orders import check_question, fail, permission_reply, press, until, write
from claude_state import Reading

SECONDS = 40
AGAIN_SECONDS = 1.5
# So long a question has been there when choices are made that must not be made twice.
SOON_SECONDS = 1.0
LOOK_SECONDS = 0.2
# A busy machine may draw that late.
DRAWN_SECONDS = 10
PERMISSION_WORDS = ("once", "always")


def give(answer: str, wanted: str = "") -> None:
    """Answer what is asked now, if it is the question with the id `wanted`; returns when that question is gone."""
    reading = claude_state.look()
    question = reading.state.get("question")
    if question is None:
        fail("refused", f"nothing is asked: Claude is {reading.state['value']}", state=reading.state)
    check_question(wanted, question, reading.state)
    asked = claude_session.questions(reading.turn.tool) if reading.turn else []
    if question["kind"] == "question" and asked:
        answer_question(answer, asked, reading)
    elif question["kind"] == "permission":
        answer_permission(answer, reading)
    else:
        answer_dialog(answer, reading)


def answer_permission(answer: str, reading: Reading) -> None:
    word, instead = permission_reply(answer, reading.state)
    if instead:
        return reject_with(instead, reading)
    shown = until(claude_screen.options, DRAWN_SECONDS if word == "reject" else SECONDS) or []
    number = _meant(word, shown)
    if number is None and word == "reject":
        return _press_esc(reading)
    if not shown:
        fail("server", f"Claude shows no question, {SECONDS} seconds after it asked", state=reading.state)
    if number is None:
        options = " / ".join(words for _, words, _ in shown)
        fail(
            "usage",
            f"this question cannot be answered with {answer!r}; it offers: {options}",
            state=reading.state,
        )
    return _choose(number, reading)


def _meant(answer: str, shown: list[tuple[int, str, bool]]) -> int | None:
    """The option that is once, always or reject: "Yes", "Yes, and don't ask again...", "No"."""
    for number, words, _ in shown:
        low = words.lower()
        plain = low in {"yes", "allow"} or low.startswith("yes, manually approve")
        fits = {"once": plain, "always": low.startswith("yes,") and not plain, "reject": low.startswith("no")}
        if fits[answer]:
            return number
    return None


def answer_question(answer: str, asked: list[dict], reading: Reading) -> None:
    if answer == "reject":
        return _press_esc(reading)
    if answer in PERMISSION_WORDS:
        fail(
            "usage",
            "it is a question: answer with one of its choices, a text, or reject",
            state=reading.state,
        )
    if len(asked) > 1 or asked[0]["several"]:
        return answer_form(answer, asked, reading)
    shown = until(claude_screen.options, DRAWN_SECONDS) or []
    number = _number_of(answer, shown[: len(asked[0]["options"])])
    return _choose(number, reading) if number else reject_with(answer, reading)


def answer_form(answer: str, asked: list[dict], reading: Reading) -> None:
    """Several questions, or several choices: a line each, with commas between choices. Sent when Claude's summary says the same."""
    lines = [line for line in answer.split("\n") if line.strip()]
    chosen = [_choices(line, one) for line, one in zip(lines, asked, strict=False)]
    if len(lines) != len(asked) or not all(chosen):
        lacking = "\n".join(f"{one['question']} {' / '.join(one['options'])}" for one in asked)
        fail(
            "usage",
            f"it asks for a line each, of its choices, with commas between several:\n{lacking}",
            state=reading.state,
        )
    for one, numbers in zip(asked, chosen, strict=True):
        if not until(lambda one=one: _squeezed(one["question"])[:30] in _squeezed(claude_screen.dialog()), 5):
            fail("server", f"Claude does not show the question {one['question']!r}", state=reading.state)
        time.sleep(SOON_SECONDS)
        for number in numbers:  # two in one write are a text to Claude
            press(str(number))
            time.sleep(LOOK_SECONDS)
        if one["several"]:
            press("Right")
    told = [
        _squeezed(", ".join(one["options"][number - 1] for number in numbers))
        for one, numbers in zip(asked, chosen, strict=True)
    ]
    submit = until(lambda: _number_of("submit answers", claude_screen.options()), 5)
    summary = _squeezed("".join(claude_screen.screen()))
    if not submit or not all("\N{RIGHTWARDS ARROW}" + words in summary for words in told):
        fail(
            "server",
            "Claude's summary does not show these answers; it waits in its terminal",
            state=reading.state,
        )
    _choose(submit, reading)


def _choices(line: str, one: dict) -> list[int]:
    """The numbers of the choices in a line; none where one of them is no choice, or there is one too many."""
    labels = [label.lower() for label in one["options"]]
    wanted = [line.strip().lower()]
    if one["several"] and wanted[0] not in labels:
        wanted = [part.strip() for part in wanted[0].split(",")]
    numbers = [
        labels.index(part) + 1 if part in labels else int(part) if part.isdecimal() else 0 for part in wanted
    ]
    return sorted(set(numbers)) if all(0 < number <= min(9, len(labels)) for number in numbers) else []


def _squeezed(text: str) -> str:
    return "".join(text.split())


def answer_dialog(answer: str, reading: Reading) -> None:
    if answer == "reject":
        return _press_esc(reading)
    shown = claude_screen.options()
    number = _number_of(answer, shown)
    if number:
        return _choose(number, reading)
    options = " / ".join(f"{place}. {words}" for place, words, _ in shown) or "none that can be seen"
    return fail(
        "usage",
        f"a dialog takes the number or the words of one of its options, or reject; it offers: {options}",
        state=reading.state,
    )


def _number_of(answer: str, shown: list[tuple[int, str, bool]]) -> int | None:
    """The option with this number or these words."""
    wanted = answer.strip().lower()
    return next((number for number, words, _ in shown if wanted in {str(number), words.lower()}), None)


def reject_with(text: str, reading: Reading) -> None:
    """Give an answer in words: the option that takes some, the text as a paste, Enter."""
    _drawn()
    place = _place_of_words()
    if place is None:
        press("Up")  # from the first to the last, which a small terminal does not show
        place = until(_place_of_words, DRAWN_SECONDS)
    here = _cursor()
    if place is None or here is None:
        fail("usage", "this question takes no words", state=reading.state)
    for _ in range(abs(place - here)):
        press("Down" if place > here else "Up")
    steps = [lambda: write(text, pasted=True)]
    if (_words_of(place) or "").startswith("no"):
        steps.insert(0, lambda: press("Tab"))  # "No, and tell Claude what to do differently"
    if not until(lambda: _cursor() == place, 3) or not all(_changes(place, step) for step in steps):
        fail("server", "Claude's dialog does not take the words", state=reading.state)
    time.sleep(SOON_SECONDS)  # an Enter right after a paste is a part of it
    _press_once("Enter", reading, _drawn())


def _place_of_words() -> int | None:
    """The option that takes words."""
    shown = claude_screen.options()
    return next(
        (number for number, words, _ in shown if words.lower().startswith(("type something", "no"))), None
    )


def _cursor() -> int | None:
    return next((number for number, _, cursor in claude_screen.options() if cursor), None)


def _words_of(place: int) -> str | None:
    return next((words.lower() for number, words, _ in claude_screen.options() if number == place), None)


def _changes(place: int, step: Callable[[], None]) -> bool:
    """Do it until the words of that option are others. What comes too soon is ignored; Enter would then mean no answer."""
    before = _words_of(place)
    for _ in range(5):
        step()
        if until(lambda: _words_of(place) not in (None, before), AGAIN_SECONDS):
            return True
    return False


def _choose(number: int, reading: Reading) -> None:
    """Press an option's number, once, as soon as the dialog is seen to take keys."""
    shown = _drawn()
    _check_keys_are_taken(reading, shown)
    _press_once(str(number), reading, shown)


def _check_keys_are_taken(reading: Reading, shown: str) -> None:
    """Move the dialog's cursor until it is seen elsewhere: that is harmless, however many of the moves come late."""
    time.sleep(SOON_SECONDS)
    before, end = _cursor(), time.monotonic() + SECONDS
    if before is None or len(claude_screen.options()) < 2:
        return
    while time.monotonic() < end:
        press("Down")
        if until(lambda: _is_gone(reading, shown) or _cursor() != before, AGAIN_SECONDS):
            break
    # On an option whose words can be edited (a rule, an answer) a number would be one of them: back to where the cursor was.
    while time.monotonic() < end and (place := _cursor()) not in (None, before):
        press("Up")
        until(lambda place=place: _cursor() != place, AGAIN_SECONDS)


def _press_once(key: str, reading: Reading, shown: str) -> None:
    """Press a key that chooses, where the dialog is still the one that was answered, and wait until it is gone."""
    if _is_gone(reading, shown):
        fail("refused", "Claude asks something else by now", state=claude_state.look().state)
    press(key)
    if not until(lambda: _is_gone(reading, shown), SECONDS):
        fail(
            "server",
            f"Claude still asks, {SECONDS} seconds after the answer",
            state=claude_state.look().state,
        )


def _press_esc(reading: Reading) -> None:
    """Esc rejects, and can approve nothing: it is pressed again where nothing came of it."""
    shown = _drawn()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        press("Esc")
        if until(lambda: _is_gone(reading, shown), AGAIN_SECONDS):
            return
    fail("server", f"Claude still asks, {SECONDS} seconds after the answer", state=claude_state.look().state)


def _is_gone(reading: Reading, shown: str) -> bool:
    """Whether the dialog is another one than was shown, or none. The next question may come at once, and look alike but for its words."""
    if not is_same(reading, claude_state.look()):
        return True
    if not shown or claude_screen.dialog() == shown:
        return False
    time.sleep(LOOK_SECONDS)  # it may have been seen while it was drawn
    return claude_screen.dialog() != shown


def _drawn() -> str:
    """What the dialog says, once it is all there."""
    shown = ""
    for _ in range(10):
        before, shown = shown, claude_screen.dialog()
        if shown and shown == before:
            break
        time.sleep(LOOK_SECONDS)
    return shown


def is_same(before: Reading, now: Reading) -> bool:
    """Whether it still waits for the same."""
    one, other = before.state, now.state
    tools = [reading.turn.tool.get("id") if reading.turn else None for reading in (before, now)]
    return other["value"] == "waiting" and one.get("since") == other.get("since") and tools[0] == tools[1]
