"""The connection to Podman, made on first use: its API, or the podman command.

The command is used where it is quicker, or the only way. service.py knows the address; http.py (for another
machine, bindings.py) sends the requests.
"""

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent_session.engine.podman import answers, program, troubleshooting
from agent_session.engine.podman import listing as podman_listing
from agent_session.errors import AgentSessionError, EngineUnavailable, Hint
from agent_session.host.signals import held_back

if TYPE_CHECKING:
    from agent_session.engine.podman.build_folders import Folder
    from agent_session.engine.podman.service import Service

ANSWER_SECONDS = 900
"""A first create may copy a large image's layers."""


class Connection:
    """A connection that starts and ends a service of our own where it needs one. Threads may share it."""

    def __init__(
        self,
        environment: Mapping[str, str],
        *,
        listing: podman_listing.Listing | None = None,
        service: "Service | None" = None,
    ) -> None:
        """Use a `listing` that has been begun for the first question, and a `service` that `close` ends."""
        self.environment = environment
        self._listing = listing or podman_listing.Listing()
        self._begun = service
        self._client: Any = None
        self._opening = threading.Lock()
        self._closed = False
        self._folder: Folder | None = None
        self._info: dict[str, Any] | None = None

    def begin(self) -> None:
        """Start our own service where one is needed, without waiting for its 30 ms.

        The first call reports a failure. For a single question the podman command is quicker than a service.
        """
        if self.is_local:
            with contextlib.suppress(AgentSessionError):
                self._connected()

    def open(self) -> None:
        """Reach Podman now. Our own service ends with the thread that started it (PR_SET_PDEATHSIG)."""

        program.podman()
        self._opened()

    def close(self, *, with_its_work: bool = False) -> None:
        """End our own service, if we started one; `with_its_work` also ends a build's step that it has begun.

        That is final: a thread that an interrupted command has left behind must not start another service.
        """
        self._listing.drop()
        with self._opening:  # one of them may just be beginning a service
            self._closed = True
            service, client = self._begun, self._client
            self._begun = self._client = None
        if service:
            if not client:
                with contextlib.suppress(AgentSessionError):
                    service.wait()  # before it answers, a signal might not reach all of it
            service.close(with_its_work=with_its_work)

    def end_service(self, folder: "Folder | None" = None) -> None:
        """End our own service; the next call starts another one, with its temporary files in `folder`."""
        if self._begun:
            self._begun.close()
        self._begun = self._client = None
        self._folder = folder

    @property
    def is_local(self) -> bool:
        """Whether Podman is this machine's and needs no address. Nothing is asked to find that out."""
        return podman_listing.is_local(self.environment)

    @property
    def rootful(self) -> bool:
        """Whether container root is host root."""
        if self.is_local:
            return os.geteuid() == 0
        return not self.info()["host"]["security"]["rootless"]

    @property
    def is_our_own(self) -> bool:
        """Whether a service of our own answers."""
        return self._opened()[0].process is not None

    @property
    def asks_by_command(self) -> bool:
        """Whether one podman command answers sooner (45 ms) than a service that must be started (70 ms)."""
        return not self._begun and self.is_local

    def place(self, path: str) -> Path | None:
        """Where this process sees a path of Podman's, which has mounts of its own when rootless.

        None for a Podman on another machine.
        """
        service = self._opened()[0]
        if service.given:
            return None
        return Path(f"/proc/{service.process.pid}/root{path}" if service.process else path)

    def command(self) -> list[str]:
        """The beginning of a podman command line, with the address if it needs one.

        Raises EngineUnavailable without podman.
        """

        command = program.podman()
        if self.is_local:
            return [command]
        return [command, "--url", self._opened()[0].url]

    def listing(self) -> list[dict[str, Any]]:
        """List all containers by the podman command."""
        try:
            return self._listing.answer()
        except podman_listing.Failed as error:
            raise troubleshooting.explain(str(error), "listing containers") from None
        except OSError:
            program.podman()  # says so where there is none
            raise

    def run_command(self, words: Sequence[str], doing: str) -> None:
        """Run one podman command: quicker than a service that has to be started for it.

        Every failure is raised as an error of ours.
        """
        import subprocess

        command = [*self.command(), "--log-level=error", *words]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode:
            killed = f"it was ended by signal {-done.returncode}" if done.returncode < 0 else ""
            raise answers.failure(done.stderr or killed, doing)

    def info(self) -> dict[str, Any]:
        """Podman's description of itself. The first time costs one slow round trip."""
        if self._info is None:
            self._info = self.call("GET", "/info", "asking Podman about itself").json()
        return self._info

    def usual_network(self) -> str:
        """The program that connects a container that joins no network; containers.conf is not asked."""
        import shutil

        if self.rootful:
            return "bridge"
        if self.is_local and not shutil.which("pasta"):
            return "slirp4netns"  # no question to Podman, where there is but one answer
        version = int(self.info()["version"]["Version"].split(".")[0])
        return (
            answers.engine_info(self.info(), local=self.is_local).network or "pasta"
            if version >= 5
            else "slirp4netns"
        )

    def look(self, path: str, doing: str) -> dict[str, Any] | None:
        """Inspect one object, None where there is none."""
        answer = self.call("GET", path, doing, absent_is_fine=True)
        return None if answer is None else dict(answer.json())

    def call(
        self,
        method: str,
        path: str,
        doing: str,
        data: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        absent_is_fine: bool = False,
    ) -> Any:
        """Send one request and return the answer; None for an absence that is fine.

        Every failure is raised as an error of ours. `doing` begins its message; `data` is text, bytes or an
        open file.
        """
        service, client = self._opened()
        try:
            answer = client.request(method, path, params=params, data=data, headers=headers, stream=stream)
        except OSError as error:  # as are the bindings' APIError and requests' own errors
            service.notice_end()  # so that the next call, which may undo something, starts another one
            raise troubleshooting.unreachable(
                service.url, answers.root_cause(error), self.environment
            ) from error
        if old := troubleshooting.too_old(answer.headers.get("Libpod-Api-Version", "")):
            raise old
        if answer.status_code < 400:
            return answer
        return answers.refusal(answer.status_code, answer.text, doing, absent_is_fine=absent_is_fine)

    def _opened(self) -> "tuple[Service, Any]":
        with self._opening:
            if self._closed:
                raise EngineUnavailable("agent-session is about to end", hint=Hint("doctor"))
            if self._begun and self._client and self._begun.ended:
                self._begun.close()  # our own service ends after a while without requests
                self._begun = self._client = None
            service = self._connected()
            if not self._client:
                self._client = self._client_of(service.url)
                try:
                    service.wait()
                except AgentSessionError:
                    self._begun = self._client = None
                    raise
            return service, self._client

    def _connected(self) -> "Service":
        from agent_session.engine.podman import service as podman_service

        if not self._begun:
            with held_back():  # a service that is not stored here yet would leave its socket
                self._begun = podman_service.connect(self.environment, self._folder)
        return self._begun

    def _client_of(self, url: str) -> Any:
        if url.startswith("unix://"):
            from agent_session.engine.podman import http  # 10 ms, while the service boots

            return http.Client(url.removeprefix("unix://"), timeout=ANSWER_SECONDS)
        from agent_session.engine.podman import bindings

        try:
            return bindings.Client(url, timeout=ANSWER_SECONDS)
        except ValueError as error:
            raise troubleshooting.unreachable(url, str(error), self.environment) from error
