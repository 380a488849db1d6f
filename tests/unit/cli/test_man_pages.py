"""The man pages: groff finds nothing wrong with them, and all there is to type is in them."""

import re
import shutil
import subprocess

import pytest
import typer

from agent_session.cli import app, man_pages, schema

KNOWN = schema.read(typer.main.get_command(app.app))
PAGES = man_pages.pages(KNOWN, "1.2.3")


def rendered(page: str) -> str:
    """The page as it is read, in one line; no warning may come with it."""
    if not shutil.which("groff"):
        pytest.fail("man pages are tested with groff: sudo apt-get install man-db")
    command = ["groff", "-man", "-ww", "-Tutf8", "-Kutf8", "-P-c", "-rLL=200n"]
    done = subprocess.run(command, input=page, capture_output=True, text=True, check=True)
    assert not done.stderr
    return " ".join(re.sub(r".\x08", "", done.stdout).replace("−", "-").split())


def test_there_is_a_page_for_the_program_and_for_each_verb() -> None:
    assert PAGES.keys() == {"agent-session.1", *(f"agent-session-{verb}.1" for verb in KNOWN.verbs)}


@pytest.mark.parametrize("file", PAGES)
def test_a_page_renders_without_a_warning(file: str) -> None:
    assert "NAME" in rendered(PAGES[file])
    assert PAGES[file].isascii()


@pytest.mark.parametrize("verb", KNOWN.verbs)
def test_each_option_argument_and_word_of_the_help_is_in_it(verb: str) -> None:
    known, page = KNOWN.verbs[verb], rendered(PAGES[f"agent-session-{verb}.1"])
    for option in known.options:
        assert ", ".join(option.names) + (f" {option.metavar}" if option.metavar else "") in page
        assert " ".join(option.help.split()) in page
    for argument in known.arguments:
        assert argument.metavar in page
    assert known.help.replace("\n\n", " ") in page


def test_the_programs_page_has_every_verb_option_and_exit_code() -> None:
    page = rendered(PAGES["agent-session.1"])
    assert "130 interrupted" in page
    assert all(f"agent-session-{verb}(1)" in page for verb in KNOWN.verbs)
    assert all(name in page for option in KNOWN.options for name in option.names)
    assert "agent-session 1.2.3" in page


def test_what_means_something_to_roff_is_told_as_it_is() -> None:
    assert ".so 'x' \\fB -n \"q\" ~/^`é" in rendered(
        f".TH X 1\n.PP\n{man_pages._text('.so')} {man_pages._text(chr(39) + 'x' + chr(39))} "
        + man_pages._text('\\fB -n "q" ~/^`é')
    )
