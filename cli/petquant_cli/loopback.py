"""A server of one page for the browser of this machine: on 127.0.0.1 alone, behind a secret path.

Whoever does not know the path gets nothing: not another user of the machine, and not a web page that has the
browser ask on its behalf. A name that somebody points to 127.0.0.1 (DNS rebinding) is refused by its Host
header.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from petquant.export.viewer import ServedPage

__all__ = ["PageServer"]

LOOPBACK = "127.0.0.1"
PATIENCE_S = 30  # for a request to be spoken to its end


class PageServer(ThreadingHTTPServer):
    """Serves a page and its volumes, from memory.

    Parameters
    ----------
    page
        What is served.
    port
        0 takes one that is free.
    """

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self, page: ServedPage, *, port: int = 0) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.authority = f"{LOOPBACK}:{self.server_port}"
        self.path = f"/{secrets.token_urlsafe(24)}/"
        self.page = page

    @property
    def url(self) -> str:
        """Where the page is."""
        return f"http://{self.authority}{self.path}"

    def content_of(self, path: str) -> tuple[bytes, str] | None:
        """Return the bytes at a path and their media type; None where nothing is."""
        secret, name = path[: len(self.path)], path[len(self.path) :]
        if not secrets.compare_digest(secret.encode("utf-8", "replace"), self.path.encode()):
            return None
        if not name:
            return self.page.html, "text/html; charset=utf-8"
        volume = self.page.volumes.get(name)
        return None if volume is None else (volume, "application/octet-stream")

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a browser that went away; there is nobody to tell."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    protocol_version = "HTTP/1.1"
    timeout = PATIENCE_S

    def do_GET(self) -> None:
        self._answer(has_body=True)

    def do_HEAD(self) -> None:
        self._answer(has_body=False)

    def _answer(self, *, has_body: bool) -> None:
        if self.headers.get_all("Host") != [self.server.authority]:
            self._send(HTTPStatus.FORBIDDEN, b"", "text/plain", has_body=has_body)
            return
        found = self.server.content_of(self.path)
        if found is None:
            self._send(HTTPStatus.NOT_FOUND, b"", "text/plain", has_body=has_body)
            return
        self._send(HTTPStatus.OK, *found, has_body=has_body)

    def _send(self, status: HTTPStatus, content: bytes, media_type: str, *, has_body: bool) -> None:
        self.send_response_only(status)
        for name, value in (
            ("Content-Type", media_type),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", self.server.page.policy),
            ("Cross-Origin-Opener-Policy", "same-origin"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
        ):
            self.send_header(name, value)
        self.end_headers()
        if has_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name that the base class has
        """Say nothing: a log would hold the secret path."""
