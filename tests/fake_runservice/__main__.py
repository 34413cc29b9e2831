"""The service as a process of its own, for tests that kill it.

It prints its endpoint on a line, and for each line that it reads how many streams are open; it
serves until its input ends. A state is a JSON list: each item holds the arguments of `Model.ask`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tests.fake_runservice.model import Model
from tests.fake_runservice.releases import RELEASES
from tests.fake_runservice.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fake_runservice")
    parser.add_argument("--release", choices=RELEASES, default="2.0.43")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    chosen = parser.parse_args()
    model = Model(chosen.release)
    if chosen.state is not None:
        for asked in json.loads(chosen.state.read_text()):
            model.ask(**asked)
    server = Server(model, port=chosen.port)
    server.start()
    sys.stdout.write(f"{server.endpoint}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(f"{server.open_streams.total()}\n")
        sys.stdout.flush()
    os._exit(0)  # whoever started it is gone


if __name__ == "__main__":
    main()
