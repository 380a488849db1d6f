"""README and docs/ agree with the program and with each other:
generated pages, links, names, sizes, command lines.

tests/e2e/test_readme.py runs the commands; here each of them must be one that the program would take.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import typer
from typer import Exit
from typer.exceptions import TyperException

from agent_session.activity.state import Value
from agent_session.agents import agent_yaml
from agent_session.cli import app
from tests.documents import PAGES, README, blocks, commands, prose, text
from tests.storage import REPOSITORY

LINK = re.compile(r"(?<!`)\[[^\]]+\]\(([^)\s]+)\)")

PROGRAM: Any = typer.main.get_command(app.app)
GLOBAL_OPTIONS = {*(name for option in PROGRAM.params for name in option.opts), "-vv", "-h", "--help"}

UNFINISHED = re.compile(r"^Missing (parameter|argument)|requires an argument", re.IGNORECASE)
"""What is lacking where a sentence names a command and not all of its arguments."""

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_generated_pages_are_what_the_program_says() -> None:
    done = subprocess.run(
        [sys.executable, REPOSITORY / "scripts" / "docs", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_readme_is_short_and_names_its_test_command() -> None:
    assert len(text(README).encode()) <= 9 * 1024
    assert "\n$ make test " in text(README)
    assert "make test" in text(REPOSITORY / ".ci" / "run")


@every_page
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(text(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@every_page
def test_every_path_of_the_repository_it_mentions_exists(page: Path) -> None:
    for path in re.findall(r"`((?:scripts|images|tests|src|docs|engine|cli|\.ci)/[\w./-]*\w)`", prose(page)):
        below = REPOSITORY / "src" / "agent_session"
        assert (REPOSITORY / path).exists() or (below / path).exists(), path


def test_every_page_can_be_reached_from_readme() -> None:
    reached = {(README.parent / link.partition("#")[0]).resolve() for link in LINK.findall(text(README))}
    assert {page for page in PAGES if page.parent == REPOSITORY / "docs"} <= reached
    assert REPOSITORY / "CONTRIBUTING.md" in reached
    assert REPOSITORY / "LICENSE" in reached


def test_its_pictures_are_there_and_small_and_fetch_nothing() -> None:
    shown = [
        (page.parent / link).resolve()
        for page in PAGES
        for link in re.findall(r"!\[[^\]]+\]\((.+)\)", text(page))
    ]
    pictures = REPOSITORY / "docs" / "pictures"
    assert sorted(shown) == sorted(pictures.iterdir())
    for path in shown:
        if path.suffix == ".png":  # of the page, by its tests
            assert path.stat().st_size < 120_000
            continue
        drawn = text(path)
        assert drawn.startswith("<svg ")
        assert len(drawn) < 40_000
        assert not re.search(r"href|url\((?!#)|@import|<script", drawn)


def lines_of_blocks(page: Path) -> Iterator[str]:
    """What the page's blocks say one can type."""
    for language, block in blocks(page):
        yield from (line for command in commands(block) for line in command.splitlines())
        if language == "sh":
            yield from block.splitlines()


def code_in_sentences(page: Path) -> list[str]:
    """What stands between backquotes."""
    return re.findall(r"`([^`\n]+)`", prose(page))


def invocations(line: str) -> Iterator[list[str]]:
    """The arguments of each agent-session in a line of shell."""
    for found in re.finditer(r"(?:^|[(;|&]\s*|\$ )(?:\./)?agent-session((?:\s|$).*)", line):
        lexer = shlex.shlex(found[1], posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = []
        for word in lexer:
            if set(word) <= set("();<>|&"):
                break
            words.append(word.removesuffix(")"))
        yield words[:-1] if words and words[-1].isdigit() and "2>" in line else words


def refusal(arguments: list[str]) -> str:
    """Why the program would not take these arguments; "" if it would. Nothing is run."""
    rest = arguments
    while rest and rest[0].startswith("-"):
        if rest[0] not in GLOBAL_OPTIONS:
            return f"there is no option {rest[0]}"
        rest = rest[2:] if rest[0] == "--config" else rest[1:]
    if not rest:
        return ""
    if rest[0] not in PROGRAM.commands:
        return f"there is no command {rest[0]!r}"
    try:
        parent = PROGRAM.make_context("agent-session", [rest[0]], resilient_parsing=True)
        PROGRAM.commands[rest[0]].make_context(rest[0], rest[1:], parent=parent)
    except Exit:
        return ""  # --help
    except TyperException as error:
        return str(error) or repr(error)
    return ""


@every_page
def test_every_command_line_is_one_that_the_program_takes(
    page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for line in lines_of_blocks(page):
        for arguments in invocations(line):
            assert not (why := refusal(arguments)), f"{line}: {why}"
    for code in code_in_sentences(page):
        for arguments in invocations(code):
            why = refusal(arguments)
            assert not why or UNFINISHED.search(why), f"{code}: {why}"
    capsys.readouterr()


def test_a_command_line_that_the_program_would_not_take_is_found() -> None:
    assert refusal(["start", "--nope"])
    assert refusal(["nope"])
    assert refusal(["cp", "one"])
    assert not refusal(["start", "-a", "shell", "-n", "web", "somewhere"])


@every_page
def test_every_variable_it_mentions_exists(page: Path) -> None:
    sources = "".join(
        text(file) for folder in ("src", "tests") for file in (REPOSITORY / folder).rglob("*.py")
    )
    for variable in set(re.findall(r"AGENT_SESSION_[A-Z_]+[A-Z]", text(page))):
        field = variable.removeprefix("AGENT_SESSION_").lower()
        assert re.search(rf"\b{field}\b|{variable}", sources), variable


@every_page
def test_every_make_target_it_mentions_exists(page: Path) -> None:
    makefile = text(REPOSITORY / "Makefile")
    for target in re.findall(r"(?:`|\$ )make ([a-z]+)", text(page)):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_contributing_tells_every_make_target() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", text(REPOSITORY / "Makefile"), re.MULTILINE)
    told = re.findall(r"^\| `make ([a-z]+)`", text(REPOSITORY / "CONTRIBUTING.md"), re.MULTILINE)
    assert sorted(targets) == sorted(told)


def test_every_exit_code_is_told() -> None:
    table = text(REPOSITORY / "docs" / "scripting.md").partition("## Exit codes")[2]
    assert re.findall(r"^\| (\d+) \|", table, re.MULTILINE) == re.findall(r"[:,]\s+(\d+) ", app.EXIT_CODES)


def test_readme_tells_every_state() -> None:
    told = re.findall(r"^\| `(\w+)` \|", text(README), re.MULTILINE)
    assert sorted(told) == sorted(get_args(Value))


def test_readme_shows_one_kind_of_list() -> None:
    heads = [line.split() for line in text(README).splitlines() if line.startswith("NAME ")]
    assert len(heads) == 2  # the second one is what the program printed when its block was run
    assert heads[0] == heads[1]


def test_every_key_of_an_agents_folder_is_told() -> None:
    table = text(REPOSITORY / "docs" / "agents.md").partition("## agent.yaml")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == agent_yaml.KEYS


def test_design_tells_every_room_and_fifteen_words() -> None:
    design = text(REPOSITORY / "docs" / "design.md")
    rooms = {file.parent.name for file in (REPOSITORY / "src" / "agent_session").glob("*/__init__.py")}
    told = re.findall(
        r"^\| `(\w+)` \|", design.partition("## The rooms")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert set(told) == rooms
    words = design.partition("## Words")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\| \w+ \|", words, re.MULTILINE)) - 1 == 15
