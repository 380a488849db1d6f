"""The source reads as plain English: short first lines, short lines, no private metaphors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PACKAGE = REPOSITORY / "src" / "agent_session"
FILES = sorted(PACKAGE.rglob("*.py"))
BESIDE = sorted([*(REPOSITORY / "tests").rglob("*.py"), *(REPOSITORY / "scripts").iterdir()])
"""What is no part of the package and is read as it is."""
LONGEST_SUMMARY = 100
LONGEST_LINE = 110

HELP = PACKAGE / "cli" / "commands"
"""Where a public function's docstring is the help of a verb, which is as long as it has to be."""
METAPHORS = re.compile(
    r"(?:^|[^a-z])(?:errands?|wards?|patients?|portraits?|witness(?:es)"
    r"?|foresights?|narrators?|taught|lessons?"
    r"|keepers?|holdings?|shel(?:f|ves)|sweeps?|warm|wakes?)(?=$|[^a-z])"
)
"""Words that once named things here; the field has its own."""

Documented = ast.Module | ast.ClassDef | ast.FunctionDef


def is_help(file: Path, node: Documented) -> bool:
    """Whether a docstring is the help of a verb."""
    return file.parent == HELP and isinstance(node, ast.FunctionDef) and not node.name.startswith("_")


def documented(file: Path) -> Iterator[tuple[str, str]]:
    """Where each docstring of a file stands, and its first line."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, Documented) and (text := ast.get_docstring(node)) and not is_help(file, node):
            name = getattr(node, "name", "the module")
            yield f"{file.relative_to(PACKAGE)} {name}", text.splitlines()[0]


def undocumented(file: Path) -> list[str]:
    """The public classes, functions and methods of a file that have no docstring."""
    tree = ast.parse(file.read_text())
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    owners: list[ast.Module | ast.ClassDef] = [tree, *classes]
    return [
        f"{file.relative_to(PACKAGE)}:{node.lineno} {node.name}"
        for owner in owners
        if not (isinstance(owner, ast.ClassDef) and owner.name.startswith("_"))
        for node in owner.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
        if not ast.get_docstring(node)
    ]


def identifiers(file: Path) -> Iterator[str]:
    """Every name that a file defines or uses."""
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case _:
                pass


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_public_classes_and_functions_have_a_docstring(file: Path) -> None:
    assert undocumented(file) == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_docstring_begins_with_a_short_sentence(file: Path) -> None:
    wrong = [
        f"{place}: {line}"
        for place, line in documented(file)
        if len(line) > LONGEST_SUMMARY or not line.endswith((".", "?", "!"))
    ]
    assert wrong == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_a_source_line_is_short(file: Path) -> None:
    lines = enumerate(file.read_text().splitlines(), 1)
    assert [number for number, line in lines if len(line) > LONGEST_LINE and "noqa" not in line] == []


def test_a_line_of_a_test_or_a_script_is_short() -> None:
    wrong = [
        f"{file.relative_to(REPOSITORY)}:{number}"
        for file in BESIDE
        if file.is_file()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if len(line) > LONGEST_LINE and " " in line.strip()  # a name of a test cannot be divided
    ]
    assert wrong == []


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_private_metaphor_names_anything(file: Path) -> None:
    words = [*identifiers(file), *(line for _, line in documented(file)), file.stem]
    spaced = (re.sub(r"(?<=[a-z])(?=[A-Z])", "_", word).lower() for word in words)
    assert [word for word in spaced if METAPHORS.search(word)] == []
