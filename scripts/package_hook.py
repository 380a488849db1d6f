"""What the package is given when it is built: man pages and completion,
made of the program itself (a hook of hatchling's).
"""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMPLETIONS = {
    "bash": "share/bash-completion/completions/agent-session",
    "zsh": "share/zsh/site-functions/_agent-session",
    "fish": "share/fish/vendor_completions.d/agent-session.fish",
}


class PackageHook(BuildHookInterface):  # type: ignore[misc]
    """Writes the files into a directory of its own and names their places in the wheel."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Before a wheel is made, editable ones included."""
        if self.target_name != "wheel":
            return
        sys.path.insert(0, str(Path(self.root, "src")))
        sys.dont_write_bytecode = True
        import typer

        from agent_session import __version__
        from agent_session.cli import app, man_pages, schema
        from agent_session.cli.commands import completion

        known = schema.read(typer.main.get_command(app.app))
        shared = {
            f"share/man/man1/{name}": text for name, text in man_pages.pages(known, __version__).items()
        }
        shared |= {place: completion.SCRIPTS[shell] for shell, place in COMPLETIONS.items()}
        self._made = tempfile.TemporaryDirectory(prefix="agent-session-package-")
        for place, text in shared.items():
            file = Path(self._made.name, place)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
            build_data["shared_data"][str(file)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """After it."""
        if self.target_name == "wheel":
            self._made.cleanup()
