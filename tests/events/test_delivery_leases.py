"""Leases: of all processes of a user, one notifies of an event."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_sidecar.events import delivery_leases
from flyte_sidecar.events.delivery_leases import (
    MAX_AGE,
    MAX_LEASE,
    PERSON,
    DeliveryLeases,
    LeasesUnavailable,
)
from tests.conftest import TEST_TIMEOUT

CLAIMANT = """
import sys
from pathlib import Path
from flyte_sidecar.events.delivery_leases import DeliveryLeases
leases = DeliveryLeases(lambda: Path(sys.argv[1]), "person")
print("ready", flush=True)
for line in sys.stdin:
    print(leases.take(("b1", line.strip())), flush=True)
"""

EVENT = ("b1", "e1")


class Clock:
    """The clock of the leases, which a test sets."""

    now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(delivery_leases, "time", clock)
    return clock


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of the user, which does not exist yet."""
    return tmp_path / "state" / "flyte-sidecar"


@pytest.fixture
def process(state: Path) -> Callable[..., DeliveryLeases]:
    """Return the leases of another process."""
    return lambda channel=PERSON, lease=90.0: DeliveryLeases(lambda: state, channel, lease)


Processes = Callable[..., DeliveryLeases]


def statuses(leases: DeliveryLeases, *events: str, **options: float | None) -> list[str]:
    return [claim.status for claim in leases.claim([("b1", event) for event in events], **options)]


def file_of(state: Path) -> Path:
    [file] = (state / "notified").glob("*.db")
    return file


def test_one_of_many_processes_claims_each_event(state: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", CLAIMANT, str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    events = [f"e{number}" for number in range(50)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("".join(f"{event}\n" for event in events))
        process.stdin.flush()
    results = [process.communicate(timeout=TEST_TIMEOUT)[0].split() for process in processes]
    for answers in zip(*results, strict=True):
        assert sorted(answers) == ["False", "False", "False", "True"]


def test_what_was_delivered_stays_recorded_after_the_end_of_its_process(
    process: Processes,
) -> None:
    assert process().take(EVENT)
    again = process()
    assert not again.take(EVENT)
    assert again.take(("b1", "e2"))
    assert again.take(("b2", "e1"))


def test_each_channel_has_leases_of_its_own(process: Processes) -> None:
    assert process().take(EVENT)
    assert process("webhook 1").take(EVENT)
    assert not process("webhook 1").take(EVENT)


def test_a_lease_that_expires_passes_to_another_process(process: Processes, clock: Clock) -> None:
    one, other = process(), process()
    assert statuses(one, "e1") == ["claimed"]
    [held] = other.claim([EVENT])
    assert (held.status, held.until) == ("held", clock.now + 90)
    clock.now = held.until
    assert statuses(other, "e1") == ["claimed"]
    assert statuses(one, "e1") == ["held"]


def test_a_process_claims_again_what_it_holds(process: Processes) -> None:
    leases = process()
    assert statuses(leases, "e1") == statuses(leases, "e1") == ["claimed"]


def test_only_as_many_are_claimed_as_wanted(process: Processes) -> None:
    one = process()
    assert one.take(EVENT)
    assert statuses(one, "e1", "e2", "e3", "e4", limit=2) == [
        "delivered",
        "claimed",
        "claimed",
        "free",
    ]
    assert statuses(process(), "e1", "e2", "e3", "e4") == ["delivered", "held", "held", "claimed"]


def test_an_event_is_claimed_again_for_a_reminder(process: Processes, clock: Clock) -> None:
    delivered_at = clock.now
    assert process().take(EVENT)
    clock.now += 3599
    assert statuses(process(), "e1", repeat_after=3600) == ["delivered"]
    clock.now += 1
    one, other = process(), process()
    [reminder] = one.claim([EVENT], repeat_after=3600)
    assert (reminder.status, reminder.delivered_at) == ("claimed", delivered_at)
    assert statuses(other, "e1", repeat_after=3600) == ["held"]
    one.release()
    assert statuses(other, "e1") == ["delivered"]
    assert statuses(other, "e1", repeat_after=3600) == ["claimed"]
    other.record([EVENT])
    assert statuses(one, "e1", repeat_after=3600) == ["delivered"]


def test_a_released_event_can_be_claimed_at_once(process: Processes) -> None:
    one, other = process(), process()
    one.claim([EVENT, ("b1", "e2")])
    one.release([EVENT])
    assert statuses(other, "e1", "e2") == ["claimed", "held"]
    one.release()  # only its own
    assert statuses(process(), "e1", "e2") == ["held", "claimed"]


def test_a_lease_lasts_until_the_next_attempt_of_its_process(
    process: Processes, clock: Clock
) -> None:
    one, other = process(), process()
    one.claim([EVENT])
    one.postpone([EVENT], 300)
    clock.now += 300
    assert statuses(other, "e1") == ["held"]
    clock.now += 90
    assert statuses(other, "e1") == ["claimed"]
    other.postpone([EVENT], 10 * MAX_LEASE)
    assert process().claim([EVENT])[0].until == clock.now + MAX_LEASE


def test_a_clock_that_is_set_back_keeps_no_lease_for_long(process: Processes, clock: Clock) -> None:
    one, other = process(), process()
    one.claim([EVENT])
    one.record([("b1", "e2")])
    clock.now -= 86400
    assert statuses(other, "e1", "e2", repeat_after=3600) == ["claimed", "claimed"]
    assert statuses(process(), "e2") == ["held"]


@pytest.mark.parametrize("age", [MAX_AGE + 1, -MAX_AGE - 1])
def test_old_records_are_removed(process: Processes, clock: Clock, age: float) -> None:
    leases = process()
    clock.now -= age
    assert leases.take(EVENT)
    clock.now += age / 2
    assert leases.take(("b1", "recent"))
    clock.now += age / 2
    again = process()
    assert again.take(("b1", "new"))
    assert statuses(again, "e1", "recent") == ["claimed", "delivered"]


def test_the_number_of_records_is_bounded(
    process: Processes, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery_leases, "MAX_RECORDS", 10)
    monkeypatch.setattr(delivery_leases, "CLAIMS_PER_CLEANUP", 5)
    leases = process()
    for number in range(21):
        clock.now += 1
        assert leases.take(("b1", f"e{number}"))
    last = statuses(process(), *(f"e{number}" for number in range(21)), limit=0)
    assert last.count("delivered") == 11
    assert last[-11:] == ["delivered"] * 11


def test_the_file_is_private_and_contains_no_names(process: Processes, state: Path) -> None:
    before = os.umask(0)
    try:
        process().take(("flyte:secret-host", "secret-run"))
    finally:
        os.umask(before)
    file = file_of(state)
    assert file.stat().st_mode & 0o777 == 0o600
    assert b"secret" not in file.read_bytes()
    assert file.parent.stat().st_mode & 0o777 == state.stat().st_mode & 0o777 == 0o700


@pytest.mark.posix
def test_an_existing_folder_becomes_private(process: Processes, state: Path) -> None:
    folder = state / "notified"
    folder.mkdir(parents=True)
    folder.chmod(0o777)
    assert process().take(EVENT)
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.posix
@pytest.mark.parametrize("linked", ["folder", "file"])
def test_a_link_is_not_followed(
    process: Processes, state: Path, tmp_path: Path, linked: str
) -> None:
    other = tmp_path / "other"
    if linked == "folder":
        other.mkdir()
        state.mkdir(parents=True)
        (state / "notified").symlink_to(other)
    else:
        process().take(EVENT)
        file = file_of(state)
        file.unlink()
        file.symlink_to(other)
    with pytest.raises(LeasesUnavailable):
        process().take(EVENT)
    assert not other.is_file()
    assert linked == "file" or list(other.iterdir()) == []


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LeasesUnavailable, match="file"):
        DeliveryLeases(lambda: tmp_path / "file", PERSON).take(EVENT)


