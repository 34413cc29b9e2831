"""The names of tasks, which the details of their actions report."""

from __future__ import annotations

from cachetools import LRUCache
from flyteidl2.workflow import run_definition_pb2

from flyte_sidecar.backends.flyte.read.single_flight import SingleFlight
from flyte_sidecar.backends.flyte.rpc.rpc_transport import RpcError
from flyte_sidecar.backends.flyte.rpc.run_service import RunService
from flyte_sidecar.events.model import Run, TaskName

MAX_TASK_NAMES = 20_000
"""Actions whose task is cached."""


class TaskNameReader:
    """Reads the task of an action once: it never changes."""

    def __init__(self, service: RunService) -> None:
        self._service = service
        self._names: LRUCache[tuple[Run, str], TaskName | None] = LRUCache(MAX_TASK_NAMES)
        self._reads = SingleFlight[tuple[Run, str], "TaskName | None"](self._read)

    async def read(self, run: Run, action: str) -> TaskName | None:
        """Return the task of an action; None if the action does not exist, or is no task.

        Raises
        ------
        RpcError
            If the action cannot be read.
        """
        return await self._reads((run, action))

    async def _read(self, key: tuple[Run, str]) -> TaskName | None:
        if key not in self._names:
            try:
                details = await self._service.details(*key)
            except RpcError as failure:
                if failure.status == "NOT_FOUND":
                    return None  # a trace is recorded when it ends
                raise
            self._names[key] = _task_name(details)
        return self._names.get(key)


def _task_name(details: run_definition_pb2.ActionDetails) -> TaskName | None:
    """Return the task in the details of an action; None if the action is no task.

    The SDK names a task after its environment and its function: `environment.function`. The short
    name is not used, since authors may choose another one.
    """
    task = details.metadata.task
    name = task.id.name or details.task.task_template.id.name
    environment, _, function = name.rpartition(".")
    environment = environment or details.metadata.environment_name
    return TaskName(function, environment or None) if function else None
