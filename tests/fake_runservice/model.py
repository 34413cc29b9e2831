"""The run service without its wire: runs ask, clients answer, time passes.

Facts: Flyte 2's `runs/service`, `runs/repository`, `actions/k8s` and `executor`, and what its
releases 2.0.28, 2.0.42 and 2.0.43 answered when they were asked.
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
    Condition,
    Payload,
    Refusal,
    Resource,
    RunKey,
    same,
)
from tests.fake_runservice.listing import Query, compiled, no_nul, order_by, page
from tests.fake_runservice.records import Records


class Scope(TypedDict, total=False):
    """Where a run is: local/local where nothing else is said."""

    org: str
    project: str
    domain: str


class Model(Records):
    """What runs do, and what clients may ask of them.

    Methods that take a RunKey are the service's, and leave `expire` to it.
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
        **scope: Unpack[Scope],
    ) -> str:
        """Make a condition, and give its id; `queued` leaves its reconciliation to the caller."""
        if expected_type not in KINDS:
            raise ValueError(f"no event takes a {expected_type}")
        condition = Condition(expected_type, prompt, description, markdown, expires_in)
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            made = self._make(key, action, name, condition, parent=parent, group=group)
            if not queued:
                self._pause(self._resources[key, made.id])
            return made.id

    def task(
        self,
        run: str,
        function_name: str,
        *,
        action: str | None = None,
        parent: str = ROOT,
        phase: str = "RUNNING",
        **scope: Unpack[Scope],
    ) -> str:
        """Make a task, and give its id."""
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            return self._make(key, action, function_name, None, parent=parent, phase=phase).id

    def reconcile(self, run: str, action: str, **scope: Unpack[Scope]) -> None:
        """Pause a condition that was left queued; its creation moves back to the whole second."""
        with self.lock:
            self.expire()
            self._pause(self._resources[self.key(run, **scope), action])

    def finish_run(self, run: str, phase: str = "SUCCEEDED", **scope: Unpack[Scope]) -> None:
        with self.lock:
            self.expire()
            self._advance(self._resources[self.key(run, **scope), ROOT], phase, self.now())

    def fail(self, run: str, action: str, **scope: Unpack[Scope]) -> None:
        """Let a condition fail. A release that does not tell of ends leaves it PAUSED."""
        with self.lock:
            self.expire()
            resource = self._resources[self.key(run, **scope), action]
            self._complete(resource, "FAILED", self.now())

    def collect(self, run: str, action: str, **scope: Unpack[Scope]) -> None:
        """Take the action out of the cluster, as happens a while after its end.

        Its end is reported once more, so that a release that records ends makes up for one that
        did not; what had not ended is aborted.
        """
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            resource = self._forget(key, action)
            if resource is not None and self._runs[key].actions[action].phase not in TERMINAL:
                phase = resource.end if resource.signal is None else "SUCCEEDED"
                self._advance(resource, phase, self.now())

    def action(self, run: str, action: str, **scope: Unpack[Scope]) -> Action:
        """Give the record of an action as it is now; KeyError where there is none."""
        with self.lock:
            self.expire()
            return self._runs[self.key(run, **scope)].actions[action]

    def signal_directly(
        self, run: str, action: str, payload: Payload, *, by: str = "", **scope: Unpack[Scope]
    ) -> None:
        """Answer as another client would; raise `Refusal` where the service would refuse."""
        with self.lock:
            self.expire()
            key = self.key(run, **scope)
            known = self._find(key, action)
            self.signal(key, action, known.parent if known else ROOT, payload, by)

    def abort_directly(
        self, run: str, action: str, reason: str = "", **scope: Unpack[Scope]
    ) -> None:
        """Abort as another client would; raise `Refusal` where the service would refuse."""
        with self.lock:
            self.expire()
            self.abort(self.key(run, **scope), action, reason)

    def details(self, key: RunKey, action: str) -> Action:
        with self.lock:
            if "\0" in "".join((*key, action)):
                raise no_nul("action not found: failed to get action", "NOT_FOUND")
            found = self._find(key, action)
            if found is None:
                raise Refusal("NOT_FOUND", "action not found: action not found")
            return found

    def root(self, key: RunKey) -> Action:
        with self.lock:
            if "\0" in "".join(key):
                raise no_nul("failed to get run", "NOT_FOUND")
            found = self._find(key, ROOT)
            if found is None:
                where = f"{key.project}/{key.domain}/{key.name}"
                raise Refusal("NOT_FOUND", f"run not found: {where}")
            return found

    def list_actions(self, key: RunKey, query: Query) -> tuple[list[Action], str]:
        """Give a page of a run's actions, and the token of the next."""
        with self.lock:
            tests = compiled(query, key[1:])
            run = self._runs.get(key)
            if run is None:
                return [], ""
            ids = run.ids(query.sort)
            if not tests:
                ids = ids[query.offset : query.offset + query.limit + 1]
                return _cut([run.actions[one] for one in ids], query)
            return _cut(page(map(run.actions.__getitem__, ids), query, tests), query)

    def list_runs(
        self, org: str, project: tuple[str, str] | None, paused_only: bool, query: Query
    ) -> tuple[list[Action], str]:
        """Give a page of runs by their root actions; a project is its id and its domain."""
        with self.lock:
            only_paused = paused_only and self.release.paused_runs
            scope = (*(project or ()), *((PHASES["PAUSED"],) if only_paused else ()))
            tests = compiled(query, scope)
            roots = [
                run.actions[ROOT]
                for key, run in self._runs.items()
                if (project is None or (key.project, key.domain) == project)
                and (not self.release.hosted or key.org == org)
                and (run.paused or not only_paused)
            ]
            return _cut(page(order_by(roots, query.sort), query, tests), query)

    def signal(
        self, key: RunKey, action: str, parent: str, payload: Payload | None, by: str
    ) -> None:
        with self.lock:
            if payload is None:
                words = "signal value must be a concrete bool/int/float/str literal"
                raise Refusal("INVALID_ARGUMENT", words)
            resource = self._signalled(key, action, parent)
            if resource.expected_type is None:
                raise Refusal("FAILED_PRECONDITION", f"action {resource.name} is not a condition")
            if resource.signal is not None:
                if same(resource.signal, payload):
                    return
                words = f"condition {resource.name} already signalled with a different value"
                raise Refusal("FAILED_PRECONDITION", words)
            if resource.completed:
                words = f"condition {resource.name} already completed"
                raise Refusal("FAILED_PRECONDITION", words)
            kind, declared = KINDS[type(payload).__name__], KINDS[resource.expected_type]
            if kind != declared:
                does = f"does not match declared condition type {declared}"
                raise Refusal("INVALID_ARGUMENT", f"signal value type {kind} {does}")
            resource.signal = payload
            self._record_signal(resource, payload, by)

    def abort(self, key: RunKey, action: str, reason: str) -> None:
        """Abort whatever the phase: what was answered loses its answer."""
        with self.lock:
            if "\0" in "".join((*key, action, reason)):
                raise no_nul("failed to abort action")
            found = self._find(key, action)
            if found is None:
                raise Refusal("NOT_FOUND", f"action not found: {action}")
            now = self.now()
            aborted = replace(
                found,
                phase="ABORTED",
                updated_at=now,
                ended_at=found.ended_at or max(now, found.created_at),
                abort_reason=reason or "User requested abort",
            )
            self._runs[key].put(aborted)
            self._forget(key, action)
            for _ in ("the abort", "the end that the cluster reports"):
                self._tell(aborted)

    def _signalled(self, key: RunKey, action: str, parent: str) -> Resource:
        """Find what a signal acts upon: its name in the cluster holds run and id alone."""
        name = f"{key.name}-{action}"
        found = self._resources.get((key, action))
        if found is None and not self.release.hosted:
            found = self._named.get(name)
        if found is None or (self.release.hosted and found.parent != parent):
            raise Refusal("NOT_FOUND", f"condition action {name} not found")
        return found


def _cut(found: list[Action], query: Query) -> tuple[list[Action], str]:
    """Take the row off that only told that more follow."""
    if len(found) <= query.limit:
        return found, ""
    return found[: query.limit], str(query.offset + query.limit)
