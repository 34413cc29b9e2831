"""Which backend answers a request that names a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from flyte_sidecar._futures import resolve
from flyte_sidecar.backends.local import LocalBackend
from flyte_sidecar.errors import (
    AlreadyCompleted,
    BackendUnavailable,
    CursorExpired,
    EventNotFound,
    StoreBusy,
    StoreUnavailable,
    Unauthenticated,
)
from flyte_sidecar.events.await_creation import CreationWaits
from flyte_sidecar.events.bulk import BulkWrite
from flyte_sidecar.events.coalescing import CoalescingQueue
from flyte_sidecar.events.model import ANY_SCOPE, Event, NewEvent, Query, Run, Scope, Target
from flyte_sidecar.events.service import EventService
from flyte_sidecar.events.watch_feed import WatchFeed, WatchSelector
from tests.backends.flyte.scenarios import until
from tests.backends.merged.conftest import DOWN, FAST, HERE, THERE, MergedHarness
from tests.contract.harness import BackendClient, settle
from tests.lsp.events import make_event

BROKEN = StoreUnavailable("not a store", reason="not_a_store")


async def ask(client: BackendClient, scope: Scope, name: str = "q", run: str = "r") -> Event:
    return await client.ask(scope.run(run), name)


async def get(service: EventService, name: str = "q", run: str = "r", **scope: Any) -> Event | None:
    return await resolve(service.get(Target(service.run(run, **scope), name=name)))


@pytest.mark.parametrize(
    ("scope", "completed"),
    [
        ({}, ANY_SCOPE),
        ({"org": "", "project": "", "domain": ""}, ANY_SCOPE),
        ({"project": "local", "domain": "local"}, HERE),
        ({"project": "local"}, HERE),
        ({"domain": "local"}, HERE),
        ({"project": "local", "domain": "d"}, Scope("o", "local", "d")),
        ({"org": "o", "project": "local", "domain": "local"}, Scope("o", "local", "local")),
        ({"org": "other"}, Scope("other", "p", "d")),
        ({"project": "q"}, Scope("o", "q", "d")),
        ({"domain": "e"}, Scope("o", "p", "e")),
        ({"project": "p", "domain": "d"}, THERE),
    ],
)
async def test_a_scope_names_the_store_or_is_completed_with_the_defaults_of_the_deployment(
    service: EventService, scope: dict[str, str], completed: Scope
) -> None:
    given = (scope.get("org"), scope.get("project"), scope.get("domain"))
    assert service.scope(*given) == completed
    assert service.run("r", *given) == completed.run("r")


async def test_a_run_without_a_scope_is_that_of_the_store_if_it_has_one(
    client: BackendClient, service: EventService
) -> None:
    there = await ask(client, THERE)
    assert await get(service) == there
    assert await get(service, project="local") is None
    here = await ask(client, HERE, "other")
    assert await get(service) is None
    assert await get(service, "other") == here
    assert await get(service, project="p") == there
    assert await get(service, run="unknown") is None
    page = await resolve(service.page(Query(run=service.run("r"), details=True)))
    assert page.events == [here]


async def test_events_are_created_in_the_store(service: EventService, both: MergedHarness) -> None:
    for scope in ({}, {"project": "local"}):
        new = NewEvent(run=service.run("r", **scope), name=f"q{len(scope)}")
        created = await service.create(service.write(Target(new.run, name=new.name)), new)
        assert created.run == HERE.run("r")
    assert await resolve(both.local.find(Target(HERE.run("r"), name="q0"))) is not None
    new = NewEvent(run=service.run("r", project="q"), name="q")
    created = await service.create(service.write(Target(new.run, name=new.name)), new)
    assert created.run == Scope("o", "q", "d").run("r")  # a deployment would refuse
    assert await resolve(both.flyte.find(Target(created.run, name="q"))) == created


@pytest.mark.parametrize("scope", [HERE, THERE])
async def test_writes_and_waits_reach_the_backend_that_has_the_event(
    client: BackendClient, service: EventService, scope: Scope
) -> None:
    for name in ("signalled", "aborted"):
        await ask(client, scope, name)
    any_run = service.run("r")
    waiting = asyncio.ensure_future(
        resolve(service.wait(Target(any_run, name="signalled")))  # type: ignore[arg-type]
    )
    await settle()
    signalled = await service.signal(service.write(Target(any_run, name="signalled")), True)
    aborted = await service.abort(service.write(Target(any_run, name="aborted")), "why")
    assert await asyncio.wait_for(waiting, 60) == signalled
    assert (signalled.run.scope, aborted.run.scope) == (scope, scope)
    assert (signalled.payload, aborted.abort_reason) == (True, "why")
    assert await service.backend.parent_task(signalled) is None
    with pytest.raises(AlreadyCompleted):
        await service.signal(service.write(Target(scope.run("r"), name="aborted")), True)


async def test_the_writes_to_a_run_keep_their_order_with_and_without_its_scope(
    service: EventService,
) -> None:
    for scope in (HERE, THERE):
        name = scope.run("r")
        assert service.backend.order_key(name) == service.backend.order_key(ANY_SCOPE.run("r"))
    assert service.backend.order_key(Run("o", "q", "d", "r")) == Run("o", "q", "d", "r")
    new = NewEvent(run=service.run("r"), name="q")
    creating = asyncio.ensure_future(
        service.create(service.write(Target(new.run, name="q", parent="a0")), new)
    )
    # Each was sent before the response to the one before.
    signalling = asyncio.ensure_future(
        service.signal(service.write(Target(HERE.run("r"), name="q")), True)
    )
    read = await resolve(service.get(Target(service.run("r"), name="q")))
    assert read == await signalling
    assert (await creating).pending
    assert not (await signalling).pending


async def test_with_a_broken_store_the_runs_of_the_deployment_can_be_used(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    there = await ask(client, THERE)
    both.local.switch(BROKEN)
    assert await get(service) == there
    page = await resolve(service.page(Query(run=service.run("r"), details=True)))
    assert page.events == [there]
    assert (await service.signal(service.write(Target(service.run("r"), name="q")), True)).payload
    unknown = service.run("unknown")
    with pytest.raises(StoreUnavailable):  # it may have the run
        await get(service, run="unknown")
    with pytest.raises(StoreUnavailable):
        await resolve(service.page(Query(run=unknown)))
    with pytest.raises(StoreUnavailable):
        await service.signal(service.write(Target(unknown, name="q")), True)


async def test_with_an_unavailable_deployment_the_runs_of_the_store_can_be_used(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    here = await ask(client, HERE)
    both.flyte.switch(DOWN)
    assert await get(service) == here
    assert (await service.signal(service.write(Target(service.run("r"), name="q")), True)).payload
    with pytest.raises(BackendUnavailable):
        await get(service, run="unknown")


async def test_the_backends_are_healthy_together(both: MergedHarness) -> None:
    assert await both.merged.healthy()
    both.flyte.switch(DOWN)
    assert not await both.merged.healthy()
    both.flyte.switch(None)
    both.local.switch(BROKEN)
    assert not await both.merged.healthy()


async def test_both_backends_settle_and_close(both: MergedHarness) -> None:
    calls: list[tuple[str, str]] = []
    for backend in (both.local, both.flyte):
        for name in ("settle", "close"):

            async def call(kind: str = backend.kind, name: str = name) -> None:
                calls.append((kind, name))

            setattr(backend, name, call)
    await both.merged.settle()
    assert sorted(calls) == [("flyte", "settle"), ("local", "settle")]
    await both.merged.close()
    assert sorted(calls[2:]) == [("flyte", "close"), ("local", "close")]
    for backend in (both.local, both.flyte):
        await LocalBackend.close(backend)


@pytest.mark.parametrize("timing", [FAST])
async def test_a_locked_store_delays_the_runs_of_the_deployment_no_longer_than_the_timeout(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    there = await ask(client, THERE)
    both.local.switch(None, hangs=True)
    assert await asyncio.wait_for(get(service), 60) == there  # type: ignore[arg-type]
    with pytest.raises(StoreBusy):
        await get(service, run="unknown")
    watch = CoalescingQueue(WatchSelector(scope=ANY_SCOPE, run_name="r"))
    watching = asyncio.ensure_future(service.watch(watch))
    await until(lambda: both.flyte.opened == 1)
    watching.cancel()
    await asyncio.wait([watching])


async def test_no_event_is_read_to_find_the_backend_of_a_run(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    await ask(client, THERE)
    both.local.page = both.local.find = None  # type: ignore[method-assign, assignment]
    assert await get(service) is not None


async def test_a_cursor_of_a_store_that_is_busy_does_not_expire(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    for name in ("a", "b"):
        await ask(client, HERE, name)
    await ask(client, THERE, "c")
    query = Query(run=service.run("r"), limit=1)
    first = await resolve(service.page(query))
    both.local.switch(StoreBusy("locked"))
    later = replace(query, cursor=first.next_cursor)
    with pytest.raises(StoreBusy):
        await resolve(service.page(later))
    both.local.switch(None)
    assert [event.name for event in (await resolve(service.page(later))).events] == ["b"]
    with pytest.raises(CursorExpired):
        await resolve(service.page(replace(query, cursor="of another listing")))


# Waits for events that do not exist yet.


@pytest.mark.parametrize("scope", [HERE, THERE])
async def test_an_event_of_an_unknown_run_is_awaited_in_both_backends(
    client: BackendClient, service: EventService, both: MergedHarness, scope: Scope
) -> None:
    target = Target(service.run("r"), name="q")
    waiting = [
        asyncio.ensure_future(resolve(service.wait(target, await_creation=True)))  # type: ignore[arg-type]
        for _ in range(3)
    ]
    await both.watched(2)
    await ask(client, scope, "other")
    await client.answer(await ask(client, scope, "q"))
    for one in waiting:
        assert (await asyncio.wait_for(one, 60)).run == scope.run("r")


@pytest.mark.parametrize(("scope", "lost"), [(HERE, "flyte"), (THERE, "local")])
async def test_an_event_is_awaited_although_a_backend_is_unavailable(
    client: BackendClient, service: EventService, both: MergedHarness, scope: Scope, lost: str
) -> None:
    getattr(both, lost).switch(DOWN if lost == "flyte" else BROKEN)
    target = Target(service.run("r"), name="q")
    waiting = asyncio.ensure_future(
        resolve(service.wait(target, await_creation=True))  # type: ignore[arg-type]
    )
    await both.watched(2)
    event = await ask(client, scope)
    await client.answer(event)
    assert (await asyncio.wait_for(waiting, 60)).run == scope.run("r")


async def test_a_wait_ends_with_the_error_once_no_backend_can_be_followed(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    rejected = Unauthenticated("log in")
    target = Target(service.run("r"), name="q")
    both.local.switch(BROKEN)
    both.flyte.switch(DOWN)
    waiting = asyncio.ensure_future(
        resolve(service.wait(target, await_creation=True))  # type: ignore[arg-type]
    )
    await until(lambda: both.flyte.checks > 1)
    await settle()
    assert not waiting.done()  # the deployment may be reachable later
    both.flyte.switch(None)
    await both.watched(3)
    both.flyte.switch(rejected)
    with pytest.raises(Unauthenticated) as raised:
        await asyncio.wait_for(waiting, 60)
    assert raised.value is rejected


async def test_a_wait_goes_on_while_one_backend_can_be_followed(
    client: BackendClient, service: EventService, both: MergedHarness
) -> None:
    both.flyte.switch(Unauthenticated("log in"))
    target = Target(service.run("r"), name="q")
    waiting = asyncio.ensure_future(
        resolve(service.wait(target, await_creation=True))  # type: ignore[arg-type]
    )
    await until(lambda: both.flyte.checks > 1)
    await client.answer(await ask(client, HERE))
    assert (await asyncio.wait_for(waiting, 60)).run == HERE.run("r")


async def test_a_wait_for_an_event_of_a_run_without_it_is_an_error(
    client: BackendClient, service: EventService
) -> None:
    await ask(client, HERE)
    with pytest.raises(EventNotFound):
        await resolve(service.wait(Target(service.run("r"), name="other")))


async def test_a_wait_that_begins_when_the_run_is_found_finds_it_too() -> None:
    created = asyncio.Event()
    event = make_event("q", run_name="r")

    class Backend:
        async def watch(self, feed: WatchFeed) -> None:
            await created.wait()
            feed.put(event)
            await asyncio.get_running_loop().create_future()

        def choices(self, target: Target) -> list[Event]:
            assert target == Target(event.run, name="q")
            return [event]

    waits = CreationWaits(Backend())  # type: ignore[arg-type]  # only what it needs
    target = Target(ANY_SCOPE.run("r"), name="q")
    first = asyncio.ensure_future(waits.wait_for_choices(target))
    await settle()
    created.set()
    second = asyncio.ensure_future(waits.wait_for_choices(target))
    for wait in (first, second):
        assert await asyncio.wait_for(wait, 60) == [event]


async def test_each_of_several_events_is_written_in_the_backend_of_its_scope(
    client: BackendClient, both: MergedHarness
) -> None:
    here, there = await ask(client, HERE), await ask(client, THERE, "other")
    unscoped = await ask(client, THERE, "third", run="elsewhere")
    targets = [
        Target(here.run, action_name=here.action_name),
        Target(there.run, action_name=there.action_name),
        Target(client.service.run("elsewhere"), action_name=unscoped.action_name),
    ]
    results = await BulkWrite(client.service, targets).signal(True)
    events = [result.event for result in results.results]
    assert [event and (event.run, event.payload) for event in events] == [
        (event.run, True) for event in (here, there, unscoped)
    ]


async def test_a_backend_that_is_down_does_not_delay_the_events_of_the_other(
    client: BackendClient, both: MergedHarness
) -> None:
    here, there = await ask(client, HERE), await ask(client, THERE)
    both.flyte.switch(None, hangs=True)
    seen: list[Target] = []
    targets = [Target(event.run, action_name=event.action_name) for event in (there, here)]
    bulk = BulkWrite(client.service, targets, lambda target, _: seen.append(target))
    writing = asyncio.ensure_future(bulk.signal(True))
    await until(lambda: seen == [targets[1]])
    both.flyte.switch(DOWN)
    results = await writing
    assert [result.error and result.error.kind for result in results.results] == [DOWN.kind, None]
