"""A message that only one browser can read (RFC 8291): aes128gcm with keys that the browser made."""

import base64
import os
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

RECORD = 4096
LONGEST = RECORD - 16 - 1 - 86
"""Bytes that a message may have: a record without its tag, its end and its header."""


def encrypt(
    text: bytes,
    *,
    p256dh: bytes,
    auth: bytes,
    salt: bytes | None = None,
    sender: ec.EllipticCurvePrivateKey | None = None,
) -> bytes:
    """Encrypt a message for a browser. ValueError where its key is none, or the message is too long.

    Args:
        p256dh: its public key, 65 bytes.
        auth: the 16 bytes that it shares with us.
        salt, sender: random, but for a test.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a message has {LONGEST} bytes at most")
    salt = salt or os.urandom(16)
    sender = sender or ec.generate_private_key(ec.SECP256R1())
    receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), p256dh)
    own = point(sender.public_key())
    shared = sender.exchange(ec.ECDH(), receiver)
    secret = _derived(shared, auth, b"WebPush: info\0" + p256dh + own, 32)
    key = _derived(secret, salt, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derived(secret, salt, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack(">IB", RECORD, len(own)) + own
    return header + AESGCM(key).encrypt(nonce, text + b"\x02", None)


def point(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key's 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def as_text(content: bytes) -> str:
    """Write bytes as browsers do: base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def as_bytes(text: str) -> bytes:
    """Read what `as_text` wrote. ValueError."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _derived(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(secret)
