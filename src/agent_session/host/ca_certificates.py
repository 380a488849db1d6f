"""The CA certificates that the host trusts, and whether they are more than the public ones.

Company proxies re-sign HTTPS with a CA of their own; then builds need the host's bundle, and so do agents.
"""

import os
from collections.abc import Mapping
from pathlib import Path

BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)
ADDED = (
    "/usr/local/share/ca-certificates",
    "/etc/pki/ca-trust/source/anchors",
    "/etc/pki/trust/anchors",
    "/etc/ca-certificates/trust-source/anchors",
)


def bundle(environment: Mapping[str, str]) -> Path | None:
    """Find the bundle that this user's programs trust: SSL_CERT_FILE, or the system's; None without one."""
    for name in (environment.get("SSL_CERT_FILE"), *BUNDLES):
        if name and os.access(name, os.R_OK) and Path(name).is_file():
            return Path(name)
    return None


def trusts_more(environment: Mapping[str, str]) -> bool:
    """Whether a CA was added to the public ones: by a variable, or in the system's directory for it."""
    named = environment.get("SSL_CERT_FILE")
    if named and named not in BUNDLES:
        return True
    return any(
        path.is_file() for folder in ADDED if Path(folder).is_dir() for path in Path(folder).rglob("*")
    )
