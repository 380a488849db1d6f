"""Findings: checks run at once, have their time, and cannot do harm to each other."""

import threading
from collections.abc import Iterator

import pytest

from agent_session.doctor import findings
from agent_session.doctor.findings import Finding, by_level, exit_code, gather, repaired
from agent_session.errors import EngineRefused, Hint

FINE = Finding(level="ok", subject="a", words="fine")
BAD = Finding(level="error", subject="b", words="bad", code=7)
WORSE = Finding(level="error", subject="c", words="worse", code=6)
ODD = Finding(level="warning", subject="d", words="odd")


def test_findings_come_in_the_order_of_their_checks_whichever_is_first() -> None:
    later = threading.Event()

    def waits() -> Iterator[Finding]:
        later.wait(60)
        yield FINE

    def goes() -> Iterator[Finding]:
        later.set()
        yield ODD

    assert gather({"waits": waits, "goes": goes}, seconds=60) == [FINE, ODD]


def test_a_check_that_hangs_is_a_finding_and_keeps_nobody() -> None:
    never = threading.Event()

    def hangs() -> list[Finding]:
        never.wait()
        return []

    late, fine = gather({"mount": hangs, "other": lambda: [FINE]}, seconds=0.2)
    assert (late.level, late.subject, late.code) == ("error", "mount", 6)
    assert "no answer within 0.2 s" in late.words
    assert fine == FINE
    never.set()


def test_more_hanging_checks_than_run_at_once_do_not_keep_the_others() -> None:
    never = threading.Event()
    hanging = {f"{number}": lambda: [FINE] if never.wait() else [] for number in range(findings.AT_ONCE + 3)}
    found = gather({**hanging, "last": lambda: [ODD]}, seconds=0.1)
    assert found[-1] == ODD
    assert {finding.code for finding in found[:-1]} == {6}
    never.set()


def refuses() -> list[Finding]:
    raise EngineRefused("no", hint=Hint(shell="podman info"))


def lacks() -> list[Finding]:
    raise FileNotFoundError(2, "No such file", "/gone")


def fails() -> list[Finding]:
    raise KeyError("oops")


@pytest.mark.parametrize(
    ("check", "code", "words"), [(refuses, 7, "no"), (lacks, 3, "/gone"), (fails, 1, "KeyError")]
)
def test_a_check_that_fails_is_a_finding_and_no_traceback(
    check: findings.Check, code: int, words: str
) -> None:
    found = gather({"x": check, "y": lambda: [FINE]}, seconds=5)
    assert (found[0].level, found[0].subject, found[0].code) == ("error", "x", code)
    assert words in found[0].words
    assert found[0].fix
    assert found[1] == FINE


def test_the_worst_come_first_and_the_first_error_is_the_exit_code() -> None:
    found = by_level([FINE, ODD, BAD, WORSE])
    assert found == [BAD, WORSE, ODD, FINE]
    assert exit_code(found) == 7
    assert exit_code([ODD, FINE]) == 0


def test_a_repair_says_what_it_did_or_why_it_did_not() -> None:
    def broken() -> str:
        raise EngineRefused("it is busy")

    done = repaired(Finding(level="warning", subject="x", words="left", repair=lambda: "removed 2"))
    assert (done.level, done.words) == ("ok", "fixed: removed 2")
    kept = repaired(Finding(level="warning", subject="x", words="left", repair=broken))
    assert (kept.level, kept.words) == ("warning", "left; could not be fixed: it is busy")
    assert repaired(ODD) == ODD


def test_nobody_is_sent_from_doctor_to_doctor() -> None:
    assert (
        findings.error("podman", EngineRefused("no", hint=Hint(shell="agent-session doctor"))).fix
        == "podman info"
    )
    assert (
        findings.error("podman", EngineRefused("no", hint=Hint(shell="podman machine start"))).fix
        == "podman machine start"
    )
