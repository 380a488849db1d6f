"""Who sends a notification (RFC 8292): a key of this server's own, made the first time it is needed."""

import json
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from agent_session.errors import ConfigurationError, Hint
from agent_session.host import atomic
from agent_session.server.push.encryption import as_text, point
from agent_session.server.settings import Settings

FILE = "push-key.pem"
VALID_SECONDS = 12 * 3600


def key(settings: Settings) -> ec.EllipticCurvePrivateKey:
    """Return the server's key. ConfigurationError where its file holds another thing."""
    file = settings.server_state / FILE
    try:
        found = load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError:
        return _made(file)
    except ValueError as error:
        raise ConfigurationError(file, "it does not hold a key", hint=Hint(shell=f"rm {file}")) from error
    if not isinstance(found, ec.EllipticCurvePrivateKey):
        raise ConfigurationError(file, "its key is of another kind", hint=Hint(shell=f"rm {file}"))
    return found


def public(settings: Settings) -> str:
    """Return the public key, as browsers take it."""
    return as_text(point(key(settings).public_key()))


def authorization(settings: Settings, endpoint: str) -> str:
    """Return the header that tells a push service who sends."""
    own = key(settings)
    address = urlsplit(endpoint)
    claims = {
        "aud": f"{address.scheme}://{address.netloc}",
        "exp": int(time.time()) + VALID_SECONDS,
        "sub": settings.public_url if settings.public_url.startswith("https:") else "mailto:admin@localhost",
    }
    head = _part({"typ": "JWT", "alg": "ES256"}) + "." + _part(claims)
    r, s = decode_dss_signature(own.sign(head.encode(), ec.ECDSA(hashes.SHA256())))
    signature = as_text(r.to_bytes(32, "big") + s.to_bytes(32, "big"))
    return f"vapid t={head}.{signature}, k={as_text(point(own.public_key()))}"


def _part(value: dict[str, object]) -> str:
    return as_text(json.dumps(value, separators=(",", ":")).encode())


def _made(file: Path) -> ec.EllipticCurvePrivateKey:
    made = ec.generate_private_key(ec.SECP256R1())
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    atomic.replace(file, pem)
    return made
