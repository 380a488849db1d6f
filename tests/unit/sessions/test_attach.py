"""Terminals whose window vanished can be told from the living."""

import os
import subprocess
import sys

from agent_session.sessions import attach


def test_no_two_terminals_share_a_token() -> None:
    assert len({attach.new_token() for _ in range(100)}) == 100


def test_a_token_says_which_machine_and_process() -> None:
    machine, pid, _ = attach.new_token().split(".")
    assert machine == attach.machine()
    assert pid == str(os.getpid())


def test_a_token_lives_as_long_as_the_process_that_carries_it() -> None:
    token = attach.new_token()
    program = "import sys; print(flush=True); sys.stdin.read()"
    environment = {attach.VARIABLE: token}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert token in attach.living_tokens()
        child.kill()
        child.wait()
        assert token not in attach.living_tokens()


def test_tokens_of_other_machines_are_not_ours_to_judge() -> None:
    environment = {attach.VARIABLE: "0123456789ab.1.x"}
    program = "import sys; print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as child:
        assert child.stdout
        child.stdout.readline()
        assert all(token.startswith(attach.machine()) for token in attach.living_tokens())
        child.kill()
