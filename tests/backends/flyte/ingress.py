"""An ingress that passes Connect and not gRPC: nginx, which forwards requests by HTTP/1.1."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme

from tests.conftest import TEST_TIMEOUT, needs

_CONFIG = """
daemon off;
master_process off;
pid {folder}/pid;
error_log {folder}/errors;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/requests;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port} {options};
        {certificate}
        location / {{
            proxy_pass http://{backend};
            proxy_http_version 1.1;
            proxy_buffering {buffering};
        }}
    }}
}}
"""


@contextmanager
def ingress(
    backend: str,
    folder: Path,
    certificate: trustme.LeafCert | None = None,
    *,
    http2: bool = False,
    buffering: bool = False,
) -> Iterator[str]:
    """Yield the address of an ingress in front of a backend.

    Parameters
    ----------
    certificate
        Its certificate; None: it serves plaintext.
    http2
        Whether it accepts HTTP/2 over TLS.
    buffering
        Whether it may hold back a response that has not ended, as nginx does by default.
    """
    nginx = needs("nginx")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    lines = ""
    if certificate is not None:
        pem = folder / "certificate.pem"
        certificate.private_key_and_cert_chain_pem.write_to_path(pem)
        lines = f"ssl_certificate {pem}; ssl_certificate_key {pem};"
    options = f"{'ssl' if certificate else ''} {'http2' if http2 else ''}"
    config = folder / "nginx.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            port=port,
            options=options,
            certificate=lines,
            backend=backend,
            buffering="on" if buffering else "off",
        )
    )
    process = subprocess.Popen(
        [nginx, "-c", config, "-p", folder, "-e", folder / "errors"], stderr=subprocess.DEVNULL
    )
    try:
        _wait_until_it_listens(port, process, folder)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def _wait_until_it_listens(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + TEST_TIMEOUT
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert process.poll() is None, (folder / "errors").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.01)
        else:
            return
