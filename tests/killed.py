"""agent-session, ended by a signal at one step: `python -m tests.killed STEP SIGNAL LOG VERB...` does what `agent-session VERB...` does.

A step is the moment before or after a call of the engine; they count from 1, in the order in which they come. LOG gets a line a step
("3 before start agent_web"), so that whoever goes through all of them knows when there are no more.
"""

import itertools
import os
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path

from agent_session.cli import invocation, main
from agent_session.witness import Call


@dataclass(frozen=True, kw_only=True)
class Killer:
    """A watcher that sends this process a signal at the step of that number."""

    step: int
    signal: signal.Signals
    log: Path
    count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def before(self, call: Call) -> None:
        """A step."""
        self._reach(f"before {call.method} {call.words}")

    def after(self, call: Call, _seconds: float, _error: BaseException | None) -> None:
        """A step, however the call ended."""
        self._reach(f"after {call.method} {call.words}")

    def _reach(self, what: str) -> None:
        number = next(self.count)
        with self.log.open("a", encoding="utf-8") as log:
            log.write(f"{number} {what}\n")
        if number == self.step:
            os.kill(os.getpid(), self.signal)


if __name__ == "__main__":
    step, name, log, *arguments = sys.argv[1:]
    invocation.WATCHERS.append(Killer(step=int(step), signal=signal.Signals[name], log=Path(log)))
    sys.argv[1:] = arguments
    main.main()
