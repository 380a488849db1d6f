"""Git over the network, on this machine: repositories by https as github.com, behind a proxy, and by ssh.

Containers reach this machine by its address in the network; on its loopback they are not let in.
"""

import base64
import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.waiting import until

SSHD = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
AUTHORITY = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=Tests"]


def address() -> str:
    """This machine's address in the network; "" where it is in none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return ""
        found = str(probe.getsockname()[0])
    return "" if found.startswith("127.") else found


def certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """Make a certificate for a host with its key, which also is the authority that vouches for it."""
    bundle, key = folder / "ca.pem", folder / "key.pem"
    names = ["-addext", f"subjectAltName=DNS:{host}", "-keyout", str(key), "-out", str(bundle)]
    subprocess.run(["openssl", *AUTHORITY, *names], check=True, capture_output=True)
    return bundle, key


class _Git(BaseHTTPRequestHandler):
    """Serves repositories with git itself; `/private/` only to who has the token."""

    protocol_version = "HTTP/1.1"
    root: Path
    token: str
    logins: list[str]

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        login = self.headers.get("Authorization", "")
        self.logins.append(login)
        wanted = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
        if self.path.startswith("/private/") and login != f"Basic {wanted}":
            return self._send(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            check=False,
            env={
                "PATH": os.environ["PATH"], "GIT_PROJECT_ROOT": str(self.root), "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            },
        )  # fmt: skip
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().splitlines()]
        status = next((int(value.split()[0]) for name, value in headers if name == "Status"), 200)
        self._send(status, [(name, value) for name, value in headers if name != "Status"], content)
        return None

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in [*headers, ("Content-Length", str(len(content)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Proxy(BaseHTTPRequestHandler):
    """A proxy that leads each connection to one server, whatever host was asked for."""

    port: int

    def do_CONNECT(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as there:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=_copy, args=(there, self.connection), daemon=True)
            back.start()
            _copy(self.connection, there)
            back.join(30)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(piece)
        target.shutdown(socket.SHUT_WR)


@contextmanager
def github(root: Path, folder: Path, token: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """Serve the repositories below `root` as github.com: variables that lead there, and logins that came."""
    logins: list[str] = []
    bundle, key = certificate(folder, "github.com")
    git = type("Git", (_Git,), {"root": root, "token": token, "logins": logins})
    server = ThreadingHTTPServer(("127.0.0.1", 0), git)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    proxy = ThreadingHTTPServer(("0.0.0.0", 0), type("Proxy", (_Proxy,), {"port": server.server_port}))
    for one in (server, proxy):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    try:
        way = f"http://{address()}:{proxy.server_port}"
        yield {"HTTPS_PROXY": way, "https_proxy": way, "SSL_CERT_FILE": str(bundle)}, logins
    finally:
        for one in (proxy, server):
            one.shutdown()
            one.server_close()


@contextmanager
def ssh_server(folder: Path, authorized: Path) -> Iterator[tuple[int, str]]:
    """Run sshd as this user, for those with a key: its port, and a line for known_hosts."""
    assert SSHD
    key, port_file = folder / "host_key", socket.socket()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with port_file:
        port_file.bind(("", 0))
        port = port_file.getsockname()[1]
    configuration = folder / "sshd_config"
    configuration.write_text(
        f"Port {port}\nHostKey {key}\nAuthorizedKeysFile {authorized}\nPidFile none\nStrictModes no\n"
        "UsePAM no\nPasswordAuthentication no\n"
    )
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", str(configuration)], stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), "sshd")
        yield port, f"[{address()}]:{port} {key.with_suffix('.pub').read_text()}"
    finally:
        server.terminate()
        server.wait()


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
