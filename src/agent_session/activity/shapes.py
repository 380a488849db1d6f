"""The JSON for scripts, defined once: each `--json` and each later reader shows the same object.

Keys are only ever added. Every time is in UTC, with milliseconds and a Z: 2026-11-21T08:00:00.123Z.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from agent_session.host.clock import utc
from agent_session.sessions import endpoint, places, user_note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent_session.activity.describe import Description
    from agent_session.activity.event_log import Event
    from agent_session.activity.ports import Listening
    from agent_session.activity.protocol import Ended, Model, Used
    from agent_session.activity.state import State
    from agent_session.activity.usage import Usage
    from agent_session.activity.watch import Change
    from agent_session.sessions.apply import Applied
    from agent_session.sessions.difference import FileChange
    from agent_session.sessions.disk import Disk
    from agent_session.sessions.fetch import Fetched
    from agent_session.sessions.session import Session
    from agent_session.workspace.clones import Clone
    from agent_session.workspace.projects import Project
    from agent_session.workspace.review import Change as ReviewChange

Json = dict[str, Any]


def session(found: Session, state: State | None = None, *, changes: int = 0) -> Json:
    """A session, as `ls --json` lists it; without a state where nobody asked for one.

    `changes` counts what `review` would list.
    """
    options = found.options
    return {
        "name": found.name,
        "agent": found.agent,
        "status": found.status,
        **({"state": agent_state(state)} if state else {}),
        "projects": places.as_data(found.name, found.projects, found.clones),
        "title": found.title,
        "owner": found.owner,
        "created": utc(found.created),
        "container": found.container,
        "base_url": endpoint.base_url(found),
        "host_url": endpoint.host_url(found),
        "image": found.image,
        "auto_approve": options.auto_approve,
        "protect": options.protect,
        "unprotected": list(options.unprotected),
        "model": options.model or None,
        "user_config": options.user_config,
        "git_signing": options.git_signing,
        "ssh_agent": bool(options.ssh_agent),
        "github_token": options.github_token,
        "memory": options.memory or None,
        "cpus": options.cpus or None,
        "pids": options.pids or None,
        "shm_size": options.shm_size,
        "allow_user_namespaces": options.allow_user_namespaces,
        "allow_setuid": options.allow_setuid,
        "publish": published(found),
        "network": options.network,
        "labels": found.labels,
        "note": user_note.read(found),
        "changes": changes,
    }


def published(found: Session) -> list[Json]:
    """The ports of this machine's loopback that a session publishes, and its own that they lead to."""
    return [{"host": host, "port": port} for host, port in found.published]


def usage(session: Session, found: Usage) -> Json:
    """What `usage --json` tells: tokens by model, and US dollars, null where no cost is written down."""
    return {
        "name": session.name,
        "tokens": found.tokens,
        "cost": found.cost,
        "models": [asdict(one) for one in found.models],
        "tools": len(found.tools),
    }


def disk(found: Disk) -> Json:
    """What `df --json` tells, in bytes."""
    return {
        "sessions": [
            {
                "name": one.name,
                "status": one.status,
                "home": one.home,
                "caches": one.caches,
                "workspace": one.workspace,
                "container": one.container,
            }
            for one in found.sessions
        ],
        "images": [
            {"image": one.reference, "size": one.size, "sessions": list(one.sessions), "current": one.current}
            for one in found.images
        ],
        "volumes": [{"volume": name, "size": size} for name, size in found.left.items()],
    }


def ports(found: Session, listening: Iterable[Listening]) -> Json:
    """What `ports --json` tells: what listens in a session, and what this machine reaches."""
    return {
        "name": found.name,
        "listening": [
            {"port": one.port, "program": one.program or None, "loopback": one.loopback} for one in listening
        ],
        "publish": published(found),
    }


def fetched(done: Fetched) -> Json:
    """What `fetch --json` tells of a clone."""
    return {
        "into": str(done.into),
        "branch": done.branch,
        "from": done.of,
        "tip": done.tip,
        "commits": done.commits,
        "replaced": done.replaced or None,
        "uncommitted": done.uncommitted or None,
        "not_committed": done.left,
        "stashes": done.stashes,
        "not_fetched": [{"branch": one.name, "commits": one.ahead} for one in done.others],
    }


