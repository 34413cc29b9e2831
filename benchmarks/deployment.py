"""A fake Flyte deployment, and a backend that counts its calls.

The deployment is the tests' fake RunService (`tests.fake_runservice`) in its own process. The
duration of its calls says little about Flyte: the ratios and the numbers of calls count.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.client import ROOT
from flyte_sidecar.backends.flyte import Deployment, FlyteBackend
from flyte_sidecar.events.model import Run

MANY, SOME = 10_000, 1_000
"""Numbers of events in the two runs of the deployment."""

PROJECT, DOMAIN = "p", "d"


def deployment(state: Path, release: str) -> AbstractContextManager[str]:
    """Start a deployment with both runs, and yield its endpoint."""
    return deployment_with({name(count): count for count in (MANY, SOME)}, state, release)


@contextmanager
def deployment_with(runs: Mapping[str, int], state: Path, release: str) -> Iterator[str]:
    """Start a deployment with some number of events in each run, and yield its endpoint.

    The first event of each run was answered after a minute. That proves to the backend that a
    listing of this release shows answers, as it does in a run that people work with.
    """
    conditions = [
        {"run": run, "name": event(index), "project": PROJECT, "domain": DOMAIN}
        | ({} if index else {"answered_after": 60})
        for run, count in runs.items()
        for index in range(count)
    ]
    state.write_text(json.dumps(conditions))
    arguments = ("-m", "tests.fake_runservice", "--release", release, "--state", str(state))
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,  # it ends with this process
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


def name(count: int) -> str:
    return f"benchmark-{count}"


def event(index: int) -> str:
    return f"event-{index:06}"


def run(count: int) -> Run:
    return Run(None, PROJECT, DOMAIN, name(count))


class Counted:
    """A transport that counts the calls of the transport that it wraps."""

    def __init__(self, transport: Any, calls: Counter[str]) -> None:
        self._transport = transport
        self._calls = calls
        self.protocol = transport.protocol
        self.max_streams = transport.max_streams

    async def call(self, rpc: Any, *how: Any) -> Any:
        self._calls[rpc.name] += 1
        return await self._transport.call(rpc, *how)

    def stream(self, rpc: Any, *how: Any) -> AsyncGenerator[Any, None]:
        self._calls[rpc.name] += 1
        made: AsyncGenerator[Any, None] = self._transport.stream(rpc, *how)
        return made

    async def close(self) -> None:
        await self._transport.close()


class CountedBackend(FlyteBackend):
    """A backend that counts its calls."""

    def __init__(self, endpoint: str) -> None:
        deployment = Deployment(endpoint=endpoint, insecure=True, project=PROJECT, domain=DOMAIN)
        super().__init__(deployment, "flyte-sidecar-benchmarks")
        self.calls: Counter[str] = Counter()

    async def _open(self) -> Any:
        from flyte_sidecar.backends.flyte import session
        from flyte_sidecar.backends.flyte.rpc.open_transport import open_transport

        transport, http = await open_transport(self.deployment, self._user_agent)
        return session.FlyteSession(
            self.deployment, Counted(transport, self.calls), http, None, self._timing
        )


@asynccontextmanager
async def connected(endpoint: str) -> AsyncIterator[CountedBackend]:
    """Yield a connected backend with empty caches."""
    backend = CountedBackend(endpoint)
    await backend.check()
    assert backend.calls.total() > 0
    backend.calls.clear()
    yield backend
    await backend.close()
