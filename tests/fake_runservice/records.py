"""The records of runs, how they follow the cluster, and who is told of their changes."""

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
    Condition,
    Payload,
    Resource,
    Run,
    RunKey,
)
from tests.fake_runservice.listing import order_by
from tests.fake_runservice.releases import RELEASES

Watcher = Callable[[Change], None]


class Records:
    """Runs and their actions as one release keeps them; any thread may call.

    `lag` and `phase_lag` are seconds of the clock `now`: how long after an accepted signal
    the record carries it, and how long after that the phase follows.
    `projects` are the domains by project, None where the service does not say.
    """

    def __init__(self, release: str = "2.0.43", now: Callable[[], datetime] | None = None) -> None:
        self.release = RELEASES[release]
        self.now = now or (lambda: datetime.now(UTC))
        self.lag = 0.0
        self.phase_lag = 0.0
        self.projects: dict[str, list[str]] | None = None
        self.lock = threading.RLock()
        self._runs: dict[RunKey, Run] = {}
        self._resources: dict[tuple[RunKey, str], Resource] = {}
        self._named: dict[str, Resource] = {}
        self._due: list[tuple[datetime, int, Callable[[datetime], None]]] = []
        self._sequence = itertools.count()
        self._watchers: dict[tuple[RunKey, str], list[Watcher]] = defaultdict(list)

    def upgrade(self, release: str) -> None:
        """Go on as another release of the same database and cluster.

        What the former release did not record stays as it is; what is still due, the new one
        records.
        """
        with self.lock:
            self.expire()
            self.release = RELEASES[release]

    def key(self, run: str, org: str = "", project: str = "local", domain: str = "local") -> RunKey:
        """Give what the service knows the run by."""
        return RunKey(org if self.release.hosted else "", project, domain, run)

    def expire(self) -> None:
        """Do whatever was due by now: deadlines, and records that lag behind a signal."""
        with self.lock:
            if not self._due:
                return
            now = self.now()
            while self._due and self._due[0][0] <= now:
                at, _, step = heappop(self._due)
                step(at)

    def watch(self, key: RunKey, action: str, watcher: Watcher) -> Callable[[], None]:
        """Call the watcher at each change of a run, or of one action where one is named.

        It is called under the lock, by any thread. Returns how to end that.
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
        """Give all actions of a run in order of creation."""
        with self.lock:
            run = self._runs.get(key)
            return [run.actions[one] for one in run.ids()] if run else []

    def _find(self, key: RunKey, action: str) -> Action | None:
        run = self._runs.get(key)
        return run.actions.get(action) if run else None

    def _make(
        self,
        key: RunKey,
        action: str | None,
        name: str,
        condition: Condition | None,
        *,
        parent: str,
        group: str = "",
        phase: str = "QUEUED",
    ) -> Action:
        """Record an action, and its run where it is the first."""
        now = self.now()
        second = now.replace(microsecond=0)
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = Run(key, order_by)
            self._add(run, Action(key, ROOT, "", "", "t", "RUNNING", second, now))
        if action is None:
            ids = (f"c{number:06}" for number in itertools.count(len(run.actions)))
            action = next(one for one in ids if one not in run.actions)
        if action in run.actions:
            raise ValueError(f"{key.name} has an action {action} already")
        created = second if condition is None else now
        made = Action(key, action, parent, group, name, phase, created, now, condition)
        self._add(run, made)
        run.put(replace(run.actions[ROOT], updated_at=now))
        above = run.actions.get(parent)
        if above is not None and above.phase not in TERMINAL:
            self._tell(above)  # it is set to RUNNING once more
        return made

    def _add(self, run: Run, action: Action) -> None:
        run.put(action)
        resource = Resource(
            action.run,
            action.id,
            action.parent,
            action.condition.expected_type if action.condition else None,
            action.created_at.replace(microsecond=0),
        )
        self._resources[action.run, action.id] = resource
        self._named[resource.name] = resource
        self._tell(action)

    def _pause(self, resource: Resource) -> None:
        """Reconcile a condition for the first time; its deadline counts from then on."""
        if resource.reconciled:
            return
        resource.reconciled = True
        paused = self._advance(resource, "PAUSED", self.now(), resource.created_at)
        timeout = paused.condition.timeout if paused.condition else None
        if timeout is not None and timeout > 0:
            deadline = resource.created_at + timedelta(seconds=timeout)
            self._at(deadline, lambda at: self._time_out(resource, at))
            self.expire()

    def _time_out(self, resource: Resource, at: datetime) -> None:
        if resource.signal is None and not resource.completed:
            self._complete(resource, "TIMED_OUT", at)

    def _complete(self, resource: Resource, phase: str, at: datetime) -> None:
        """End a condition that nobody answered."""
        resource.completed, resource.end = True, phase
        self._advance(resource, phase, at)

    def _record_signal(self, resource: Resource, payload: Payload, by: str) -> None:
        """Have the record follow a signal that the cluster took."""
        run = self._runs[resource.key]
        if resource.reconciled:
            self._tell(run.actions[resource.id], detailed=not self.release.tells)
        resource.reconciled = True

        def record(at: datetime) -> None:
            former = run.actions[resource.id]
            signalled = replace(former, payload=payload, signalled_by=by, updated_at=at)
            run.put(signalled)
            if self.release.tells and self.phase_lag > 0:
                self._tell(signalled)
            self._later(self.phase_lag, succeed)

        def succeed(at: datetime) -> None:
            ended = self._advance(resource, "SUCCEEDED", at, resource.created_at)
            if self.release.tells:
                self._tell(ended, listed=False)

        self._later(self.lag, record)

    def _advance(
        self, resource: Resource, phase: str, at: datetime, start: datetime | None = None
    ) -> Action:
        """Record a phase that the cluster reports, where the service takes it from there.

        A phase may not fall by its number, and PAUSED is 9: what was paused stays so, unless
        the release knows that exception.
        """
        run = self._runs[resource.key]
        former = run.actions[resource.id]
        ends = phase in TERMINAL
        rises = PHASES[former.phase] <= PHASES[phase] or former.phase in ("FAILED", "TIMED_OUT")
        if not rises and not (self.release.tells and former.phase == "PAUSED" and ends):
            return former
        created = former.created_at if start is None else min(former.created_at, start)
        ended = former.ended_at or (max(at, created) if ends else None)
        advanced = replace(former, phase=phase, created_at=created, updated_at=at, ended_at=ended)
        run.put(advanced)
        self._tell(advanced)
        return advanced

    def _forget(self, key: RunKey, action: str) -> Resource | None:
        """Take the action out of the cluster; its record stays."""
        resource = self._resources.pop((key, action), None)
        if resource is None:
            return None
        resource.completed = True
        if self._named.get(resource.name) is resource:
            del self._named[resource.name]
        return resource

    def _tell(self, action: Action, *, listed: bool = True, detailed: bool = True) -> None:
        change = Change(action, listed, detailed)
        for name in (action.id, ""):
            for watcher in self._watchers.get((action.run, name), ()):
                watcher(change)

    def _later(self, seconds: float, step: Callable[[datetime], None]) -> None:
        if seconds > 0:
            self._at(self.now() + timedelta(seconds=seconds), step)
        else:
            step(self.now())

    def _at(self, moment: datetime, step: Callable[[datetime], None]) -> None:
        heappush(self._due, (moment, next(self._sequence), step))
