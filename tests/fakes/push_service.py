"""A push service of our own: it checks who sends (RFC 8292), and reads messages as a browser does (RFC 8291).

`messages` are those that were sent rightly, by the browser's id; `complaints` what was wrong with the others.
"""

import base64
import contextlib
import json
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def content(written: str) -> bytes:
    return base64.urlsafe_b64decode(written + "=" * (-len(written) % 4))


@dataclass(kw_only=True)
class Keys:
    """What a browser keeps to itself."""

    own: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = b"sixteen bytes ok"

    @property
    def point(self) -> bytes:
        return self.own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


@dataclass(kw_only=True)
class PushService:
    """What the fake knows, and what it got."""

    url: str = ""
    keys: dict[str, Keys] = field(default_factory=dict)
    messages: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def subscribe(self, browser: str) -> dict[str, Any]:
        """What PushSubscription.toJSON() of a browser gives."""
        keys = self.keys.setdefault(browser, Keys())
        return {
            "endpoint": f"{self.url}/{browser}",
            "expirationTime": None,
            "keys": {"p256dh": text(keys.point), "auth": text(keys.auth)},
        }

    def take(self, browser: str, headers: dict[str, str], body: bytes) -> int:
        """Check a message and keep it; return the status."""
        keys = self.keys.get(browser)
        if keys is None:
            return 410
        try:
            self._check_sender(headers["authorization"])
            assert headers["content-encoding"] == "aes128gcm"
            assert int(headers["ttl"]) > 0
            assert len(headers["topic"]) <= 32
            message = json.loads(opened(keys, body))
        except Exception as error:  # whatever is wrong, the sender is told no
            self.complaints.append(f"{type(error).__name__}: {error}")
            return 400
        self.headers.append(headers)
        self.messages.append((browser, message))
        return 201

    def _check_sender(self, authorization: str) -> None:
        kind, _, rest = authorization.partition(" ")
        assert kind == "vapid"
        parts = dict(one.strip().split("=", 1) for one in rest.split(","))
        head, claims, signature = parts["t"].split(".")
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), content(parts["k"]))
        raw = content(signature)
        pair = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        key.verify(encode_dss_signature(*pair), f"{head}.{claims}".encode(), ec.ECDSA(hashes.SHA256()))
        told = json.loads(content(claims))
        assert told["aud"] == self.url
        assert time.time() < told["exp"] <= time.time() + 86400
        assert told["sub"].startswith(("mailto:", "https:"))


def opened(keys: Keys, body: bytes) -> bytes:
    """Decrypt a message of one record."""
    salt, (record, length) = body[:16], struct.unpack(">IB", body[16:21])
    sender, sealed = body[21 : 21 + length], body[21 + length :]
    assert len(sealed) <= record
    public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
    shared = keys.own.exchange(ec.ECDH(), public)

    def derive(secret: bytes, salt: bytes, info: bytes, size: int) -> bytes:
        return HKDF(algorithm=hashes.SHA256(), length=size, salt=salt, info=info).derive(secret)

    secret = derive(shared, keys.auth, b"WebPush: info\0" + keys.point + sender, 32)
    key = derive(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = derive(secret, salt, b"Content-Encoding: nonce\0", 12)
    padded = AESGCM(key).decrypt(nonce, sealed, None).rstrip(b"\0")
    assert padded[-1] == 2
    return padded[:-1]


@contextlib.contextmanager
def push_service() -> Iterator[PushService]:
    """Run a push service for as long as the block lasts."""
    service = PushService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            self.send_response(service.take(self.path.removeprefix("/"), headers, body))
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
