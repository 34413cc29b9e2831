"""The fake RunService without gRPC: runs create conditions, clients signal them, time passes.

Sources: Flyte 2's `runs/service`, `runs/repository`, `actions/k8s` and `executor`, and recorded
responses of its releases 2.0.28, 2.0.42 and 2.0.43.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, Unpack

from tests.fake_runservice.actions import (
    KINDS,
    PHASES,
    ROOT,
    TERMINAL,
    Action,
    ClusterResource,
    Condition,
    Payload,
    RunKey,
    StatusError,
    same,
)
from tests.fake_runservice.listing import ListQuery, compile_filters, no_nul, order_by, page
from tests.fake_runservice.records import Records


class ScopeArgs(TypedDict, total=False):
    """The scope of a run, as keyword arguments; project and domain are `local` by default."""

    org: str
    project: str
    domain: str


class Model(Records):
    """The actions of runs and the requests of clients.

    Methods with a RunKey are for the service, which calls `expire` itself.
    """

    def ask(
        self,
        run: str,
        name: str,
        expected_type: str = "bool",
        *,
        parent: str = ROOT,
        group: str = "",
        prompt: str = "Approve?",
        description: str = "",
        markdown: bool = False,
        expires_in: float | None = None,
        action: str | None = None,
        queued: bool = False,
        **scope: Unpack[ScopeArgs],
    ) -> str:
        """Create a condition and return its id; with `queued`, the caller reconciles it."""
        if expected_type not in KINDS:
            raise ValueError(f"{expected_type} is no type of a condition")
        condition = Condition(expected_type, prompt, description, markdown, expires_in)
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            created = self._create(key, action, name, condition, parent=parent, group=group)
            if not queued:
                self._pause(self._resources[key, created.id])
            return created.id

    def start_run(
        self, run: str, task: str, environment: str = "", **scope: Unpack[ScopeArgs]
    ) -> None:
        """Create a run of a task; other methods create runs that are missing, of a task "t"."""
        with self.lock:
            self._start_run(self.key(run, **scope), task, environment)

    def task(
        self,
        run: str,
        name: str,
        *,
        action: str | None = None,
        parent: str = ROOT,
        phase: str = "RUNNING",
        environment: str = "",
        short_name: str = "",
        **scope: Unpack[ScopeArgs],
    ) -> str:
        """Create a task and return its id; the SDK sets the name to "environment.function"."""
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            return self._create(
                *(key, action, name, None),
                parent=parent,
                phase=phase,
                environment=environment,
                short_name=short_name or name,
            ).id

    def reconcile(self, run: str, action: str, **scope: Unpack[ScopeArgs]) -> None:
        """Pause a queued condition; the fraction of its creation time is cut off."""
        with self.lock:
            self.expire()
            self._pause(self._resources[self.key(run, **scope), action])

    def finish_run(self, run: str, phase: str = "SUCCEEDED", **scope: Unpack[ScopeArgs]) -> None:
        with self.lock:
            self.expire()
            self._advance(self._resources[self.key(run, **scope), ROOT], phase, self.now())

    def fail(self, run: str, action: str, **scope: Unpack[ScopeArgs]) -> None:
        """Fail a condition. On a release that records no ends, it stays PAUSED."""
        with self.lock:
            self.expire()
            resource = self._resources[self.key(run, **scope), action]
            self._complete(resource, "FAILED", self.now())

    def collect(self, run: str, action: str, **scope: Unpack[ScopeArgs]) -> None:
        """Delete the action from the cluster, as happens some time after its end.

        Its end is reported again, so that a release that records ends does so for an end under
        an older release. An action that has not ended is aborted.
        """
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            resource = self._delete_resource(key, action)
            if resource is not None and self._runs[key].actions[action].phase not in TERMINAL:
                phase = resource.end if resource.signal is None else "SUCCEEDED"
                self._advance(resource, phase, self.now())

    def action(self, run: str, action: str, **scope: Unpack[ScopeArgs]) -> Action:
        """Return the current record of an action; raise KeyError if there is none."""
        with self.lock:
            self.expire()
            return self._runs[self.key(run, **scope)].actions[action]

    def signal_directly(
        self, run: str, action: str, payload: Payload, *, by: str = "", **scope: Unpack[ScopeArgs]
    ) -> None:
        """Signal as another client; raise the `StatusError` with which the service responds."""
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            found = self._find(key, action)
            self.signal(key, action, found.parent if found else ROOT, payload, by)

    def abort_directly(
        self, run: str, action: str, reason: str = "", **scope: Unpack[ScopeArgs]
    ) -> None:
        """Abort as another client; raise the `StatusError` with which the service responds."""
        with self.lock:
            self.expire()
            self.abort(self.key(run, **scope), action, reason)

    def details(self, key: RunKey, action: str) -> Action:
        with self.lock:
            if "\0" in "".join((*key, action)):
                raise no_nul("action not found: failed to get action", "NOT_FOUND")
            found = self._find(key, action)
            if found is None:
                raise StatusError("NOT_FOUND", "action not found: action not found")
            return found

    def root(self, key: RunKey) -> Action:
        with self.lock:
            if "\0" in "".join(key):
                raise no_nul("failed to get run", "NOT_FOUND")
            found = self._find(key, ROOT)
            if found is None:
                path = f"{key.project}/{key.domain}/{key.name}"
                raise StatusError("NOT_FOUND", f"run not found: {path}")
            return found

    def list_actions(self, key: RunKey, query: ListQuery) -> tuple[list[Action], str]:
        """Return a page of a run's actions, and the token of the next page."""
        with self.lock:
            predicates = compile_filters(query, key[1:])
            run = self._runs.get(key)
            if run is None:
                return [], ""
            ids = run.ids(query.sort)
            if not predicates:
                ids = ids[query.offset : query.offset + query.limit + 1]
                return _cut([run.actions[action] for action in ids], query)
            return _cut(page(map(run.actions.__getitem__, ids), query, predicates), query)

    def list_runs(
        self, org: str, project: tuple[str, str] | None, paused_only: bool, query: ListQuery
    ) -> tuple[list[Action], str]:
        """Return a page of runs as their root actions; `project` is an id and a domain."""
        with self.lock:
            only_paused = paused_only and self.release.paused_runs
            scope = (*(project or ()), *((PHASES["PAUSED"],) if only_paused else ()))
            predicates = compile_filters(query, scope)
            roots = [
                run.actions[ROOT]
                for key, run in self._runs.items()
                if (project is None or (key.project, key.domain) == project)
                and (not self.release.hosted or key.org == org)
                and (run.paused or not only_paused)
            ]
            return _cut(page(order_by(roots, query.sort), query, predicates), query)

    def signal(
        self, key: RunKey, action: str, parent: str, payload: Payload | None, by: str
    ) -> None:
        with self.lock:
            if payload is None:
                message = "signal value must be a concrete bool/int/float/str literal"
                raise StatusError("INVALID_ARGUMENT", message)
            resource = self._signalled(key, action, parent)
            if resource.expected_type is None:
                raise StatusError(
                    "FAILED_PRECONDITION", f"action {resource.name} is not a condition"
                )
            if resource.signal is not None:
                if same(resource.signal, payload):
                    return
                message = f"condition {resource.name} already signalled with a different value"
                raise StatusError("FAILED_PRECONDITION", message)
            if resource.completed:
                message = f"condition {resource.name} already completed"
                raise StatusError("FAILED_PRECONDITION", message)
            kind, declared = KINDS[type(payload).__name__], KINDS[resource.expected_type]
            if kind != declared:
                does = f"does not match declared condition type {declared}"
                raise StatusError("INVALID_ARGUMENT", f"signal value type {kind} {does}")
            resource.signal = payload
            self._record_signal(resource, payload, by)

    def abort(self, key: RunKey, action: str, reason: str) -> None:
        """Abort an action in any phase; an answered one loses its payload."""
        with self.lock:
            if "\0" in "".join((*key, action, reason)):
                raise no_nul("failed to abort action")
            found = self._find(key, action)
            if found is None:
                raise StatusError("NOT_FOUND", f"action not found: {action}")
            now = self.now()
            aborted = replace(
                found,
                phase="ABORTED",
                updated_at=now,
                ended_at=found.ended_at or max(now, found.created_at),
                abort_reason=reason or "User requested abort",
            )
            self._runs[key].put(aborted)
            self._delete_resource(key, action)
            for _ in ("the abort", "the end as the cluster reports it"):
                self._notify(aborted)

    def _signalled(self, key: RunKey, action: str, parent: str) -> ClusterResource:
        """Return the resource of a signal: its name in the cluster contains only run and id."""
        name = f"{key.name}-{action}"
        found = self._resources.get((key, action))
        if found is None and not self.release.hosted:
            found = self._named.get(name)
        if found is None or (self.release.hosted and found.parent != parent):
            raise StatusError("NOT_FOUND", f"condition action {name} not found")
        return found


def _cut(found: list[Action], query: ListQuery) -> tuple[list[Action], str]:
    """Return the rows without the one that shows that more follow, and the next token."""
    if len(found) <= query.limit:
        return found, ""
    return found[: query.limit], str(query.offset + query.limit)
