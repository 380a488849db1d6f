"""`agent-session doctor`: faults of this machine or its sessions, with the commands that cure them."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from agent_session import sanitize
from agent_session.cli import hints, output
from agent_session.cli.context import Exit, Invocation, note
from agent_session.cli.parameters import Option
from agent_session.host import paths

if TYPE_CHECKING:
    from agent_session.doctor.examine import Surroundings
    from agent_session.doctor.findings import Finding

COLOURS = {"error": "31", "warning": "33", "ok": "32"}
Json = Annotated[bool, Option("--json", help="All findings, a list of objects on stdout.")]
Fix = Annotated[
    bool, Option("--fix", help="Repair what can be repaired without harm, and say what was done.")
]
All = Annotated[bool, Option("--all", help="Show what is fine, too.")]


def doctor(invocation: Invocation, as_json: Json = False, fix: Fix = False, every: All = False) -> None:
    """Look at everything a session needs and at every session, and name the command that cures what is wrong.

    Exit code 0: sessions can be started. Otherwise that of the first error, as a start would end with it.
    """
    from agent_session.doctor import examine, findings

    with invocation.engine() as engine:
        found = examine.examine(engine, _surroundings(invocation))
        if fix:
            found = findings.by_level([_fixed(finding) for finding in found])
    if as_json:
        from agent_session.activity import shapes

        output.print_json(
            [shapes.finding(level=f.level, subject=f.subject, words=f.words, fix=f.fix) for f in found]
        )
    else:
        _print([finding for finding in found if every or finding.level != "ok"])
        print(_summary(found, every=every))
    raise Exit(findings.exit_code(found))


def _surroundings(invocation: Invocation) -> "Surroundings":
    from agent_session.doctor.examine import Surroundings

    named = invocation.environment.get("AGENT_SESSION_CONFIG")
    return Surroundings(
        environment=invocation.environment,
        agent_folders=paths.agent_folders(),
        workshop=invocation.workshop,
        locks=paths.runtime_folder,
        configuration=Path(named).expanduser() if named else paths.config_file(),
        trouble=invocation.trouble,
    )


def _fixed(finding: "Finding") -> "Finding":
    from agent_session.doctor import findings

    after = findings.repaired(finding)
    if finding.repair:
        note(f"{after.subject}: {after.words}")
    return after


def _print(found: "list[Finding]") -> None:
    """A line a finding, what it says further and its fix underneath."""
    for finding in found:
        first, *more = finding.words.splitlines() or [""]
        level = output.marked(finding.level, COLOURS[finding.level], sys.stdout)
        print(f"{level}{'':{9 - len(finding.level)}}{sanitize.shown(f'{finding.subject}: {first}')}")
        for line in more:
            print(f"{'':9}{sanitize.shown(line.strip())}")
        for cure, line in enumerate(hints.lines(finding.cures)):
            word = output.marked("or:" if cure else "fix:", "36", sys.stdout)
            print(f"{'':9}{word}{sanitize.shown(line[5:])}")


def _summary(found: "list[Finding]", *, every: bool) -> str:
    counts = {
        level: len([finding for finding in found if finding.level == level])
        for level in ("error", "warning", "ok")
    }
    told = [
        f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}"
        for level in ("error", "warning")
        if counts[level]
    ]
    fine = f"{counts['ok']} fine{'' if every else ' (--all shows them)'}"
    verdict = "not everything can be started" if counts["error"] else "sessions can be started"
    return f"{verdict}: {', '.join([*told, fine])}"
