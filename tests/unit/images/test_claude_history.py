"""What Claude Code writes and shows, as its executables in the image read it: data that may be anything."""

import importlib
import json
import sys
from pathlib import Path
from typing import Any

import pytest

LIBRARY = "rootfs/usr/lib/agent-session"
IMAGES = Path(__file__).resolve().parents[3] / "images"
RULE = "\N{BOX DRAWINGS LIGHT HORIZONTAL}" * 40
SIGN = "\N{HEAVY RIGHT-POINTING ANGLE QUOTATION MARK ORNAMENT}\xa0"


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(IMAGES / name / LIBRARY) for name in ("claude", "base")] + sys.path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


def module(name: str) -> Any:
    return importlib.import_module(name)


def said(role: str, content: object, number: int = 0, **more: object) -> dict[str, Any]:
    times = {
        "uuid": f"u{number}",
        "parentUuid": f"u{number - 1}",
        "timestamp": f"2026-11-21T00:00:{number:02}.000Z",
    }
    stop = {"stop_reason": "end_turn"} if role == "assistant" else {}
    return {"type": role, "message": {"role": role, "content": content, **stop}, **times, **more}


def tool(*names: str) -> list[dict[str, object]]:
    return [
        {"type": "tool_use", "id": name, "name": "Bash", "input": {"command": f"run {name}"}}
        for name in names
    ]


def result(name: str) -> list[dict[str, object]]:
    return [{"type": "tool_result", "tool_use_id": name, "content": "done"}]


def written(path: Path, *records: object) -> Path:
    lines = [
        record if isinstance(record, bytes) else json.dumps(record, separators=(",", ":")).encode()
        for record in records
    ]
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_of_several_tool_calls_the_first_without_a_result_is_what_is_asked_for(tmp_path: Path) -> None:
    calls = [said("assistant", tool(name), number, uuid=name) for number, name in enumerate("abc", 2)]
    file = written(tmp_path / "t", said("user", "go", 1), *calls, said("user", result("a"), 5))
    turn = module("claude_session").last_turn(str(file))
    assert (turn.over, turn.tool["input"]) == (False, {"command": "run b"})


def test_an_error_is_that_of_the_last_turn_only(tmp_path: Path) -> None:
    error = said("assistant", [{"type": "text", "text": "API Error: 529"}], 2, isApiErrorMessage=True)
    file = tmp_path / "t"
    last_turn = module("claude_session").last_turn
    turn = last_turn(str(written(file, said("user", "go", 1), error, {"type": "mode"})))
    assert (turn.over, turn.error, turn.login) == (True, "API Error: 529", False)
    assert last_turn(str(written(file, error | {"error": "authentication_failed"}))).login
    turn = last_turn(str(written(file, error, said("user", "again", 3))))
    assert (turn.over, turn.error) == (False, "")


def test_a_transcript_that_is_none_tells_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    session = module("claude_session")
    junk: list[object] = [
        b"\x00\xff",
        b'{"type":"user"',
        b"[" * 5000,
        b'{"type":"assistant","message":7,"timestamp":5,"uuid":[1]}',
        (
            b'{"type":"user","message":{"content":[1,null,{"type":7},{"type":"text",'
            b'"text":{"a":1}}]},"parentUuid":{"a":1}}'
        ),
        (
            b'{"type":"assistant","message":{"content":[{"type":"tool_use","id":{},"name":[],'
            b'"input":"x"}]},"isApiErrorMessage":"yes"}'
        ),
        b'{"type":"assistant"} and more',
        b'"type":"assistant"',
    ]
    for one in junk:
        turn = session.last_turn(str(written(tmp_path / "t", one)))
        assert isinstance(turn.error, str)
        assert session.described(turn.tool) is not None
        assert session.questions(turn.tool) == []
        module("claude_history").told(tmp_path / "t")
    file = written(tmp_path / "t", *junk, said("user", "go", 1), *junk[:3])
    assert module("claude_history").told(file)[-1]["text"] == "go"
    assert session.last_turn(str(tmp_path / "none")).at == ""
    assert session.last_turn(str(tmp_path)).at == ""


def test_a_conversation_is_told_without_what_was_taken_back(tmp_path: Path) -> None:
    file = written(
        tmp_path / "t",
        said("user", "first", 1),
        said("assistant", [{"type": "text", "text": "I will"}], 2),
        said("assistant", tool("a"), 3),
        said("user", result("a"), 4),
        said("assistant", [{"type": "text", "text": "Done"}], 5),
        said("user", "taken back", 6),
        said("user", "second", 7, parentUuid="u5"),
        said("user", "of a subagent", 8, isSidechain=True),
    )
    told = module("claude_history").told(file)
    assert [(one["role"], one["text"], len(one["tools"])) for one in told] == [
        ("user", "first", 0),
        ("assistant", "I will", 1),
        ("assistant", "Done", 0),
        ("user", "second", 0),
    ]


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([RULE, SIGN, RULE, "  Opus"], ""),
        ([RULE, f"{SIGN}a draft", "  of two lines", RULE, "  Opus"], "a draft\n  of two lines"),
        (["\x1b[2mold\x1b[22m", f"\x1b[90m{RULE}", (f"{SIGN}\x1b[7mT\x1b[27m\x1b[2m"
f"ry this\x1b[22m"), RULE], ""),
        ([RULE, f"{SIGN}\x1b[7mx\x1b[27m", RULE], "x"),
        ([RULE, f"{SIGN}half\x1b[2m of it\x1b[22m", RULE], "half"),
        ([RULE, " Create file", f" {SIGN}1. Yes", "   2. No"], None),
        ([RULE, " \N{BALLOT BOX} Colour", f"{SIGN}1. Red", RULE, "  4. Chat about this"], None),
        (["agent@default:/workspace$ "], None),
        ([], None),
    ],
)  # fmt: skip
def test_only_an_input_that_is_seen_to_be_empty_is_empty(
    rows: list[str], text: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    claude_screen = module("claude_screen")
    monkeypatch.setattr(claude_screen, "screen", lambda colours=False: rows)  # noqa: ARG005
    assert claude_screen.typed() == text


def test_a_dialogs_options_are_those_below_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    claude_screen = module("claude_screen")
    rows = [
        "  1. an item of an answer",
        "  2. another",
        RULE,
        " Proceed?",
        f" {SIGN}1. Yes",
        "   2. Yes, and do not ask",
        "   3. No",
    ]
    monkeypatch.setattr(claude_screen, "screen", lambda: rows)
    assert claude_screen.options() == [(1, "Yes", True), (2, "Yes, and do not ask", False), (3, "No", False)]
    assert claude_screen.dialog() == "Proceed?"
