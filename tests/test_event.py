"""The Python API over a real embedded store."""

from __future__ import annotations

import asyncio
import copy
import inspect
import json
import math
import os
import pickle
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any

import pytest
from flyteidl2.workflow import run_definition_pb2
from google.protobuf import json_format

import flyte_sidecar
from flyte_sidecar import Event, errors
from tests.conftest import TEST_TIMEOUT

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "events.db"
    flyte_sidecar.init(store=path)
    yield path
    flyte_sidecar.init(store=tmp_path / "unused.db")  # closes the one of this test


def start(text: str, *arguments: object) -> subprocess.Popen[str]:
    """Start a script in a process of its own, without the warnings of `fork` itself."""
    return subprocess.Popen(
        [
            *(sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(text)),
            *map(str, arguments),
        ],
        env={**os.environ, "PYTHONPATH": str(Path(flyte_sidecar.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def output(process: subprocess.Popen[str]) -> str:
    """Wait for the end of the script, and return what it printed; it must print no errors."""
    with process:
        out, err = process.communicate(timeout=TEST_TIMEOUT)
    assert (process.returncode, err) == (0, "")
    return out


def test_the_class_also_has_the_name_that_newer_sdks_give_it() -> None:
    from flyte_sidecar import Condition

    assert Condition is Event
    assert "Condition" in dir(flyte_sidecar)


class Level(IntEnum):
    HIGH = 3


class Answer(str, Enum):  # noqa: UP042  its str() is not its value
    YES = "yes"


class TestGet:
    def test_an_event_is_found_by_its_name(self) -> None:
        created = Event.create("approve", "r1")
        found = Event.get("approve", "r1")
        assert found == created
        assert found is not None
        assert (found.name, found.run_name, found.phase) == ("approve", "r1", "PAUSED")
        assert found.action_name == created.pb2.id.name

    def test_it_can_be_awaited(self) -> None:
        async def main() -> None:
            created = await Event.create.aio("approve", run_name="r1")
            assert await Event.get.aio("approve", run_name="r1") == created

        asyncio.run(main())

    def test_an_unknown_name_or_run_returns_none(self) -> None:
        assert Event.get("approve", "r1") is None
        Event.create("approve", "r1")
        assert Event.get("Approve", "r1") is None
        assert Event.get("approve", "r2") is None
        assert Event.get("", "") is None

    def test_a_name_of_several_events_returns_the_first_created(self) -> None:
        first = Event.create("approve", "r1", "b")
        Event.create("approve", "r1", "a")
        assert Event.get("approve", "r1") == first
        first.signal(True)
        assert Event.get("approve", "r1") == first

    def test_action_name_filters_by_parent(self) -> None:
        Event.create("approve", "r1", "a1")
        second = Event.create("approve", "r1", "a2")
        assert Event.get("approve", "r1", action_name="a2") == second
        assert Event.get("approve", "r1", action_name=second.action_name) is None

    def test_the_parameters_are_those_of_the_sdk(self) -> None:
        parameters = inspect.signature(Event.get).parameters.values()
        assert [(parameter.name, parameter.default) for parameter in parameters] == [
            ("name", inspect.Parameter.empty),
            ("run_name", inspect.Parameter.empty),
            ("action_name", None),
        ]
        with pytest.raises(TypeError, match="positional-only"):
            Event.get(name="approve", run_name="r1")  # type: ignore[call-arg]

    def test_a_subclass_returns_its_own_instances(self) -> None:
        class Loud(Event):
            @property
            def shout(self) -> str:
                return self.name.upper()

        created = Loud.create("approve", "r1")
        assert type(created) is Loud
        assert type(Loud.get("approve", "r1")) is Loud
        assert [type(event) for event in Loud.listall("r1")] == [Loud]
        assert created.shout == "APPROVE"


class TestListall:
    def test_events_are_in_creation_order_for_every_page_size(self) -> None:
        names = [f"e{number}" for number in range(7)]
        for name in names:
            Event.create(name, "r1")
        Event.create("other", "r2")
        for limit in (1, 3, 7, 100, 1000, 10**9):
            assert [event.name for event in Event.listall("r1", limit=limit)] == names

        async def main() -> list[str]:
            return [event.name async for event in Event.listall.aio(run_name="r1", limit=2)]

        assert asyncio.run(main()) == names

    def test_action_name_filters_by_parent(self) -> None:
        Event.create("one", "r1", "a1")
        Event.create("two", "r1", "a2")
        assert [event.name for event in Event.listall("r1", "a2")] == ["two"]

    def test_an_unknown_run_is_empty(self) -> None:
        assert list(Event.listall("nowhere")) == []

    def test_an_invalid_page_size_raises_immediately(self) -> None:
        for limit in (0, -1):
            with pytest.raises(ValueError, match="at least 1"):
                Event.listall("r1", limit=limit)

    def test_answered_events_are_listed_too(self) -> None:
        Event.create("one", "r1").signal(True)
        assert [event.phase for event in Event.listall("r1")] == ["SUCCEEDED"]


class TestSignal:
    @pytest.mark.parametrize(
        ("declared", "payload"),
        [
            (bool, True),
            (bool, False),
            (int, 2**63 - 1),
            (int, -(2**63)),
            (int, 0),
            (float, 0.1),
            (float, math.inf),
            (float, -math.inf),
            (float, 5e-324),
            (str, ""),
            (str, "true"),
            (str, "Zur Freigabe \N{SNOWMAN}\N{GRINNING FACE}\u202e\0\n"),
        ],
    )
    def test_a_payload_arrives_as_it_was_sent(self, declared: Any, payload: Any) -> None:
        event = Event.create("approve", "r1", expected_type=declared)
        event.signal(payload)
        answer = event.wait()
        assert type(answer) is declared
        assert answer == payload

    def test_nan_arrives_and_equals_itself_when_sent_again(self) -> None:
        event = Event.create("rate", "r1", expected_type=float)
        event.signal(math.nan)
        event.signal(math.nan)
        answer = event.wait()
        assert isinstance(answer, float)
        assert math.isnan(answer)

    @pytest.mark.parametrize(
        ("declared", "payload", "answer"),
        [
            (int, Level.HIGH, 3),
            (str, Answer.YES, "yes"),
            (float, 3, 3.0),
            (float, Level.HIGH, 3.0),
        ],
    )
    def test_a_value_of_a_subclass_is_accepted_as_its_base_type(
        self, declared: Any, payload: Any, answer: Any
    ) -> None:
        event = Event.create("approve", "r1", expected_type=declared)
        event.signal(payload)
        assert (type(event.wait()), event.wait()) == (declared, answer)

    @pytest.mark.parametrize("payload", [None, b"x", [True], {}, 1j, object(), Event])
    def test_another_type_is_a_type_error_before_any_lookup(self, payload: Any) -> None:
        nowhere = Event(run_definition_pb2.Action())
        with pytest.raises(TypeError, match="must be a bool, int, float or str"):
            nowhere.signal(payload)
        with pytest.raises(TypeError, match="must be a bool, int, float or str"):
            asyncio.run(nowhere.signal.aio(payload))

    @pytest.mark.parametrize(
        ("declared", "payload"),
        [
            (bool, 1),
            (bool, "true"),
            (int, True),
            (int, 3.0),
            (int, 2**63),
            (float, False),
            (float, 10**400),
            (str, 1),
        ],
    )
    def test_a_payload_of_another_type_is_rejected(self, declared: Any, payload: Any) -> None:
        event = Event.create("approve", "r1", expected_type=declared)
        with pytest.raises(errors.PayloadTypeMismatch) as rejected:
            event.signal(payload)
        assert rejected.value.data["expectedType"] == declared.__name__
        assert Event.get("approve", "r1") == event

    def test_a_str_payload_never_answers_an_int_event(self) -> None:
        for declared, text in ((int, "3"), (float, "NaN"), (float, "3.0"), (bool, "True")):
            event = Event.create(f"{declared.__name__} {text}", "r1", expected_type=declared)
            with pytest.raises(errors.PayloadTypeMismatch):
                event.signal(text)
            assert event.phase == "PAUSED"

    def test_an_unpaired_surrogate_is_rejected(self) -> None:
        nowhere = Event(run_definition_pb2.Action())
        with pytest.raises(ValueError, match="surrogates not allowed"):
            nowhere.signal("\ud800")

    def test_the_event_is_updated_by_its_signal(self) -> None:
        event = Event.create("approve", "r1")
        before = event.pb2
        assert event.signal(True) is None
        assert event.phase == "SUCCEEDED"
        assert event.pb2.status.HasField("end_time")
        assert not before.status.HasField("end_time")
        assert event == Event.get("approve", "r1")

    def test_the_same_answer_again_changes_nothing_and_another_is_rejected(self) -> None:
        event, again = Event.create("approve", "r1"), Event.get("approve", "r1")
        assert again is not None
        event.signal(True)
        again.signal(True)
        assert again == event
        with pytest.raises(errors.AlreadySignalled) as rejected:
            again.signal(False)
        assert rejected.value.data["event"].payload is True

    def test_one_of_many_concurrent_answers_wins(self) -> None:
        event = Event.create("pick", "r1", expected_type=int)

        def answer(number: int) -> bool:
            mine = Event.get("pick", "r1")
            assert mine is not None
            try:
                mine.signal(number)
            except errors.AlreadySignalled:
                return False
            return True

        with ThreadPoolExecutor(16) as threads:
            accepted = list(threads.map(answer, range(16)))
        assert accepted.count(True) == 1
        assert event.wait() == accepted.index(True)

    def test_signalling_an_event_that_does_not_exist_raises(self) -> None:
        event = Event.create("approve", "r1")
        event.pb2.id.name = "gone"
        with pytest.raises(errors.EventNotFound):
            event.signal(True)
        with pytest.raises(errors.EventNotFound):
            Event(run_definition_pb2.Action()).signal(True)


class TestAnEventFromAnAction:
    def test_any_action_has_all_properties(self) -> None:
        bare = Event(run_definition_pb2.Action())
        assert (bare.name, bare.action_name, bare.run_name) == ("", "", "")
        assert (bare.phase, bare.expected_type) == ("UNSPECIFIED", None)
        assert (bare.to_dict(), json.loads(bare.to_json())) == ({}, {})
        assert "UNSPECIFIED" in repr(bare)

    def test_an_unknown_phase_keeps_its_number(self) -> None:
        event = Event(pb2=run_definition_pb2.Action(status={"phase": 57}))
        assert event.phase == "UNKNOWN_57"
        assert event.to_dict() == {"status": {"phase": 57}}

    def test_an_action_that_is_not_a_condition_uses_its_own_name(self) -> None:
        event = Event(run_definition_pb2.Action(id={"name": "a1"}, metadata={"task": {}}))
        assert (event.name, event.expected_type) == ("a1", None)

    def test_it_is_signalled_in_the_scope_of_init(self, store: Path) -> None:
        flyte_sidecar.init(store=store, org="acme", project="p", domain="d")
        created = Event.create("approve", "r1")
        by_hand = Event(
            run_definition_pb2.Action(
                id={"run": {"name": "r1"}, "name": created.action_name},
                metadata={"environment_name": "blue"},
            )
        )
        by_hand.signal(True)
        assert by_hand.pb2.id.run.project == "p"
        assert by_hand.pb2.metadata.environment_name == "blue"
        assert created.wait() is True

    def test_the_scope_of_the_action_takes_precedence(self, store: Path) -> None:
        flyte_sidecar.init(store=store, project="theirs")
        theirs = Event.create("approve", "r1")
        flyte_sidecar.init(store=store, project="ours")
        assert Event.get("approve", "r1") is None
        theirs.signal(True)
        assert theirs.pb2.id.run.project == "theirs"
        assert theirs.phase == "SUCCEEDED"

    def test_without_an_id_it_is_the_only_unresolved_event_with_its_name(self) -> None:
        first = Event.create("approve", "r1", "a1")
        Event.create("approve", "r1", "a2")
        by_hand = run_definition_pb2.Action(
            id={"run": {"name": "r1"}}, metadata={"condition": {"name": "approve"}}
        )
        with pytest.raises(errors.AmbiguousEvent):
            Event(by_hand).signal(True)
        first.signal(True)
        Event(by_hand).signal(False)
        assert [event.wait() for event in Event.listall("r1")] == [True, False]


class TestCreate:
    def test_other_clients_see_the_created_event(self, store: Path) -> None:
        event = Event.create(
            "ship", "r1", "a7", expected_type=str, prompt="Where to?", group="g", expires_in=60
        )
        assert event.expected_type is str
        assert event.pb2.metadata.parent == "a7"
        assert event.pb2.metadata.group == "g"
        command = [
            sys.executable,
            "-m",
            "flyte_sidecar",
            "--store",
            str(store),
            "call",
            "events.get",
        ]
        params = json.dumps({"runName": "r1", "name": "ship"})
        done = subprocess.run(
            [*command, params], capture_output=True, check=True, timeout=TEST_TIMEOUT, text=True
        )
        seen = json.loads(done.stdout)
        assert (seen["prompt"], seen["expectedType"]) == ("Where to?", "str")
        assert seen["actionName"] == event.action_name
        assert seen["expiresAt"] is not None

    def test_a_name_is_unique_under_its_parent(self) -> None:
        Event.create("approve", "r1", "a1")
        Event.create("approve", "r1", "a2")
        with pytest.raises(errors.EventExists):
            Event.create("approve", "r1", "a1")

    @pytest.mark.parametrize(
        "wrong",
        [
            {"name": ""},
            {"name": "x" * 1001},
            {"name": "a\nb"},
            {"name": "half a pair: \ud800"},
            {"name": 5},
            {"run_name": ""},
            {"action_name": "\x7f"},
            {"group": ""},
            {"prompt_type": "html"},
            {"expires_in": 0},
            {"expires_in": math.nan},
            {"expires_in": math.inf},
        ],
    )
    def test_an_invalid_argument_is_a_value_error(self, wrong: dict[str, Any]) -> None:
        arguments: dict[str, Any] = {"name": "approve", "run_name": "r1", **wrong}
        with pytest.raises(ValueError, match=r"Expected|Invalid|surrogates"):
            Event.create(arguments.pop("name"), **arguments)
        assert list(Event.listall("r1")) == []

    def test_an_invalid_expected_type_is_a_type_error(self) -> None:
        with pytest.raises(TypeError, match="expected_type must be"):
            Event.create("approve", "r1", expected_type=bytes)  # type: ignore[arg-type]


class TestWait:
    def test_it_returns_the_answer_and_updates_the_event(self) -> None:
        event = Event.create("approve", "r1")
        answers: list[object] = []
        thread = threading.Thread(target=lambda: answers.append(event.wait()))
        thread.start()
        other = Event.get("approve", "r1")
        assert other is not None
        other.signal(False)
        thread.join(TEST_TIMEOUT)
        assert answers == [False]
        assert event.phase == "SUCCEEDED"

    def test_another_process_can_answer(self, store: Path) -> None:
        event = Event.create("approve", "r1", expected_type=str)
        answering = start(
            """
            import sys, flyte_sidecar
            from flyte_sidecar import Event
            flyte_sidecar.init(store=sys.argv[1])
            Event.get("approve", "r1").signal("from afar")
            """,
            store,
        )
        assert event.wait(TEST_TIMEOUT) == "from afar"
        assert output(answering) == ""

    def test_a_wait_without_an_answer_times_out(self) -> None:
        event = Event.create("approve", "r1")
        for timeout in (0, 0.01):
            with pytest.raises(errors.DeadlineExceeded):
                event.wait(timeout)
        with pytest.raises(ValueError, match="negative"):
            event.wait(-1)
        with pytest.raises(ValueError, match="negative"):
            event.wait(math.nan)

    def test_an_answered_event_returns_immediately(self, store: Path) -> None:
        event = Event.create("approve", "r1")
        event.signal(True)
        assert event.wait(0) is True
        flyte_sidecar.init(store=store)
        assert event.wait(0) is True

    def test_an_event_that_expires_raises_already_completed(self) -> None:
        event = Event.create("approve", "r1", expires_in=0.05)
        with pytest.raises(errors.AlreadyCompleted):
            event.wait(TEST_TIMEOUT)
        assert event.phase == "TIMED_OUT"
        with pytest.raises(errors.AlreadyCompleted):
            event.signal(True)

    def test_two_loops_in_two_threads_and_a_plain_thread_return_the_answer(self) -> None:
        event = Event.create("approve", "r1")
        with ThreadPoolExecutor(3) as threads:
            waiting = [
                threads.submit(lambda: asyncio.run(event.wait.aio())),
                threads.submit(lambda: asyncio.run(event.wait.aio(TEST_TIMEOUT))),
                threads.submit(event.wait),
            ]
            Event(event.pb2).signal(True)
            assert [wait.result(TEST_TIMEOUT) for wait in waiting] == [True] * 3

    def test_cancelling_a_wait_affects_neither_the_event_nor_other_waits(self) -> None:
        async def main() -> None:
            event = await Event.create.aio("approve", "r1")
            cancelled = asyncio.create_task(event.wait.aio())
            stays = asyncio.create_task(event.wait.aio())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(cancelled, 0.01)
            await event.signal.aio(True)
            assert await stays is True

        asyncio.run(main())

    def test_many_waits_can_be_concurrent(self) -> None:
        async def main() -> None:
            events = [
                await Event.create.aio(f"e{number}", "r1", expected_type=int)
                for number in range(100)
            ]
            waits = [asyncio.create_task(event.wait.aio(TEST_TIMEOUT)) for event in events]
            await asyncio.gather(*(event.signal.aio(n) for n, event in enumerate(events)))
            assert await asyncio.gather(*waits) == list(range(100))

        asyncio.run(main())


class TestInit:
    def test_an_invalid_backend_raises_and_the_current_one_stays(self) -> None:
        Event.create("approve", "r1")
        with pytest.raises(ValueError, match="endpoint"):
            flyte_sidecar.init(backend="flyte")
        with pytest.raises(ValueError, match="must be host"):
            flyte_sidecar.init(backend="flyte", endpoint="https://example.com/path")
        with pytest.raises(ValueError, match="'redis'"):
            flyte_sidecar.init(backend="redis")  # type: ignore[arg-type]
        for url in (":memory:", "file:x.db", "sqlite:///x.db"):
            with pytest.raises(ValueError, match="must be a path of a file"):
                flyte_sidecar.init(store=url)
        with pytest.raises(TypeError):
            flyte_sidecar.init("local")  # type: ignore[call-arg]
        assert Event.get("approve", "r1") is not None

    def test_with_both_backends_the_events_of_the_store_need_no_deployment(
        self, store: Path
    ) -> None:
        Event.create("approve", "r1")
        flyte_sidecar.init(
            backend="all", store=store, endpoint="h.example", project="p", domain="d"
        )
        event = Event.get("approve", "r1")
        assert event is not None
        event.signal(True)
        assert event.wait() is True
        assert Event.create("next", "r1").pb2.id.run.project == "local"
        assert [each.name for each in Event.listall("r1")] == ["approve", "next"]

    def test_a_second_init_closes_the_previous_store(self, store: Path, tmp_path: Path) -> None:
        Event.create("approve", "r1")
        log = Path(f"{store}-wal")
        assert log.exists()
        flyte_sidecar.init(store=tmp_path / "second.db")
        assert not log.exists()  # SQLite removes it with the last connection
        assert Event.get("approve", "r1") is None

    def test_a_wait_on_the_previous_backend_ends(self, store: Path, tmp_path: Path) -> None:
        event = Event.create("approve", "r1")

        async def main() -> None:
            waiting = asyncio.create_task(event.wait.aio())
            await Event.get.aio("approve", "r1")  # read after the wait began
            await asyncio.to_thread(flyte_sidecar.init, store=tmp_path / "second.db")
            with pytest.raises(errors.ShuttingDown):
                await waiting

        asyncio.run(main())

    def test_a_wait_that_has_just_started_does_not_block_init(self, tmp_path: Path) -> None:
        event = Event.create("approve", "r1")

        async def main(number: int) -> None:
            flyte_sidecar.init(store=tmp_path / f"{number}.db")
            waiting = [asyncio.create_task(event.wait.aio()) for _ in range(10)]
            await asyncio.sleep(number / 10_000)  # so that it is met at various stages
            await asyncio.to_thread(flyte_sidecar.init, store=tmp_path / "other.db")
            for ended in await asyncio.gather(*waiting, return_exceptions=True):
                assert isinstance(ended, (errors.ShuttingDown, errors.EventNotFound))

        for number in range(20):
            asyncio.run(main(number))

    def test_open_calls_finish_on_the_store_they_started_on(
        self, store: Path, tmp_path: Path
    ) -> None:
        async def main() -> None:
            calls = [asyncio.create_task(Event.create.aio(f"e{n}", "r1")) for n in range(50)]
            await asyncio.sleep(0)
            for number in range(5):
                await asyncio.to_thread(flyte_sidecar.init, store=tmp_path / f"{number}.db")
            await asyncio.gather(*calls)

        asyncio.run(main())
        found = 0
        for path in {*tmp_path.glob("*.db"), store}:
            flyte_sidecar.init(store=path)
            found += len(list(Event.listall("r1")))
        assert found == 50

    def test_without_init_the_environment_selects_the_store(self, tmp_path: Path) -> None:
        chosen = tmp_path / "somewhere" / "chosen.db"
        text = """
            import os, sys
            os.environ["FLYTE_SIDECAR_STORE"] = sys.argv[1]
            from flyte_sidecar import Event
            print(Event.create("approve", "r1").phase)
            """
        assert output(start(text, chosen)) == "PAUSED\n"
        flyte_sidecar.init(store=chosen)
        assert Event.get("approve", "r1") is not None

    def test_an_unusable_store_raises_and_works_once_it_is_repaired(self, tmp_path: Path) -> None:
        path = tmp_path / "wrong.db"
        path.write_text("no database")
        flyte_sidecar.init(store=path)
        with pytest.raises(errors.StoreUnavailable) as rejected:
            Event.create("approve", "r1")
        assert rejected.value.data["reason"] == "not_a_store"
        assert rejected.value.data["outcome"] == "none"
        path.unlink()
        assert Event.create("approve", "r1").phase == "PAUSED"


class TestValue:
    def test_events_are_compared_by_action_and_can_be_copied(self) -> None:
        event = Event.create("approve", "r1")
        assert event == Event(event.pb2)
        assert event != Event(run_definition_pb2.Action())
        assert event != event.pb2
        assert copy.deepcopy(event) == event
        assert pickle.loads(pickle.dumps(event)) == event

    def test_the_repr_shows_name_run_phase_and_type(self) -> None:
        event = Event.create("approve", "r1", expected_type=int)
        assert repr(event) == (
            f"Event(name='approve', action_name='{event.action_name}', run_name='r1',"
            " phase='PAUSED', expected_type=int)"
        )

    def test_the_json_is_that_of_protobuf(self) -> None:
        event = Event.create("approve", "r1")
        assert event.to_dict()["metadata"]["condition"]["name"] == "approve"
        assert json.loads(event.to_json()) == event.to_dict()
        assert json_format.Parse(event.to_json(), run_definition_pb2.Action()) == event.pb2


class TestProcess:
    @needs_fork
    def test_a_forked_child_and_its_parent_both_continue_and_lose_nothing(
        self, store: Path
    ) -> None:
        done = start(
            """
            import os, sys, threading, flyte_sidecar
            from flyte_sidecar import _init
            from flyte_sidecar import Event

            flyte_sidecar.init(store=sys.argv[1])
            asked, answers = Event.create("asked", "r1"), []
            thread = threading.Thread(target=lambda: answers.append(asked.wait()))
            thread.start()
            suspended = Event.listall("r1", limit=1)
            Event.create("second", "r1")
            next(suspended)

            while not _init.shared_service._cancelled_by_pause:  # until the wait is open
                pass
            go, ready = os.pipe(), os.pipe()
            child = os.fork()
            if child == 0:
                Event.create("by the child", "r1").signal(True)
                print([event.name for event in suspended], flush=True)
                os.write(ready[1], b".")
                os.read(go[0], 1)  # until the parent has closed its store
                Event.create("later by the child", "r1").signal(True)
                Event.get("asked", "r1").signal(True)
                sys.exit()
            os.read(ready[0], 1)
            Event.create("by the parent", "r1")
            # Closes the store for a moment; the wait goes on.
            if os.fork() == 0:
                os._exit(0)
            os.write(go[1], b".")
            thread.join()
            print(os.waitpid(child, 0)[1], answers, flush=True)
            """,
            store,
        )
        assert output(done) == "['second', 'by the child']\n0 [True]\n"
        assert [event.name for event in Event.listall("r1")] == [
            "asked",
            "second",
            "by the child",
            "by the parent",
            "later by the child",
        ]

    @needs_fork
    def test_workers_of_a_forking_pool_can_use_it(self, store: Path) -> None:
        done = start(
            """
            import multiprocessing, sys, flyte_sidecar
            from flyte_sidecar import Event

            def ask(number):
                return Event.create(f"e{number}", "r1").phase

            if __name__ == "__main__":
                flyte_sidecar.init(store=sys.argv[1])
                Event.create("first", "r1")
                with multiprocessing.get_context("fork").Pool(4) as pool:
                    print(set(pool.map(ask, range(40))))
                print(len(list(Event.listall("r1"))))
            """,
            store,
        )
        assert output(done) == "{'PAUSED'}\n41\n"

    @needs_fork
    def test_the_store_is_closed_while_a_busy_process_forks(self, store: Path) -> None:
        done = start(
            """
            import os, sys, threading, flyte_sidecar
            from flyte_sidecar import Event
            from flyte_sidecar._sync import background_loop

            flyte_sidecar.init(store=sys.argv[1])
            forked, created = threading.Event(), []

            def work(number):
                while not forked.is_set():
                    event = Event.create(f"{number}.{len(created)}", "r1")
                    created.append(event)
                    event.signal(True)

            threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
            for thread in threads:
                thread.start()
            for _ in range(20):
                child = os.fork()
                if child == 0:
                    os._exit(background_loop._inherited_by_child[-1] is not None)
                assert os.waitpid(child, 0)[1] == 0
            forked.set()
            for thread in threads:
                thread.join()
            print(len(created))
            """,
            store,
        )
        assert int(output(done)) == len(list(Event.listall("r1")))

    def test_a_script_that_closes_nothing_exits_quietly(self, store: Path) -> None:
        done = start(
            """
            import asyncio, sys, threading, flyte_sidecar
            from flyte_sidecar import Event

            flyte_sidecar.init(store=sys.argv[1])
            event = Event.create("approve", "r1")

            def poll():
                while True:
                    Event.get("approve", "r1")

            for work in (event.wait, lambda: asyncio.run(event.wait.aio()), poll):
                threading.Thread(target=work, daemon=True).start()
            suspended = Event.listall("r1", limit=1)
            next(suspended)
            asyncio.run(Event.get.aio("approve", "r1"))
            print("done")
            """,
            store,
        )
        assert output(done) == "done\n"
        assert not Path(f"{store}-wal").exists()

    def test_the_command_does_not_import_the_api(self) -> None:
        done = start(
            """
            import sys
            import flyte_sidecar.cli.main
            heavy = ("grpc", "google.protobuf", "flyteidl2", "flyte_sidecar.event", "asyncio")
            print([name for name in heavy if name in sys.modules])
            """
        )
        assert output(done) == "[]\n"

    def test_the_package_exports_what_all_lists(self) -> None:
        assert set(flyte_sidecar.__all__) <= set(dir(flyte_sidecar))
        assert {name: getattr(flyte_sidecar, name) for name in flyte_sidecar.__all__}
        assert flyte_sidecar.errors is errors
        with pytest.raises(AttributeError, match="no attribute 'evnt'"):
            flyte_sidecar.evnt  # type: ignore[attr-defined]  # noqa: B018
