"""The only importer of `podman`: its bindings know ways to a Podman on another machine (ssh, tcp).

Importing them costs 50 ms (150 on a busy machine), which only such a Podman is worth: on this one, podman_http says the same.
"""

from typing import Any

from podman.api.client import APIClient


class Client:
    """An address, asked as podman_http's is. ValueError for one that is none."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self._client = APIClient(base_url=url, timeout=timeout)

    def request(self, method: str, path: str, *, data: Any, headers: Any, **options: Any) -> Any:
        """Ask; whatever goes wrong on the way is an OSError, as the bindings' APIError and requests' own are."""
        body = {} if data is None else {"data": data}
        body |= {"headers": headers} if headers else {}
        return getattr(self._client, method.lower())(path, **options, **body)
