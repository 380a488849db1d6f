"""Podman's secrets."""

from agent_session.engine.podman.connection import Connection


def content_id(podman: Connection, name: str) -> str | None:
    """The id of a secret; new content gets a new one."""
    secret = podman.look(f"/secrets/{name}/json", f"looking for the secret {name}")
    return str(secret["ID"]) if secret else None


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
