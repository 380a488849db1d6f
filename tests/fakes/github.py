"""A GitHub of our own: OAuth with PKCE, the device flow, the user, memberships of organisations and teams.

It checks what it is sent as GitHub does, and refuses the rest in GitHub's words;
`complaints` has each refusal.
The web is at `url`, the API at `url`/api/v3, as on a GitHub Enterprise Server.
"""

import base64
import contextlib
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, CLIENT_SECRET = "Iv1.testclient", "test-client-secret"
USER = {
    "id": 4711,
    "login": "octocat",
    "email": "octocat@example.org",
    "avatar_url": "https://x.invalid/a.png",
}
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@dataclass(kw_only=True)
class GitHub:
    """What the fake knows, and what it was asked."""

    url: str = ""
    user: dict[str, Any] = field(default_factory=lambda: dict(USER))
    organizations: set[str] = field(default_factory=set)
    """Of which the user is an active member."""
    teams: set[str] = field(default_factory=set)
    """As organization/team."""
    secret: str = CLIENT_SECRET
    interval: int = 0
    """Seconds between two polls of the device flow; 0 is for tests alone."""
    expires_in: int = 900
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    """Of OAuth: code -> the query with which it was asked for."""
    devices: dict[str, str] = field(default_factory=dict)
    """Device codes: pending, approved, denied or expired."""
    user_codes: dict[str, str] = field(default_factory=dict)
    """User codes to device codes."""
    tokens: set[str] = field(default_factory=set)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def api(self) -> str:
        """The address of its API."""
        return f"{self.url}/api/v3"

    def settle(self, answer: str = "approved", user_code: str | None = None) -> None:
        """Have the person answer a device's request: approved, denied or expired. By default all of them."""
        chosen = [self.user_codes[user_code]] if user_code else list(self.devices)
        for device in chosen:
            self.devices[device] = answer

    def authorize(self, query: dict[str, str], *, denied: bool = False) -> str:
        """What the person's browser does on GitHub's page; returns the address that it is sent back to."""
        for name in ("client_id", "redirect_uri", "state", "code_challenge"):
            if not query.get(name):
                self.complaints.append(f"authorize: no {name}")
        if query.get("code_challenge_method") != "S256":
            self.complaints.append("authorize: the challenge is not S256")
        if denied:
            return f"{query['redirect_uri']}?{urlencode({'error': 'access_denied', 'state': query['state']})}"
        code = secrets.token_hex(10)
        self.codes[code] = query
        return f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query.get('state', '')})}"

    def exchanged(self, sent: dict[str, str]) -> dict[str, Any]:
        """The answer to POST /login/oauth/access_token."""
        if sent.get("client_id") != CLIENT_ID:
            return self._refused("incorrect_client_credentials")
        if sent.get("grant_type") == DEVICE_GRANT:
            return self._of_device(sent)
        if sent.get("client_secret") != self.secret:
            return self._refused("incorrect_client_credentials")
        asked = self.codes.pop(sent.get("code", ""), None)
        if asked is None:
            return self._refused("bad_verification_code")
        digest = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked.get("code_challenge"):
            return self._refused("bad_verification_code")
        if sent.get("redirect_uri", asked["redirect_uri"]) != asked["redirect_uri"]:
            return self._refused("redirect_uri_mismatch")
        return self._token(asked.get("scope", ""))

    def device(self, sent: dict[str, str]) -> dict[str, Any]:
        """The answer to POST /login/device/code."""
        if sent.get("client_id") != CLIENT_ID:
            return self._refused("incorrect_client_credentials")
        code, user_code = secrets.token_hex(20), f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self.devices[code], self.user_codes[user_code] = "pending", code
        return {
            "device_code": code, "user_code": user_code, "verification_uri": f"{self.url}/login/device",
            "expires_in": self.expires_in, "interval": self.interval,
        }  # fmt: skip

    def member(self, path: str) -> int:
        """The status of a question for a membership: of an organisation, or of organisation/team."""
        parts = path.split("/")
        if parts[:3] == ["user", "memberships", "orgs"] and len(parts) == 4:
            return 200 if parts[3] in self.organizations else 404
        if parts[0] == "orgs" and parts[2:3] == ["teams"] and parts[4:5] == ["memberships"]:
            own = f"{parts[1]}/{parts[3]}" in self.teams and parts[5] == self.user["login"]
            return 200 if own else 404
        return 404

    def _of_device(self, sent: dict[str, str]) -> dict[str, Any]:
        match self.devices.get(sent.get("device_code", "")):
            case "approved":
                del self.devices[sent["device_code"]]
                return self._token("read:user")
            case "pending":
                return {"error": "authorization_pending", "interval": self.interval}
            case "slow":
                return {"error": "slow_down", "interval": self.interval + 1}
            case "denied":
                return {"error": "access_denied"}
            case "expired":
                return {"error": "expired_token"}
            case _:
                return self._refused("incorrect_device_code")

    def _token(self, scope: str) -> dict[str, Any]:
        token = "gho_" + secrets.token_hex(18)
        self.tokens.add(token)
        return {"access_token": token, "token_type": "bearer", "scope": scope}

    def _refused(self, error: str) -> dict[str, Any]:
        self.complaints.append(error)
        return {"error": error, "error_description": f"The fake says {error}."}


@contextlib.contextmanager
def github(**known: Any) -> Iterator[GitHub]:
    """Serve a fake GitHub on a loopback port for as long as the block lasts."""
    fake = GitHub(**known)

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            where = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(where.query).items()}
            fake.requests.append((f"GET {where.path}", query))
            if where.path == "/login/oauth/authorize":
                self.send_response(302)
                self.send_header("location", fake.authorize(query))
                self.end_headers()
            elif self.headers.get("authorization", "").partition(" ")[2] not in fake.tokens:
                fake.complaints.append(f"GET {where.path}: no token of ours")
                self._answer(401, {"message": "Bad credentials"})
            elif where.path == "/api/v3/user":
                self._answer(200, fake.user)
            elif where.path == "/api/v3/user/emails":
                self._answer(200, [{"email": fake.user["email"], "primary": True, "verified": True}])
            else:
                status = fake.member(where.path.removeprefix("/api/v3/"))
                self._answer(status, {"state": "active"} if status == 200 else {"message": "Not Found"})

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("content-length", "0"))).decode()
            is_json = "json" in self.headers.get("content-type", "")
            sent = json.loads(content) if is_json else {k: v[0] for k, v in parse_qs(content).items()}
            fake.requests.append((f"POST {self.path}", sent))
            if "json" not in self.headers.get("accept", ""):
                fake.complaints.append(f"POST {self.path}: JSON was not asked for")
            if self.path == "/login/oauth/access_token":
                self._answer(200, fake.exchanged(sent))
            elif self.path == "/login/device/code":
                told = fake.device(sent)
                self._answer(401 if "error" in told else 200, told)
            else:
                self._answer(404, {"message": "Not Found"})

        def _answer(self, status: int, told: Any) -> None:
            content = json.dumps(told).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as server:
        fake.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield fake
        finally:
            server.shutdown()
