"""Tables on terminals and in pipes of every kind."""

import io
import json
import os
import sys

import pytest

from agent_session.cli import output, table

COLUMNS = ("NAME", "STATUS", "PROJECTS")
ROWS = [
    ("frontend", "running", "/home/somebody/projects/customers/webapp"),
    ("größe-例", "stopped", "/srv/例/app"),
]


class Stream(io.TextIOWrapper):
    """A stdout of that encoding, a terminal or not."""

    def __init__(self, encoding: str, *, terminal: bool) -> None:
        self.raw_bytes = io.BytesIO()
        super().__init__(self.raw_bytes, encoding=encoding, errors="replace", write_through=True)
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal

    @property
    def lines(self) -> list[str]:
        return self.raw_bytes.getvalue().decode(self.encoding).splitlines()


def printed(
    monkeypatch: pytest.MonkeyPatch, *, encoding: str = "utf-8", terminal: bool = True, width: int = 80
) -> list[str]:
    stream = Stream(encoding, terminal=terminal)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setenv("COLUMNS", str(width))
        table.print_table(COLUMNS, ROWS)
    return stream.lines


@pytest.mark.parametrize("width", range(8, 80))
def test_on_a_terminal_a_table_fits_and_names_are_whole(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    lines = printed(monkeypatch, width=width)
    assert all(table.cells(line) <= max(width, 9) for line in lines)
    assert [line.split()[0] for line in lines] == ["NAME", "frontend", "größe-例"]


def test_what_matters_less_is_left_out_before_the_rest_is_spoilt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    stream = Stream("utf-8", terminal=True)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        patch.setenv("COLUMNS", "36")
        table.print_table(
            ("NAME", "CREATED", "PATH"), [("web", "just now", "/home/you/projects/webapp")], less=("CREATED",)
        )
        patch.setenv("COLUMNS", "28")
        table.print_table(
            ("NAME", "CREATED", "PATH"), [("web", "just now", "/home/you/projects/webapp")], less=("CREATED",)
        )
    assert stream.lines[1] == "web   /home/you/projects/webapp"
    assert stream.lines[3] == "web   …e/you/projects/webapp"


def test_a_path_that_is_too_long_keeps_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert printed(monkeypatch, width=40)[1] == "frontend  running  …cts/customers/webapp"


@pytest.mark.parametrize("width", [10, 40, 200])
def test_in_a_pipe_nothing_is_shortened_or_coloured(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    lines = printed(monkeypatch, terminal=False, width=width)
    assert lines[1] == "frontend  running  /home/somebody/projects/customers/webapp"
    assert "\x1b" not in "".join(lines)


def test_columns_are_aligned_whatever_is_in_them(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = printed(monkeypatch, terminal=False)
    places = [table.cells(line[: line.index("/" if "/" in line else "PROJECTS")]) for line in lines]
    assert len(set(places)) == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_terminal_does_not_have_is_replaced(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    lines = printed(monkeypatch, encoding=encoding, width=30)
    assert "gr" in lines[2]
    assert "?" in lines[2]


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_is_only_where_it_is_wanted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    assert "\x1b[32mrunning" in "".join(printed(monkeypatch))
    monkeypatch.setenv(variable, value)
    assert "\x1b" not in "".join(printed(monkeypatch))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_json_is_whole_in_every_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
    value = {"path": "/srv/größe-例", "not text": os.fsdecode(b"/srv/\xff")}
    stream = Stream(encoding, terminal=False)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        output.print_json(value)
    assert json.loads("\n".join(stream.lines)) == value


def test_the_last_column_has_shorter_forms_before_another_column_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    forms = [["~/projects/webapp, ~/projects/api"], ["webapp, api"], ["webapp and 1 more"]]

    def row(width: int) -> str:
        stream = Stream("utf-8", terminal=True)
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", stream)
            patch.setenv("COLUMNS", str(width))
            cells = [("web", "just now", "/home/you/projects/webapp, /home/you/projects/api")]
            table.print_table(("NAME", "CREATED", "PROJECTS"), cells, less=("CREATED",), last=forms)
        return stream.lines[1]

    assert row(60) == "web   just now  ~/projects/webapp, ~/projects/api"
    assert row(30) == "web   just now  webapp, api"
    assert row(20) == "web   webapp, api"
    assert row(14) == "web   webapp …"
