"""The Python programs in images take no module of the agent's, and no python3 of its own."""

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[3]
FOLDERS = ("images", "tests/images")
PROGRAMS = [
    path
    for folder in FOLDERS
    for path in sorted((TOP / folder).rglob("*"))
    if path.is_file() and re.match(rb"#!.*python", path.read_bytes()[:80])
]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: str(path.relative_to(TOP)))
def test_a_program_of_an_image_runs_isolated(path: Path) -> None:
    first = path.read_text().partition("\n")[0]
    assert re.fullmatch(r"#!/usr/bin/python3 -I[A-Za-z]*", first), first
