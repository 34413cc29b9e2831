"""The records of runs, how they follow the cluster, and the notification of watchers."""

from __future__ import annotations

import itertools
import threading
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush

from tests.fake_runservice.actions import (
    PHASES,
    ROOT,
    TERMINAL,
    Action,
    Change,
    ClusterResource,
    Condition,
    Payload,
    RunKey,
    RunRecord,
)
from tests.fake_runservice.listing import order_by
from tests.fake_runservice.releases import RELEASES

Watcher = Callable[[Change], None]


class Records:
    """Runs and their actions as one release records them; thread-safe.

    Attributes
    ----------
    lag
        Time until the record shows an accepted signal, in seconds of the clock `now`.
    phase_lag
        Time until the phase follows the record, in seconds of that clock.
    projects
        The domains of each project; None if the service has no ProjectService.
    """

    def __init__(self, release: str = "2.0.43", now: Callable[[], datetime] | None = None) -> None:
        self.release = RELEASES[release]
        self.now = now or (lambda: datetime.now(UTC))
        self.lag = 0.0
        self.phase_lag = 0.0
        self.projects: dict[str, list[str]] | None = None
        self.lock = threading.RLock()
        self._runs: dict[RunKey, RunRecord] = {}
        self._resources: dict[tuple[RunKey, str], ClusterResource] = {}
        self._named: dict[str, ClusterResource] = {}
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._sequence = itertools.count()
        self._watchers: dict[tuple[RunKey, str], list[Watcher]] = defaultdict(list)

    def upgrade(self, release: str) -> None:
        """Switch to another release with the same database and cluster.

        It records what is still due, but not what the previous release omitted.
        """
        with self.lock:
            self.expire()
            self.release = RELEASES[release]

    def key(self, run: str, org: str = "", project: str = "local", domain: str = "local") -> RunKey:
        """Return the key of a run."""
        return RunKey(org if self.release.hosted else "", project, domain, run)

    def expire(self) -> None:
        """Execute what is due: deadlines, and records that lag behind a signal."""
        with self.lock:
            if not self._due:
                return
            now = self.now()
            while self._due and self._due[0][0] <= now:
                at, _, step = heappop(self._due)
                step(at)

    def watch(self, key: RunKey, action: str, watcher: Watcher) -> Callable[[], None]:
        """Call the watcher at each change of a run, or of one action unless `action` is empty.

        It is called from any thread, with the lock held. Return a function that ends the watch.
        """
        with self.lock:
            self._watchers[key, action].append(watcher)

        def end() -> None:
            with self.lock:
                watchers = self._watchers[key, action]
                watchers.remove(watcher)
                if not watchers:
                    del self._watchers[key, action]

        return end

    def actions(self, key: RunKey) -> list[Action]:
        """Return all actions of a run in order of creation."""
        with self.lock:
            run = self._runs.get(key)
            return [run.actions[action] for action in run.ids()] if run else []

    def _find(self, key: RunKey, action: str) -> Action | None:
        run = self._runs.get(key)
        return run.actions.get(action) if run else None

    def _create(
        self,
        key: RunKey,
        action: str | None,
        name: str,
        condition: Condition | None,
        *,
        parent: str,
        group: str = "",
        phase: str = "QUEUED",
        environment: str = "",
        short_name: str = "",
    ) -> Action:
        """Record an action, and its run if that is new."""
        now = self.now()
        second = now.replace(microsecond=0)
        run = self._runs.get(key) or self._start_run(key, "t")
        if action is None:
            ids = (f"c{number:06}" for number in itertools.count(len(run.actions)))
            action = next(free for free in ids if free not in run.actions)
        if action in run.actions:
            raise ValueError(f"{key.name} already has an action {action}")
        created = second if condition is None else now
        added = Action(
            *(key, action, parent, group, name, phase, created, now, condition),
            environment=environment,
            short_name=short_name,
        )
        self._add(run, added)
        run.put(replace(run.actions[ROOT], updated_at=now))
        parent_action = run.actions.get(parent)
        if parent_action is not None and parent_action.phase not in TERMINAL:
            self._notify(parent_action)  # it is set to RUNNING again
        return added

    def _start_run(self, key: RunKey, task: str, environment: str = "") -> RunRecord:
        """Record a run and its root action, which is a task."""
        now = self.now()
        run = self._runs[key] = RunRecord(key, order_by)
        second = now.replace(microsecond=0)
        root = Action(key, ROOT, "", "", task, "RUNNING", second, now, environment=environment)
        self._add(run, root)
        return run

    def _add(self, run: RunRecord, action: Action) -> None:
        run.put(action)
        resource = ClusterResource(
            action.run,
            action.id,
            action.parent,
            action.condition.expected_type if action.condition else None,
            action.created_at.replace(microsecond=0),
        )
        self._resources[action.run, action.id] = resource
        self._named[resource.name] = resource
        self._notify(action)

    def _pause(self, resource: ClusterResource) -> None:
        """Reconcile a condition for the first time, and schedule its deadline."""
        if resource.reconciled:
            return
        resource.reconciled = True
        paused = self._advance(resource, "PAUSED", self.now(), resource.created_at)
        timeout = paused.condition.timeout if paused.condition else None
        if timeout is not None and timeout > 0:
            deadline = resource.created_at + timedelta(seconds=timeout)
            self._schedule_at(deadline, lambda at: self._time_out(resource, at))
            self.expire()

    def _time_out(self, resource: ClusterResource, at: datetime) -> None:
        if resource.signal is None and not resource.completed:
            self._complete(resource, "TIMED_OUT", at)

    def _complete(self, resource: ClusterResource, phase: str, at: datetime) -> None:
        """End a condition without an answer."""
        resource.completed, resource.end = True, phase
        self._advance(resource, phase, at)

    def _record_signal(self, resource: ClusterResource, payload: Payload, by: str) -> None:
        """Update the record after a signal that the cluster accepted."""
        run = self._runs[resource.key]
        if resource.reconciled:
            self._notify(run.actions[resource.id], detailed=not self.release.updates_phases)
        resource.reconciled = True

        def record(at: datetime) -> None:
            previous = run.actions[resource.id]
            signalled = replace(previous, payload=payload, signalled_by=by, updated_at=at)
            run.put(signalled)
            if self.release.updates_phases and self.phase_lag > 0:
                self._notify(signalled)
            self._schedule(self.phase_lag, succeed)

        def succeed(at: datetime) -> None:
            ended = self._advance(resource, "SUCCEEDED", at, resource.created_at)
            if self.release.updates_phases:
                self._notify(ended, listed=False)

        self._schedule(self.lag, record)

    def _advance(
        self, resource: ClusterResource, phase: str, at: datetime, start: datetime | None = None
    ) -> Action:
        """Record a phase that the cluster reports, if the service accepts it.

        The number of a phase must not decrease, and PAUSED is 9. Only a release that records ends
        makes an exception for it.
        """
        run = self._runs[resource.key]
        previous = run.actions[resource.id]
        ends = phase in TERMINAL
        rises = PHASES[previous.phase] <= PHASES[phase] or previous.phase in ("FAILED", "TIMED_OUT")
        if not rises and not (self.release.updates_phases and previous.phase == "PAUSED" and ends):
            return previous
        created = previous.created_at if start is None else min(previous.created_at, start)
        ended = previous.ended_at or (max(at, created) if ends else None)
        advanced = replace(previous, phase=phase, created_at=created, updated_at=at, ended_at=ended)
        run.put(advanced)
        self._notify(advanced)
        return advanced

    def _delete_resource(self, key: RunKey, action: str) -> ClusterResource | None:
        """Delete the action from the cluster; its record remains."""
        resource = self._resources.pop((key, action), None)
        if resource is None:
            return None
        resource.completed = True
        if self._named.get(resource.name) is resource:
            del self._named[resource.name]
        return resource

    def _notify(self, action: Action, *, listed: bool = True, detailed: bool = True) -> None:
        change = Change(action, listed, detailed)
        for name in (action.id, ""):
            for watcher in self._watchers.get((action.run, name), ()):
                watcher(change)

    def _schedule(self, seconds: float, step: Callable[[datetime], None]) -> None:
        if seconds > 0:
            self._schedule_at(self.now() + timedelta(seconds=seconds), step)
        else:
            step(self.now())

    def _schedule_at(self, instant: datetime, step: Callable[[datetime], None]) -> None:
        heappush(self._due, (instant, next(self._sequence), step))
