"""The table of faults: what breaks, what is promised, how long it may take, and which test shows it.

`make faults` prints it. Seconds are for the whole test on a machine that does nothing else,
with starting a session before and after.
"""

import sys
from dataclasses import dataclass, field

import pytest

HERE = "tests/reliability/test_faults.py::test_"


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One row; `test` is pytest's name of it, without parameters."""

    what: str
    promise: str
    seconds: int
    test: str


def _fault(what: str, promise: str, seconds: int, test: str) -> Fault:
    return Fault(what=what, promise=promise, seconds=seconds, test=test if "::" in test else HERE + test)


FAULTS = (
    _fault(
        "service killed in a call of start",
        "6, nothing left, next start works",
        15,
        "a_service_killed_in_a_call_of_start_is_told_and_leaves_nothing",
    ),
    _fault(
        "service killed in a call of stop",
        "6, next stop works",
        15,
        "a_service_killed_in_a_call_of_stop_is_told_and_the_next_stop_works",
    ),
    _fault(
        "podman command killed in a stop",
        "7, next stop works",
        15,
        "a_podman_command_killed_in_a_stop_is_told_and_the_next_stop_works",
    ),
    _fault(
        "socket there but dead",
        "own service; 6 and its name where asked for",
        10,
        "a_dead_socket_is_passed_over_or_named_where_it_was_asked_for",
    ),
    _fault("home read-only", "0", 15, "a_home_that_cannot_be_written_is_no_obstacle"),
    _fault(
        "project replaced while used",
        "0, the new one from the next start",
        15,
        "a_project_replaced_while_it_is_used_is_the_new_one_from_the_next_start_on",
    ),
    _fault(
        "project removed while used",
        "7 and its path, home kept",
        20,
        "a_project_removed_while_it_is_used_is_told_at_the_next_start",
    ),
    _fault(
        "~/.claude.json replaced, broken, replaced",
        "0, the new one from the next start",
        25,
        "a_file_replaced_while_sessions_have_it_is_the_new_one_from_the_next_start_on",
    ),
    _fault(
        "Zellij wedged (SIGSTOP)",
        "screen 9, send 5, stop and start 0",
        60,
        "a_wedged_terminal_is_told_and_can_be_stopped_and_started_again",
    ),
    _fault("clock a day back, or ahead", "0", 20, "a_clock_that_jumps_is_borne_with"),
    _fault(
        "DNS gone",
        "8, names the registry and the variable",
        60,
        "a_registry_whose_name_nobody_knows_is_told_with_the_variable",
    ),
    _fault(
        "registry answers 500, or half a layer",
        "8, no image left",
        90,
        "a_broken_registry_is_told_and_leaves_no_image",
    ),
    _fault(
        "image deleted between build and start",
        "7, agent-session build, nothing left",
        10,
        "an_image_deleted_before_its_session_is_made_is_told_and_nothing_is_made",
    ),
    _fault(
        "half an image of a killed build",
        "0, it is removed",
        10,
        "half_an_image_that_a_killed_build_left_is_in_nobodys_way",
    ),
    _fault(
        "labels written by hand", "0, 5 for what is not ours", 15, "labels_written_by_hand_are_borne_with"
    ),
    _fault(
        "10,000 files", "0", 20, "ten_thousand_files_in_two_hundred_directories_are_a_project_like_another"
    ),
    _fault("200 sessions", "ls, doctor: all of them", 120, "two_hundred_sessions_are_listed_and_examined"),
    _fault("owner of a lock killed", "the next has it at once", 10, "a_lock_whose_owner_was_killed_is_free"),
    _fault(
        "two starts of a name at once",
        "one session, two terminals",
        15,
        "two_starts_at_once_are_one_session_on_two_terminals",
    ),
    _fault("two builds of an image at once", "built once", 10, "two_builds_at_once_build_once"),
    _fault(
        "storage full",
        "7, the disk is full, nothing lost",
        60,
        "tests/reliability/test_full.py::test_a_full_storage_is_told_and_nothing_is_lost",
    ),
    _fault(
        "a container agent_x not ours",
        "5, untouched",
        10,
        "tests/podman/test_strangers.py::test_a_container_that_is_not_ours_is_neither_listed_nor_touched",
    ),
    _fault(
        "container removed behind our back",
        "4, home found again",
        15,
        "tests/podman/test_strangers.py::test_a_session_removed_behind_our_back_is_gone_and_its_home_is_found_again",
    ),
    _fault(
        "container killed behind our back",
        "0",
        15,
        "tests/podman/test_strangers.py::test_a_session_stopped_or_started_by_podman_itself_is_told_as_it_is",
    ),
    _fault(
        "no podman",
        "6, the command that installs it",
        5,
        "tests/e2e/test_without_a_terminal.py::test_podman_that_is_not_there_is_told_with_the_command_that_installs_it",
    ),
    _fault(
        "no socket where one was named",
        "6 and its name",
        5,
        "tests/e2e/test_without_a_terminal.py::test_a_socket_that_does_not_answer_is_named",
    ),
    _fault(
        "half an archive", "2, nothing left", 30, "tests/podman/test_work.py::test_half_an_archive_is_refused"
    ),
    _fault(
        "a build's step fails",
        "8, the log's name",
        15,
        "tests/podman/test_interruptions.py::test_a_failed_build_says_why_where_the_log_is_and_leaves_nothing",
    ),
    _fault(
        "a build killed in a step",
        "built by the next",
        30,
        "tests/podman/test_interruptions.py::test_a_build_that_was_killed_is_built_by_the_next_one",
    ),
    _fault(
        "an agent that cannot start",
        "9, its own words, nothing left",
        30,
        "tests/podman/test_interruptions.py::test_an_agent_that_cannot_start_leaves_nothing_and_is_explained",
    ),
)
"""Names that differ in case only, reboots and stale locks are the model's (test_model.py);
memory and processes are test_limits.py's.
"""


@dataclass(kw_only=True, eq=False)
class _Watched:
    """pytest's plugin (plugins are hashed): outcomes and seconds by test."""

    outcomes: dict[str, list[str]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        if report.when == "call" or report.outcome != "passed":
            self.outcomes.setdefault(test, []).append(report.outcome)
            self.seconds[test] = max(self.seconds.get(test, 0), report.duration)


def main() -> int:
    """Run them all and print the table; 1 if one did not do as promised."""
    watched = _Watched()
    pytest.main(
        ["-q", "--no-header", "--tb=short", "-p", "no:cacheprovider", *(fault.test for fault in FAULTS)],
        [watched],
    )
    failed = 0
    print(f"\n{'fault':42} {'promise (exit code)':44} {'s <=':>5} {'s':>6}  result")
    for fault in FAULTS:
        outcomes = set(watched.outcomes.get(fault.test, ["not run"]))
        seconds = watched.seconds.get(fault.test, 0.0)
        result = ", ".join(sorted(outcomes))
        if outcomes == {"passed"}:
            result = "late" if seconds > fault.seconds else "as promised"
        failed += result != "as promised"
        print(f"{fault.what:42} {fault.promise:44} {fault.seconds:5} {seconds:6.1f}  {result}")
    print(f"{len(FAULTS)} faults, {failed} not as promised")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