def test_an_unknown_home_folder_is_an_error() -> None:
    def unknown() -> Path:
        raise RuntimeError("the home folder is unknown")

    with pytest.raises(LeasesUnavailable, match="home folder"):
        DeliveryLeases(unknown, PERSON).take(EVENT)


def test_a_damaged_file_is_replaced(process: Processes, state: Path) -> None:
    leases = process()
    assert leases.take(EVENT)
    file_of(state).write_bytes(b"damaged " * 1000)
    with pytest.raises(LeasesUnavailable):
        leases.take(EVENT)
    assert leases.take(EVENT)
    assert not process().take(EVENT)


def test_a_file_that_was_deleted_is_created_again(process: Processes, state: Path) -> None:
    leases = process()
    assert leases.take(EVENT)
    file_of(state).unlink()
    assert leases.take(EVENT)
    assert not leases.take(EVENT)


def test_the_file_of_a_newer_version_is_not_changed(process: Processes, state: Path) -> None:
    import sqlite3
    from contextlib import closing

    process().take(EVENT)
    with closing(sqlite3.connect(file_of(state))) as db:
        db.execute("PRAGMA user_version = 99")
    before = file_of(state).read_bytes()
    with pytest.raises(LeasesUnavailable, match="newer"):
        process().take(("b1", "e2"))
    assert file_of(state).read_bytes() == before


def test_machines_that_share_a_home_folder_have_files_of_their_own(
    process: Processes, state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, others = [], []
    for machine in ("a", "b"):
        (tmp_path / machine).write_text(machine)
        monkeypatch.setattr(delivery_leases, "_MACHINE_ID", tmp_path / machine)
        monkeypatch.setattr(sys, "platform", "linux")
        taken.append(process().take(EVENT))
        others.append({*(state / "notified").glob("*.db")})
    assert taken == [True, True]
    assert len(others[1]) == 2
    [first] = others[0]
    os.utime(first, (1, 1))
    monkeypatch.setattr(delivery_leases, "_MACHINE_ID", tmp_path / "none")
    assert process().take(EVENT)  # a new file: old ones of other machines are removed
    assert not first.exists()
    assert len([*(state / "notified").glob("*.db")]) == 2
