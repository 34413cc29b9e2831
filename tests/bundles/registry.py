"""An npm registry on this machine, for a few tarballs."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote


@contextmanager
def serve(packages: Sequence[tuple[Mapping[str, Any], Path | None]]) -> Iterator[str]:
    """Serve packages, each a package.json and its tarball, and yield the address.

    A package without a tarball cannot be downloaded.
    """
    tarballs = {f"/{number}.tgz": path for number, (_, path) in enumerate(packages) if path}
    documents: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = unquote(self.path)
            if path in tarballs:
                with tarballs[path].open("rb") as file:
                    self._start(200, tarballs[path].stat().st_size)
                    shutil.copyfileobj(file, self.wfile)
                return
            body = documents.get(path[1:], b"{}")
            self._start(200 if path[1:] in documents else 404, len(body))
            self.wfile.write(body)

        def _start(self, status: int, length: int) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(length))
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        address = f"http://127.0.0.1:{server.server_port}"
        for number, (manifest, path) in enumerate(packages):
            dist = {"tarball": f"{address}/{number}.tgz"}
            if path is not None:
                digest = hashlib.sha512(path.read_bytes()).digest()
                dist["integrity"] = f"sha512-{base64.b64encode(digest).decode()}"
            version = manifest["version"]
            document = {
                "name": manifest["name"],
                "dist-tags": {"latest": version},
                "versions": {version: {**manifest, "dist": dist}},
            }
            documents[manifest["name"]] = json.dumps(document).encode()
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield address
        server.shutdown()
        thread.join()
