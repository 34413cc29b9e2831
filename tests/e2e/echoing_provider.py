"""An identity provider that quotes what it receives in its errors, as some do."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import trustme

Mode = Literal["grant", "refuse", "html", "fail"]


class EchoingProvider:
    """Serves OAuth over TLS on a local port, in threads.

    Attributes
    ----------
    mode
        How it answers requests for tokens: with `tokens`, or with an error of OAuth, a page, or a
        server error, each of which quotes the request.
    tokens
        The response of the mode ``grant``. The access token is followed by a number that grows.
    code, device_code
        The codes that it issues.
    received
        All values that it received in requests, by parameter.
    cookie
        The value of the cookie that each response sets.
    """

    def __init__(self, certificate: trustme.LeafCert, code: str, device_code: str) -> None:
        self.mode: Mode = "grant"
        self.tokens: dict[str, str] = {}
        self.code = code
        self.device_code = device_code
        self.cookie = ""
        self.received: list[tuple[str, str]] = []
        self._polls = self._granted = 0
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        provider = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                provider._authorize(self)

            def do_POST(self) -> None:
                provider._post(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> Self:
        # The interval is the longest time until it stops.
        serve = partial(self._server.serve_forever, poll_interval=0.01)
        threading.Thread(target=serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _authorize(self, request: BaseHTTPRequestHandler) -> None:
        query = dict(_values(urlsplit(request.path).query))
        answer = urlencode({"code": self.code, "state": query["state"]})
        self._respond(request, 302, "text/plain", b"", f"{query['redirect_uri']}?{answer}")

    def _post(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers["content-length"])).decode()
        self.received += _values(body)
        echo = f"{body} {request.headers.get('authorization', '')}"
        if request.path == "/device" and self.mode == "grant":
            self._json(
                request,
                device_code=self.device_code,
                user_code="ABCD-EFGH",
                verification_uri="https://idp.example/activate",
                expires_in=600,
                interval=0.05,
            )
        elif self.mode == "grant":
            self._polls += "device_code" in body
            if "device_code" in body and self._polls == 1:
                self._json(request, 400, error="authorization_pending", error_description=echo)
            else:
                self._granted += 1
                token = f"{self.tokens['access_token']}{self._granted}"
                self._json(request, **{**self.tokens, "access_token": token})
        elif self.mode == "refuse":
            self._json(request, 400, error="invalid_grant", error_description=echo)
        elif self.mode == "html":
            self._respond(request, 200, "text/html", f"<title>{echo}</title>".encode())
        else:
            self._respond(request, 500, f"text/{echo[:20]}", echo.encode())

    def _json(self, request: BaseHTTPRequestHandler, status: int = 200, **content: Any) -> None:
        self._respond(request, status, "application/json", json.dumps(content).encode())

    def _respond(
        self,
        request: BaseHTTPRequestHandler,
        status: int,
        content_type: str,
        body: bytes,
        location: str | None = None,
    ) -> None:
        request.send_response(status)
        request.send_header("Content-Type", content_type)
        request.send_header("Content-Length", str(len(body)))
        request.send_header("Set-Cookie", f"session={self.cookie}")
        if location is not None:
            request.send_header("Location", location)
        request.end_headers()
        request.wfile.write(body)


def _values(encoded: str) -> Iterator[tuple[str, str]]:
    for name, values in parse_qs(encoded).items():
        for value in values:
            yield name, value