def applied(done: Applied) -> Json:
    """What `apply --json` tells of a clone."""
    return {
        "into": str(done.into),
        "written": list(done.written),
        "unchanged": list(done.same),
        "submodules": list(done.left),
        "runs_by_itself": [{"path": path, "why": why} for path, why in done.running],
    }


def difference(place: Clone | Project, changes: Iterable[FileChange]) -> Json:
    """A project in `diff --json`; lines are null for a file that is not a text."""
    return {
        "source": str(place.source) or None,
        "target": str(place.target),
        "files": [
            {
                "path": one.path,
                "status": one.status,
                "added": one.added,
                "removed": one.removed,
                "old_mode": one.old_mode,
                "new_mode": one.new_mode,
            }
            for one in changes
        ],
    }


def description(found: Description) -> Json:
    """All about one session, as `status --json` tells it."""
    of = found.session
    return session(of) | {
        "state": agent_state(found.state, question=True),
        "container_id": of.id,
        "pid": of.pid,
        "started": _time(of.started),
        "mounts": list(map(str, of.mounts)),
        "kob": str(of.kob) if of.kob else None,
        "login_stored": of.login is not None,
        "protection": of.protection or None,
        "volumes": dict(found.volumes),
        "processes": found.processes,
        "memory": found.memory,
        "events": [event(one) for one in found.events],
    }


def agent_state(state: State, *, question: bool = False) -> Json:
    """What an agent does; with `question` what it waits for, too."""
    told: Json = {
        "value": state.value,
        "since": _time(state.since),
        "reason": state.reason,
        "source": state.source,
    }
    if question and (asked := state.question):
        told["question"] = {
            "kind": asked.kind,
            "text": asked.text,
            "choices": list(asked.choices),
            "id": asked.id,
        }
    return told


def review_change(found: ReviewChange, *, shown_as: str) -> Json:
    """A path that differs since a session was made, as `review --json` lists it."""
    return {
        "path": shown_as,
        "host_path": str(found.host_path),
        "kind": found.kind,
        "files": found.files,
        "why": found.why,
        "when": found.when,
        "keys": list(found.keys),
    }


def named_state(name: str, state: State) -> Json:
    """A session that `wait` waited for."""
    return {"name": name, "state": agent_state(state, question=True)}


def change(found: Change, *, now: datetime, review: Sequence[str] | None = None) -> Json:
    """A change of a session's state for `watch --json`; `state` is null for a session that is gone.

    `review` lists the files that differ and run by themselves; null where nobody looked.
    """
    return {
        "time": utc(now),
        "name": found.name,
        "state": agent_state(found.state, question=True) if found.state else None,
        "before": found.before.value if found.before else None,
        "review": None if review is None else list(review),
    }


def event(found: Event) -> Json:
    """What happened to a session, as `logs --json` tells it."""
    return {"time": utc(found.time), "event": found.kind, "detail": found.detail}


def turn_end(ended: Ended) -> Json:
    """A turn that is over, or waits, as `prompt --wait --json` tells it."""
    return {
        "text": ended.text,
        "tools": [tool(used) for used in ended.tools],
        "usage": dict(ended.usage),
        "duration_s": None if ended.duration is None else round(ended.duration, 3),
        "state": agent_state(ended.state, question=True),
    }


def tool(used: Used) -> Json:
    """A tool that an agent used."""
    return {"name": used.name, "input": used.input}


def model(found: Model) -> Json:
    """A model that an agent can use, as `models --json` lists it."""
    return {"id": found.id, "name": found.name, "current": found.current}


def agent(
    *, name: str, title: str, folder: str, image: str, built: bool, logins: Json, crossings: Sequence[Json]
) -> Json:
    """Return one of the agents that `agents --json` lists.

    `logins` says by a credential's name whether it was found; `crossings` are the things that a session
    would take over from the user.
    """
    return {
        "name": name,
        "title": title,
        "image": image,
        "built": built,
        "credentials": [{"name": login, "found": found} for login, found in logins.items()],
        "crosses": [*crossings],
        "folder": folder,
    }


def finding(*, level: str, subject: str, words: str, fix: str) -> Json:
    """Return one of `doctor`'s findings; `fix` is null where there is nothing to type."""
    return {"level": level, "subject": subject, "words": words, "fix": fix or None}


def _time(moment: datetime | None) -> str | None:
    return utc(moment) if moment else None
