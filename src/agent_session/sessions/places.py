"""A session's projects as data, for JSON: those that are mounted, then those that are clones."""

from collections.abc import Iterable
from typing import Any

from agent_session.sessions.names import branch_name
from agent_session.workspace.clones import Clone
from agent_session.workspace.projects import Project


def as_data(name: str, projects: Iterable[Project], clones: Iterable[Clone]) -> list[dict[str, Any]]:
    """Each project's source, target and whether it is read-only; `clone` only of a clone."""
    mounted = [
        {"source": str(one.source), "target": str(one.target), "read_only": one.read_only} for one in projects
    ]
    cloned = [
        {
            "source": one.source or None,
            "target": str(one.target),
            "read_only": False,
            "clone": {
                "branch": branch_name(name),
                "started_from": one.branch or None,
                "start": one.start or None,
                "borrows_objects": one.objects is not None,
            },
        }
        for one in clones
    ]
    return [*mounted, *cloned]
