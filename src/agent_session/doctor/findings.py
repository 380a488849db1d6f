"""Findings of checks, which run at once; each has a time limit, and its failure is a finding, too."""

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from agent_session.errors import AgentSessionError, EngineUnavailable, Hint

Level = Literal["error", "warning", "ok"]
LEVELS: tuple[Level, ...] = ("error", "warning", "ok")
AT_ONCE = 16
DOCTOR = "agent-session doctor"
FIX = Hint("doctor", ["--fix"])


@dataclass(frozen=True, kw_only=True)
class Finding:
    """The result of one check. `code` is an error's exit code."""

    level: Level
    subject: str
    words: str
    cures: tuple[Hint, ...] = ()
    """Commands to type; each of them is a way on."""
    code: int = 0
    repair: Callable[[], str] | None = None
    """Does without harm what FIX says, and returns what it did."""

    @property
    def fix(self) -> str:
        """The cures in words; "" where there is none."""
        return ", or: ".join(cure.text() for cure in self.cures)


Check = Callable[[], Iterable[Finding]]


def error(subject: str, failure: AgentSessionError) -> Finding:
    """The finding for an expected failure; where its hint is only doctor, Podman may know more."""
    cures = (Hint(shell="podman info"),) if failure.hint in {"", DOCTOR} else failure.hints
    return Finding(level="error", subject=subject, words=failure.message, cures=cures, code=failure.exit_code)


def gather(checks: Mapping[str, Check], *, seconds: float) -> list[Finding]:
    """Run all checks for so many seconds each, and return their findings in the order of the checks.

    A check's name is the subject of its failure.

    In threads that nobody waits for: one that hangs, in a dead mount or service, does not keep the process
    from its end.
    """
    waiting, running = deque(checks.items()), dict[str, float]()
    done: dict[str, list[Finding]] = {}
    answers: queue.SimpleQueue[tuple[str, list[Finding]]] = queue.SimpleQueue()
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name, check = waiting.popleft()
            running[name] = time.monotonic()
            threading.Thread(target=_look, args=(name, check, answers), daemon=True).start()
        try:
            name, found = answers.get(timeout=max(0.0, min(running.values()) + seconds - time.monotonic()))
            if running.pop(name, None) is not None:  # one that comes too late has been told as late
                done[name] = found
        except queue.Empty:
            for name in [name for name, begun in running.items() if begun + seconds <= time.monotonic()]:
                del running[name]
                done[name] = [_late(name, seconds)]
    return [finding for name in checks for finding in done[name]]


def by_level(found: Sequence[Finding]) -> list[Finding]:
    """Errors first, what is fine last; otherwise in their order."""
    return sorted(found, key=lambda finding: LEVELS.index(finding.level))


def exit_code(found: Iterable[Finding]) -> int:
    """0, or that of the first error."""
    return next((finding.code for finding in found if finding.level == "error"), 0)


def repaired(finding: Finding) -> Finding:
    """The finding after its repair: fine, or what it was and why it stays so."""
    if finding.repair is None:
        return finding
    try:
        return replace(finding, level="ok", words=f"fixed: {finding.repair()}", cures=(), code=0, repair=None)
    except (AgentSessionError, OSError) as failure:
        return replace(finding, words=f"{finding.words}; could not be fixed: {failure}", repair=None)


def _look(name: str, check: Check, answers: "queue.SimpleQueue[tuple[str, list[Finding]]]") -> None:
    try:
        found = list(check())
    except AgentSessionError as failure:
        found = [error(name, failure)]
    except OSError as failure:
        found = [
            Finding(level="error", subject=name, words=str(failure), cures=(Hint(shell="df -h"),), code=3)
        ]
    except Exception as failure:  # a bug in one check must not hide what all the others found
        words = f"this check failed: {type(failure).__name__}: {failure}"
        found = [Finding(level="error", subject=name, words=words, cures=(Hint("--version"),), code=1)]
    answers.put((name, found))


def _late(name: str, seconds: float) -> Finding:
    late = EngineUnavailable(f"no answer within {seconds:g} s", hint=Hint(shell="podman info; df -h"))
    return error(name, late)
