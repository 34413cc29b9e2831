"""pygls with one handler, which responds with the object in the file that its argument names."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pygls.protocol import JsonRPCProtocol, default_converter
from pygls.server import JsonRPCServer

event = json.loads(Path(sys.argv[1]).read_bytes())
server = JsonRPCServer(JsonRPCProtocol, default_converter)


@server.feature("events.get")
def get(server: JsonRPCServer, params: object) -> object:
    return event


if __name__ == "__main__":
    server.start_io()
