"""Podman's Python bindings carry every request to a Podman on another machine (ssh, tcp, macOS).

For this machine's Podman, http.py sends the same requests: importing the bindings costs 50 ms (150 on a busy
machine), as much as a whole `podman ps`, and a Unix socket needs nothing that they add. This module alone
imports `podman`.
"""

from typing import Any

from podman.api.client import APIClient


class Client:
    """A client for an address, with the same method as http.Client. Raises ValueError for a bad address."""

    def __init__(self, url: str, *, timeout: float) -> None:
        self._client = APIClient(base_url=url, timeout=timeout)

    def request(self, method: str, path: str, *, data: Any, headers: Any, **options: Any) -> Any:
        """Send a request. Every failure on the way is an OSError.

        So are the bindings' APIError and the errors of requests.
        """
        body = {} if data is None else {"data": data}
        body |= {"headers": headers} if headers else {}
        return getattr(self._client, method.lower())(path, **options, **body)
