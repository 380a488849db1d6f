"""The newest published version of what an agent is made of, as pins of the user's own.

npm is asked in a container of the base image: the host need not have it. The pins lie in a file of their own,
beside the user's config.yaml, which stays as its owner wrote it.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from agent_session import inside
from agent_session.agents.catalog import Package
from agent_session.engine.command import OneOff
from agent_session.engine.container import Mount
from agent_session.engine.protocol import Engine
from agent_session.errors import BuildFailed, ConfigurationError, Hint, edit
from agent_session.host import atomic
from agent_session.host.yaml_file import read_yaml

VERSION = re.compile(r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?")
INTEGRITY = re.compile(r"sha512-[A-Za-z0-9+/]+=*")
SECONDS = 120
HEAD = (
    "# Written by `agent-session build --latest`: these versions replace those that come with agent-session. "
    "Remove what should not.\n"
)


def newest(engine: Engine, image: str, package: Package, ca_bundle: Path | None) -> dict[str, str]:
    """Read the pins of the newest version: its number, and its integrity for every architecture.

    Raises BuildFailed.
    """
    name = package.names.get(engine.architecture)
    if name is None:
        raise BuildFailed(f"there is no package for {engine.architecture}")
    version, _ = _published(engine, image, name, ca_bundle)
    pins = {package.version: version}
    for architecture, other in package.names.items():
        try:
            pins[package.integrities[architecture]] = _published(
                engine, image, f"{other}@{version}", ca_bundle
            )[1]
        except BuildFailed:
            if architecture == engine.architecture:
                raise
    return pins


def is_older(version: str, than: str) -> bool:
    """Whether a version like "1.2.3" comes before another; a suffix counts for nothing."""
    return [int(part) for part in re.findall(r"\d+", version)[:3]] < [
        int(part) for part in re.findall(r"\d+", than)[:3]
    ]


def read_pins(file: Path) -> dict[str, str]:
    """The user's own pins; none where there is no file."""
    try:
        pins = read_yaml(file) if file.exists() else {}
        if not all(isinstance(text, str) for pair in pins.items() for text in pair):
            raise ValueError('each line must be NAME: "value", in quotation marks')
    except (OSError, ValueError) as error:
        raise ConfigurationError(file, str(error), hint=edit(file)) from error
    return pins


def write_pins(file: Path, pins: Mapping[str, str]) -> None:
    """Replace the user's pins in one step."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{name}: {json.dumps(value)}\n" for name, value in sorted(pins.items()))
    atomic.replace(file, (HEAD + lines).encode())


def _published(engine: Engine, image: str, package: str, ca_bundle: Path | None) -> tuple[str, str]:
    """Version and integrity of NAME or NAME@VERSION, as npm says."""
    mounts = (
        (Mount(kind="bind", source=str(ca_bundle), target=inside.CA_BUNDLE, read_only=True),)
        if ca_bundle
        else ()
    )
    command = ("/usr/local/bin/npm", "view", "--json", package, "version", "dist.integrity")
    done = engine.run_one_off(
        OneOff(image=image, command=command, mounts=mounts, network=True), timeout=SECONDS
    )
    try:
        if done.exit_code:
            raise ValueError(f"npm: {done.message[-500:]}")
        said = json.loads(done.stdout)
        version, integrity = said["version"], said["dist.integrity"]
        if not VERSION.fullmatch(version) or not INTEGRITY.fullmatch(integrity):
            raise ValueError("npm's answer is no version with an integrity")
    except (ValueError, KeyError, TypeError) as error:
        raise BuildFailed(
            f"the newest version of {package} is not known: {error}", hint=Hint("build")
        ) from error
    return version, integrity
