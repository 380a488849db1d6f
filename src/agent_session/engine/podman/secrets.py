"""Podman's secrets."""

import base64
import json
from pathlib import Path
from typing import Any

from agent_session.engine.podman.connection import Connection
from agent_session.errors import EngineRefused, Hint
from agent_session.host import nofollow

LARGEST = 100_000_000
"""Bytes of the file in which Podman keeps all secrets of a user."""


def content_id(podman: Connection, name: str) -> str | None:
    """The id of a secret; new content gets a new one."""
    secret = podman.look(f"/secrets/{name}/json", f"looking for the secret {name}")
    return str(secret["ID"]) if secret else None


def read(podman: Connection, name: str) -> bytes | None:
    """The content of a secret, None where there is none.

    Podman tells it since 4.7; an older one's is in a file of this machine.
    """
    answer = podman.call(
        "GET",
        f"/secrets/{name}/json",
        f"reading the secret {name}",
        params={"showsecret": True},
        absent_is_fine=True,
    )
    if answer is None:
        return None
    secret = answer.json()
    if "SecretData" in secret:
        return str(secret["SecretData"]).encode()
    try:
        return _in_file(secret)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise EngineRefused(
            f"the secret {name} cannot be read: Podman before 4.7 tells no secret, and it is in no file here",
            hint=Hint(shell=f"podman secret inspect {name}"),
        ) from error


def _in_file(secret: dict[str, Any]) -> bytes:
    """Look a secret up in the file of Podman's own driver."""
    file = Path(secret["Spec"]["Driver"]["Options"]["path"]) / "secretsdata.json"
    kept = json.loads(nofollow.read_whole(file, largest=LARGEST))
    return base64.b64decode(kept[secret["ID"]])


def put(podman: Connection, name: str, content: bytes) -> None:
    """Store a secret. The content type matters: Podman 4.3 reads a form's body as parameters."""
    remove(podman, name)
    podman.call(
        "POST",
        "/secrets/create",
        f"storing the secret {name}",
        content,
        params={"name": name},
        headers={"Content-Type": "application/octet-stream"},
    )


def remove(podman: Connection, name: str) -> None:
    """Remove a secret."""
    podman.call("DELETE", f"/secrets/{name}", f"removing the secret {name}", absent_is_fine=True)
