"""What a person reads of events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from flyte_sidecar.errors import BackendUnavailable, InvalidParams
from flyte_sidecar.events.live.backend_state import BackendState
from flyte_sidecar.events.model import Event, without_details
from flyte_sidecar.lsp import texts
from flyte_sidecar.lsp.history import RecentEvents
from tests.lsp.events import DAY, make_event
from tests.lsp.test_sanitize import assert_harmless, with_urls

ZONE = timezone(timedelta(hours=2))
NOW = datetime(2026, 3, 14, 16, 30, tzinfo=ZONE)
READY = BackendState("ready")
NOTHING = RecentEvents()


class Declared(Struct):
    expected_type: Any = None
    prompt: str | None = None
    prompt_type: Any = None
    description: str | None = None


def ended(name: str, phase: str = "SUCCEEDED", **members: Any) -> Event:
    at = {"ended_at": DAY + timedelta(hours=1)}
    return make_event(name, pending=False, phase=phase, **{**at, **members})


def hover(pending: list[Event], recent: RecentEvents = NOTHING, **more: Any) -> str:
    options: dict[str, Any] = {"declared": None, "state": READY, **more}
    declared = options.pop("declared")
    return texts.hover("deploy", declared, pending, recent, NOW, **options)


@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ([DAY], "1 waiting · since 14:00"),
        ([DAY + timedelta(minutes=5), DAY], "2 waiting · since 14:00"),
        ([DAY - timedelta(hours=15)], "1 waiting · since 2026-03-13 23:00"),
        ([DAY - timedelta(hours=14)], "1 waiting · since 00:00"),
        ([None], "1 waiting"),
        ([None, DAY], "2 waiting · since 14:00"),
    ],
)
def test_a_lens_tells_since_when_runs_wait_in_the_local_time(
    created: list[datetime | None], expected: str
) -> None:
    events = [make_event("deploy", created_at=instant) for instant in created]
    assert texts.waiting(events, NOW, READY) == expected


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        ("connecting", "1 waiting · since 14:00"),
        ("disconnected", "1 waiting · since 14:00 · disconnected"),
        ("failed", "1 waiting · since 14:00 · disconnected"),
    ],
)
def test_a_lens_shows_that_the_backend_is_unreachable(phase: Any, expected: str) -> None:
    assert texts.waiting([make_event("deploy")], NOW, BackendState(phase)) == expected


@pytest.mark.parametrize(
    ("name", "run", "expected"),
    [
        ("approve", None, "Approve"),
        ("reject", "r1", "Reject r1"),
        ("signal", None, "Answer…"),
        ("signal", "r1\u202e\n", "Answer r1\\u202e…"),
    ],
)
def test_an_action_names_the_run_only_if_several_wait(
    name: Any, run: str | None, expected: str
) -> None:
    assert texts.action(name, run) == expected


@pytest.mark.parametrize(
    ("backend_id", "expected"),
    [
        ("local:/a/b.db", "Events now come from the embedded store /a/b.db (settings)."),
        ("flyte:h:80", "Events now come from Flyte at h:80 (settings)."),
        (
            "all:h:80 and /a/b.db",
            "Events now come from Flyte and the embedded store at h:80 and /a/b.db (settings).",
        ),
    ],
)
def test_a_backend_that_the_settings_select_is_named(backend_id: str, expected: str) -> None:
    assert texts.selected_backend(backend_id) == expected


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (make_event("q"), "waiting since 14:00"),
        (make_event("q", created_at=None), "waiting"),
        (
            make_event("q", expires_at=DAY + timedelta(hours=5)),
            "waiting since 14:00, expires 19:00",
        ),
        (
            make_event("q", expires_at=DAY + timedelta(days=1)),
            "waiting since 14:00, expires 2026-03-15 14:00",
        ),
        (ended("q", payload=True, signalled_by="ada"), "approved by ada at 15:00"),
        (ended("q", payload=False), "rejected at 15:00"),
        (ended("q", payload=7), "answered with 7 at 15:00"),
        (ended("q", payload=-(2**60)), "answered with -1152921504606846976 at 15:00"),
        (ended("q", payload=2.0), "answered with 2.0 at 15:00"),
        (ended("q", payload=float("inf")), "answered with Infinity at 15:00"),
        (ended("q", payload='a "b"\nc'), 'answered with "a \\"b\\"\\nc" at 15:00'),
        (ended("q", payload="x" * 500), f'answered with "{"x" * 78}… at 15:00'),
        (ended("q", payload=None), "answered at 15:00"),
        (ended("q", "ABORTED", abort_reason="too\nlate"), "aborted at 15:00: too late"),
        (ended("q", "ABORTED", ended_at=None), "aborted"),
        (ended("q", "TIMED_OUT"), "timed out at 15:00"),
        (ended("q", "UNKNOWN_12"), "ended at 15:00: UNKNOWN_12"),
    ],
)
def test_the_status_of_an_event_tells_who_did_what_and_when(event: Event, expected: str) -> None:
    assert texts.status(event, NOW) == expected


def test_a_hover_shows_the_prompt_the_type_and_the_runs() -> None:
    url = "https://console.example/r1"
    first = make_event("deploy", prompt="# Deploy?\nSee *log*", prompt_type="markdown", url=url)
    earlier = ended("deploy", run_name="r0", payload=True, signalled_by="a*b", created_at=DAY)
    recent = RecentEvents((earlier,), {first.run: "RUNNING", earlier.run: "TIMED_OUT"})
    assert hover([replace(first, description="<b>")], recent) == (
        "**`deploy`** (bool, 1 waiting)\n\n"
        "> # Deploy?\n>\n> See *log*\n\n"
        "> \\<b>\n\n"
        f"- [`r1`](<{url}>) (running): waiting since 14:00\n\n"
        "- `r0` (timed out): approved by a\\*b at 15:00"
    )


def test_a_hover_in_plain_text_contains_no_markup() -> None:
    first = make_event("deploy", prompt="# Deploy?\n\tnow\x1b", prompt_type="markdown", url="u")
    recent = RecentEvents((ended("deploy", run_name="r_0", payload="a*b"),), complete=False)
    assert hover([first], recent, markdown=False) == (
        "deploy (bool, 1 waiting)\n\n"
        "    # Deploy?\n        now\\x1b\n\n"
        "- r1: waiting since 14:00\n\n"
        '- r_0: answered with "a*b" at 15:00\n\n'
        "Some earlier events are not read yet."
    )


def test_a_hover_without_events_shows_what_is_declared() -> None:
    declared = Declared("int", "How *many*?", "text", "Of *them*.")
    assert hover([], declared=declared) == (
        "**`deploy`** (int)\n\n> How \\*many\\*?\n\n> Of \\*them\\*."
    )


def test_a_hover_over_an_unknown_name_shows_only_the_name() -> None:
    assert hover([]) == "**`deploy`** (unknown type)"


def test_a_hover_names_the_run_of_the_prompt_if_runs_ask_differently() -> None:
    one = make_event("deploy", run_name="r1", prompt="One?")
    two = make_event("deploy", run_name="r2", prompt="Two?")
    assert "`r2` asks:\n\n> Two?\n\n" in hover([one, two])
    assert "asks:" not in hover([one, replace(two, prompt="One?")])


def test_a_hover_ignores_events_of_the_history_that_wait() -> None:
    assert "r9" not in hover([], RecentEvents((make_event("deploy", run_name="r9"),)))


def test_a_hover_completes_an_event_that_is_kept_without_its_prompt() -> None:
    event = make_event("deploy", prompt="Now?")
    shown = hover([without_details(event)], RecentEvents((event,)))
    assert shown == "**`deploy`** (bool, 1 waiting)\n\n> Now?\n\n- `r1`: waiting since 14:00"


def test_a_hover_lists_a_limited_number_of_events() -> None:
    pending = [make_event("deploy", run_name=f"r{place}") for place in range(12)]
    shown = hover(pending)
    assert "12 waiting" in shown
    assert shown.count("waiting since") == 10
    assert shown.endswith("- `r2`: waiting since 14:00\n- and 2 more")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (
            {"recent": RecentEvents(complete=False, error=BackendUnavailable("_down_"))},
            "Earlier events cannot be read: \\_down\\_",
        ),
        (
            {"state": BackendState("disconnected", BackendUnavailable("down"))},
            "This may be out of date: disconnected: down",
        ),
        ({"state": BackendState("connecting")}, "This may be out of date: connecting"),
    ],
)
def test_a_hover_tells_what_is_missing(more: dict[str, Any], expected: str) -> None:
    assert hover([], **more).endswith(f"\n\n{expected}")


def test_a_document_shows_one_event() -> None:
    url = "https://console.example/r1"
    event = make_event("deploy", prompt="*Deploy*?", prompt_type="markdown", url=url)
    assert texts.document(event, NOW) == (
        "# `deploy`\n\n> *Deploy*?\n\n"
        "- Run: r1\n- Status: waiting since 14:00\n- Type: bool\n- Project: local / local\n"
        f"- Event: e-deploy\n- Page: <{url}>\n"
    )


@given(
    st.tuples(*[with_urls] * 8),
    st.sampled_from(["text", "markdown"]),
    st.sampled_from(["SUCCEEDED", "ABORTED", "PAUSED", "X"]),
)
def test_no_text_of_other_people_is_active_in_a_hover_or_document(
    words: tuple[str, ...], prompt_type: Any, phase: str
) -> None:
    event = make_event(
        words[0],
        run_name=words[1],
        prompt=words[2],
        prompt_type=prompt_type,
        description=words[3],
        phase=phase,
        pending=phase == "PAUSED",
        payload=words[4],
        signalled_by=words[5],
        abort_reason=words[6],
        url=words[7],
    )
    assert_harmless(texts.document(event, NOW))
    unlinked = replace(event, url=None)  # a hover links the page, which is not of other people
    recent = RecentEvents((unlinked,), {event.run: words[6]}, True, BackendUnavailable(words[4]))
    pending = [unlinked] if event.pending else []
    assert_harmless(texts.hover(words[0], None, pending, recent, NOW, state=READY))


def test_an_error_of_the_scope_names_the_setting_that_selects_it() -> None:
    message = "`project` is required: the connection has no default"
    error = InvalidParams(message, path="/project")
    assert texts.error_text(error) == message.replace("project", "flyteSidecar.project")
    assert texts.error_text(BackendUnavailable(message)) == message


def test_times_are_shown_in_the_zone_of_the_user() -> None:
    assert texts.time_of(datetime(2026, 3, 14, 22, 30, tzinfo=UTC), NOW) == "2026-03-15 00:30"
    assert texts.time_of(datetime(2026, 3, 13, 22, 30, tzinfo=UTC), NOW) == "00:30"
