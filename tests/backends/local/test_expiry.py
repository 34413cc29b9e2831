"""Writes that are the first to detect an expiry."""

from __future__ import annotations

from pathlib import Path

import pytest

from flyte_sidecar.backends.local import rows
from flyte_sidecar.errors import AlreadyCompleted, EventExists
from flyte_sidecar.events.model import TIMED_OUT, Event
from tests.backends.local.conftest import Stores, get, make


async def expired(opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch) -> Event:
    """Create an event, and let it expire without a read that would record the expiry."""
    event = await make(opened(store), expires_in=3600)
    real = rows.now
    monkeypatch.setattr(rows, "now", lambda: real() + 7200 * 1_000_000)
    return event


@pytest.mark.parametrize("write", ["signal", "abort"])
async def test_a_write_to_an_expired_event_is_too_late(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    event = await expired(opened, store, monkeypatch)
    backend = opened(store)
    with pytest.raises(AlreadyCompleted) as refused:
        await (backend.signal(event, True) if write == "signal" else backend.abort(event, "late"))
    reported = refused.value.data["event"]
    assert (reported.phase, reported.ended_at) == (TIMED_OUT, event.expires_at)
    assert (reported.payload, reported.abort_reason) == (None, None)
    assert await get(backend) == reported


async def test_the_name_of_an_expired_event_stays_in_use(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = await expired(opened, store, monkeypatch)
    with pytest.raises(EventExists) as refused:
        await make(opened(store))
    reported = refused.value.data["event"]
    assert (reported.action_name, reported.phase, reported.pending) == (
        event.action_name,
        TIMED_OUT,
        False,
    )


async def test_every_write_records_expired_events(
    opened: Stores, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = opened(store)
    others = [await make(backend, name) for name in ("a", "b")]
    for number, write in enumerate(
        (
            lambda: make(backend, "c"),
            lambda: backend.signal(others[0], True),
            lambda: backend.abort(others[1], None),
        )
    ):
        late = await make(backend, f"late{number}", expires_in=1.0)
        monkeypatch.setattr(rows, "now", lambda now=rows.now: now() + 2_000_000)
        await write()
        assert backend._reader is not None
        assert backend._reader.next_expiry() is None
        found = await get(backend, late.name)
        assert found is not None
        assert (found.phase, found.ended_at) == (TIMED_OUT, late.expires_at)
