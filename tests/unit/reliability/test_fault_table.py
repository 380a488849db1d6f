"""`make faults`: its table says what was kept of what was promised."""

from pathlib import Path

import pytest

from tests.reliability import faults

TESTS = """
import pytest

@pytest.mark.parametrize("way", [1, 2])
def test_kept(way):
    pass

def test_broken():
    assert False
"""


def test_the_table_tells_what_was_as_promised_and_what_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "test_breaking.py").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    rows = [("lamp", "test_kept"), ("chair", "test_broken"), ("door", "test_gone")]
    table = [
        faults.Fault(what=what, promise="0", seconds=5, test=f"test_breaking.py::{test}")
        for what, test in rows
    ]
    monkeypatch.setattr(faults, "FAULTS", table[:2])
    assert faults.main() == 1
    told = capsys.readouterr().out
    assert [line.split()[-1] for line in told.splitlines() if line.startswith(("lamp", "chair"))] == [
        "promised",
        "failed",
    ]
    assert told.splitlines()[-1] == "2 faults, 1 not as promised"
    monkeypatch.setattr(faults, "FAULTS", table[2:])
    assert faults.main() == 1
    assert "not run" in capsys.readouterr().out
    monkeypatch.setattr(faults, "FAULTS", table[:1])
    assert faults.main() == 0
