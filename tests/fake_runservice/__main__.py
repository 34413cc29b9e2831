"""The fake RunService as a process, for tests that kill it.

It prints its endpoint, and then the number of open streams for each line that it reads. It serves
until its input ends. A state is a JSON list; each item contains the arguments of `Model.ask`. With
`answered_after`, a number of seconds, the condition was approved so long after it was created.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tests.fake_runservice.clock import Clock
from tests.fake_runservice.model import Model
from tests.fake_runservice.releases import RELEASES
from tests.fake_runservice.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fake_runservice")
    parser.add_argument("--release", choices=RELEASES, default="2.0.43")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--state", type=Path)
    options = parser.parse_args()
    clock = Clock()
    model = Model(options.release, clock)
    if options.state is not None:
        for condition in json.loads(options.state.read_text()):
            answered_after = condition.pop("answered_after", None)
            action = model.ask(**condition)
            if answered_after is not None:
                clock.pass_time(answered_after)
                scope = {name: condition[name] for name in ("project", "domain")}
                model.signal_directly(condition["run"], action, True, **scope)
                clock.pass_time(1)  # records contain whole seconds
    server = Server(model, port=options.port)
    server.start()
    sys.stdout.write(f"{server.endpoint}\n")
    sys.stdout.flush()
    for _ in sys.stdin:
        sys.stdout.write(f"{server.open_streams.total()}\n")
        sys.stdout.flush()
    os._exit(0)  # the test process has exited


if __name__ == "__main__":
    main()
