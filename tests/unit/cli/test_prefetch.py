"""What is begun before the command line is read:
by those whom it serves, and no longer believed after a wait.
"""

import ast
import os
import signal
import subprocess
from pathlib import Path

import pytest

from agent_session.cli import app, prefetch, verbs
from agent_session.cli.context import Invocation
from agent_session.config import Config
from agent_session.engine.podman import listing as podman_listing
from agent_session.engine.podman.engine import PodmanEngine
from agent_session.engine.podman.service import Service
from agent_session.errors import Interrupted

VERBS = Path(app.__file__).parent / "commands"
PODMAN = """#!/bin/sh
echo x >>"$0.asked"
echo "[{\\"Id\\": \\"$(wc -l <"$0.asked")\\"}]"
"""


def has_one_question(verb: str) -> bool:
    calls = [
        node for node in ast.walk(ast.parse((VERBS / f"{verb}.py").read_text())) if isinstance(node, ast.Call)
    ]
    return any(keyword.arg == "one_question" for call in calls for keyword in call.keywords)


def test_who_has_one_question_begins_to_ask_it_before_anything_else() -> None:
    asking = {verb.name for verb in verbs.VERBS.values() if verb.needs in {verbs.LISTING, verbs.EITHER}}
    assert {verb for verb in verbs.VERBS if has_one_question(verb)} == asking


@pytest.mark.parametrize(("fresh", "answers"), [(60, ["1", "2"]), (-1, ["2", "3"])])
def test_an_answer_that_waited_for_long_is_asked_for_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fresh: float, answers: list[str]
) -> None:
    podman = tmp_path / "podman"
    podman.write_text(PODMAN)
    podman.chmod(0o755)
    monkeypatch.setattr(podman_listing, "COMMAND", (str(podman),))
    monkeypatch.setattr(podman_listing, "FRESH_SECONDS", fresh)
    listing = podman_listing.Listing()
    listing.begin()
    assert [listing.answer()[0]["Id"], listing.answer()[0]["Id"]] == answers


@pytest.mark.parametrize(
    ("script", "finished"), [("sleep 0.3; touch $0.done", True), ("sleep 3 & wait", False)]
)
def test_what_nobody_wants_may_finish_but_not_take_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, finished: bool
) -> None:
    podman = tmp_path / "podman"
    podman.write_text(f"#!/bin/sh\n{script}\n")
    podman.chmod(0o755)
    monkeypatch.setattr(podman_listing, "COMMAND", (str(podman),))
    monkeypatch.setattr(podman_listing, "DROP_SECONDS", 5 if finished else 0.2)
    listing = podman_listing.Listing()
    begun = listing.begin()
    listing.drop()
    with pytest.raises(ChildProcessError):  # it has ended, and was waited for
        os.waitpid(begun, os.WNOHANG)
    assert (tmp_path / "podman.done").exists() == finished


def test_a_service_that_was_begun_ends_also_when_nobody_has_come_to_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(_engine: PodmanEngine) -> None:
        raise Interrupted(signal.SIGINT)

    service = Service(url="unix:///run/gone.sock", process=subprocess.Popen(["sleep", "60"]))
    begun = service.process
    ahead = prefetch.Prefetch()
    ahead._service = service
    monkeypatch.setattr(PodmanEngine, "connect_soon", interrupted)
    monkeypatch.setattr(Service, "wait", lambda _service: None)
    invocation = Invocation(config=Config(), environment={}, prefetch=ahead)
    with pytest.raises(Interrupted):
        invocation.engine()
    assert begun
    assert begun.poll() == -signal.SIGTERM
