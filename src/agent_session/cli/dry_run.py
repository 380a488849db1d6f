"""`agent-session start --dry-run`: prints what a start would do, and how Podman alone would do it."""

from dataclasses import asdict
from typing import Any

from agent_session import sanitize
from agent_session.cli import output
from agent_session.sessions.dry_run import DryRun


def tell(plan: DryRun, *, as_json: bool) -> None:
    """Print the plan as comments and its commands, as a script that carries it out, or as JSON."""
    if as_json:
        output.print_json(asdict(plan))
        return
    happens = {
        "create": "would be made", "start": "is stopped and would be started", "attach": "runs and would "
                                                                                         "be attached to",
        "replace": "is stopped and would get another container on its volumes",
    }[plan.action]  # fmt: skip
    lines = [
        ("session", [f"{plan.name} ({happens})"]),
        ("agent", [plan.agent]),
        ("image", [plan.image + ("" if plan.built else " (would be built)")]),
        ("projects", list(map(_project, plan.projects))),
        ("mounts", [_told(mount) for mount in plan.mounts]),
        ("variables", [", ".join(plan.variables)]),
        ("files", [", ".join(plan.files)]),
        ("protect", [plan.protect]),
        ("protected", plan.protected),
        ("held", [f"{path} (while it runs)" for path in plan.placeholders]),
    ]
    for title, values in lines:
        for value in values:
            if value:
                print(sanitize.shown(f"# {title:<9}  {value}"))
    if plan.action != "attach":
        print(
            "#\n# The tar on session-seed's standard input is what crosses over: `environment` (lines "
            "export NAME=value),\n"
            "# `files/NAME` and `gitconfig`. This one is empty: no login, no settings."
        )
    print("\n".join(plan.commands))


def _told(mount: dict[str, object]) -> str:
    how = f"{mount['kind']}{', read-only' if mount['read_only'] else ''}"
    return f"{mount['source'] or 'memory'} at {mount['target']} ({how})"


def _project(project: dict[str, Any]) -> str:
    clone = project.get("clone")
    cloned = f", a clone on the branch {clone['branch']}" if clone else ""
    read_only = ", read-only" if project["read_only"] else ""
    return f"{project['source']} at {project['target']}{cloned}{read_only}"
