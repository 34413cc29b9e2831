"""The blocking and the asynchronous version of a method, and the loop that runs both."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import os
import pydoc
import subprocess
import sys
import textwrap
import threading
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, closing
from pathlib import Path
from typing import Any

import pytest

import flyte_sidecar
from flyte_sidecar._sync import Pages, SharedResource, run_sync, syncify, syncify_pages
from tests.conftest import TEST_TIMEOUT

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
colour = contextvars.ContextVar("colour", default="none")


class Probe:
    """Methods in both versions; records what happened to them."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.ended = threading.Event()
        self.closed = threading.Event()
        self.pages_requested = 0

    @syncify
    async def add(self, one: int, /, other: int = 1) -> int:
        """Add two numbers."""
        await asyncio.sleep(0)
        return one + other

    @syncify
    @classmethod
    async def make(cls) -> Probe:
        """Make one."""
        return cls()

    @syncify
    async def fail(self) -> None:
        raise KeyError("lost")

    @syncify
    async def seen(self) -> str:
        return colour.get()

    @syncify
    async def wait_forever(self) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            self.ended.set()

    @syncify
    async def linger(self, leave: threading.Event) -> None:
        self.entered.set()
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.to_thread(leave.wait, TEST_TIMEOUT)
            self.ended.set()
            raise KeyError("lost")

    @syncify
    async def meet(self, barrier: asyncio.Barrier) -> None:
        await barrier.wait()

    @syncify
    async def block_inside(self) -> int:
        return self.add(1)

    @syncify
    async def await_inside(self) -> int:
        return await self.add.aio(1)

    @syncify_pages
    def count(self, pages: int, size: int = 3) -> Pages[int]:
        """Count upwards."""
        if pages < 0:
            raise ValueError("pages must not be negative")
        return self._count(pages, size)

    async def _count(self, pages: int, size: int) -> Pages[int]:
        try:
            for page in range(pages):
                self.pages_requested += 1
                yield range(page * size, (page + 1) * size)
        finally:
            await asyncio.sleep(0)
            self.closed.set()


class Special(Probe):
    pass


def in_thread(work: Callable[[], Any]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def script(text: str) -> subprocess.CompletedProcess[str]:
    """Run a script in a process of its own, without the warnings of `fork` itself."""
    return subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(text)],
        env={**os.environ, "PYTHONPATH": str(Path(flyte_sidecar.__file__).parents[1])},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TEST_TIMEOUT,
    )


def test_a_method_blocks_when_called() -> None:
    assert Probe().add(1, other=2) == 3


def test_aio_is_the_asynchronous_version() -> None:
    assert asyncio.run(Probe().add.aio(1, 2)) == 3
    assert inspect.iscoroutinefunction(Probe.add.aio)
    assert not inspect.iscoroutinefunction(Probe.add)


def test_a_class_method_receives_the_subclass() -> None:
    assert type(Special.make()) is Special
    assert type(Special().make()) is Special
    assert type(asyncio.run(Special.make.aio())) is Special


def test_a_method_can_be_called_through_its_class() -> None:
    assert Probe.add(Probe(), 1, 2) == 3  # type: ignore[call-arg, arg-type]


def test_an_error_is_raised_unchanged() -> None:
    with pytest.raises(KeyError, match="lost"):
        Probe().fail()
    with pytest.raises(KeyError, match="lost"):
        asyncio.run(Probe().fail.aio())


def test_wrong_arguments_raise_in_the_call_itself() -> None:
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        Probe().add()  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="must not be negative"):
        Probe().count(-1)
    with pytest.raises(ValueError, match="must not be negative"):
        Probe().count.aio(-1)


def test_signature_and_docstring_are_those_of_the_method() -> None:
    assert str(inspect.signature(Probe().add)) == "(one: 'int', /, other: 'int' = 1) -> 'int'"
    assert str(inspect.signature(Probe.add)).startswith("(self, one: 'int'")
    assert str(inspect.signature(Probe.make)) == "() -> 'Probe'"
    assert Probe.add.__doc__ == "Add two numbers."
    assert Probe.add.aio.__doc__ == "Add two numbers."
    assert "Make one." in pydoc.plain(pydoc.render_doc(Probe))


def test_the_signature_of_a_method_of_pages_shows_an_iterator_of_items() -> None:
    arguments = "(pages: 'int', size: 'int' = 3)"
    assert str(inspect.signature(Probe().count)) == f"{arguments} -> 'Iterator[int]'"
    assert str(inspect.signature(Probe().count.aio)) == f"{arguments} -> 'AsyncIterator[int]'"
    assert str(inspect.signature(Probe.count)).startswith("(self, pages")


def test_the_context_of_the_caller_is_used() -> None:
    colour.set("red")
    assert Probe().seen() == "red"
    assert asyncio.run(Probe().seen.aio()) == "red"


def test_calls_from_two_loops_and_a_thread_run_concurrently() -> None:
    probe, barrier = Probe(), asyncio.Barrier(3)
    threads = [
        in_thread(lambda: asyncio.run(probe.meet.aio(barrier))),
        in_thread(lambda: asyncio.run(probe.meet.aio(barrier))),
        in_thread(lambda: probe.meet(barrier)),
    ]
    for thread in threads:
        thread.join(TEST_TIMEOUT)
        assert not thread.is_alive()


def test_many_threads_can_call_concurrently() -> None:
    with ThreadPoolExecutor(32) as threads:
        assert list(threads.map(Probe().add, range(500))) == list(range(1, 501))


def test_a_blocking_call_works_while_a_loop_is_running() -> None:
    async def main() -> int:
        return Probe().add(1)

    assert asyncio.run(main()) == 2


def test_a_blocking_call_on_the_background_loop_raises() -> None:
    with pytest.raises(RuntimeError, match=r"use \.aio"):
        Probe().block_inside()
    assert Probe().await_inside() == 2


def test_cancelling_the_caller_cancels_the_call_and_awaits_its_end() -> None:
    probe = Probe()

    async def main() -> None:
        task = asyncio.create_task(probe.wait_forever.aio())
        await asyncio.to_thread(probe.entered.wait, TEST_TIMEOUT)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert probe.ended.is_set()

    asyncio.run(main())


def test_a_caller_that_is_cancelled_twice_does_not_await_the_end() -> None:
    probe, leave = Probe(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(probe.linger.aio(leave))
        await asyncio.to_thread(probe.entered.wait, TEST_TIMEOUT)
        task.cancel()
        await asyncio.wait([task], timeout=0)
        assert not task.done()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not probe.ended.is_set()

    asyncio.run(main())
    leave.set()
    assert probe.ended.wait(TEST_TIMEOUT)


def test_a_timeout_of_the_caller_cancels_the_call() -> None:
    probe = Probe()

    async def main() -> None:
        async with asyncio.timeout(0.01):
            await probe.wait_forever.aio()

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert not probe.entered.is_set() or probe.ended.is_set()


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to one thread")
def test_an_interrupt_cancels_a_blocking_call() -> None:
    done = script(
        """
        import asyncio, signal, threading
        from flyte_sidecar._sync import run_sync

        async def work():
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                print("cancelled")
                raise

        try:
            run_sync(work())
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert (done.stdout, done.stderr) == ("cancelled\ninterrupted\n", "")


def test_an_iterator_returns_items_and_requests_one_page_at_a_time() -> None:
    probe = Probe()
    numbers = probe.count(2)
    assert probe.pages_requested == 0
    assert [next(numbers) for _ in range(3)] == [0, 1, 2]
    assert probe.pages_requested == 1
    assert list(numbers) == [3, 4, 5]

    async def main() -> list[int]:
        return [number async for number in Probe().count.aio(2)]

    assert asyncio.run(main()) == [0, 1, 2, 3, 4, 5]


def test_an_empty_page_does_not_end_the_iteration() -> None:
    class Gaps:
        @syncify_pages
        async def items(self) -> Pages[int]:
            yield []
            yield [1]
            yield []

    assert list(Gaps().items()) == [1]


def test_leaving_a_for_loop_closes_the_generator() -> None:
    probe, other = Probe(), Probe()
    for number in probe.count(3):
        assert number == 0
        break
    assert probe.closed.wait(TEST_TIMEOUT)
    with closing(other.count(3)) as numbers:
        assert next(numbers) == 0
    assert other.closed.is_set()
    assert list(numbers) == []


def test_leaving_an_async_for_loop_closes_the_generator() -> None:
    probe, other = Probe(), Probe()

    async def main() -> None:
        async with aclosing(probe.count.aio(3)) as numbers:
            async for number in numbers:
                assert number == 0
                break
        assert probe.closed.is_set()
        async for _ in other.count.aio(3):
            break

    asyncio.run(main())
    assert other.closed.wait(TEST_TIMEOUT)


def test_an_unused_iterator_is_garbage_collected() -> None:
    numbers = Probe().count(3)
    gone = weakref.ref(numbers)
    del numbers
    gc.collect()
    assert gone() is None


def test_a_loop_that_is_closed_during_a_call_affects_no_other_call() -> None:
    probe = Probe()
    loop = asyncio.new_event_loop()
    call = probe.wait_forever.aio()
    task = loop.create_task(call)
    loop.run_until_complete(asyncio.to_thread(probe.entered.wait, TEST_TIMEOUT))
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
    call.close()  # as the garbage collector does
    assert probe.ended.wait(TEST_TIMEOUT)
    assert Probe().add(1) == 2
    assert not task.done()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_a_failure_that_nobody_awaits_is_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    probe, leave = Probe(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(probe.linger.aio(leave))
        await asyncio.to_thread(probe.entered.wait, TEST_TIMEOUT)
        for _ in range(2):
            task.cancel()
            await asyncio.wait([task], timeout=0)
        assert task.done()

    asyncio.run(main())
    leave.set()
    assert probe.ended.wait(TEST_TIMEOUT)
    Probe().add(1)
    gc.collect()
    assert caplog.records == []


@needs_fork
def test_a_forked_child_has_its_own_loop_and_the_parent_continues() -> None:
    done = script(
        """
        import asyncio, os, threading
        from flyte_sidecar._sync import run_sync

        asked, answered = threading.Event(), []

        async def loop():
            return id(asyncio.get_running_loop()), threading.get_native_id()

        async def wait():
            released = asyncio.Event()
            loop = asyncio.get_running_loop()
            globals()["release"] = lambda: loop.call_soon_threadsafe(released.set)
            asked.set()
            await released.wait()
            return "answered"

        thread = threading.Thread(target=lambda: answered.append(run_sync(wait())))
        thread.start()
        asked.wait()
        before = run_sync(loop())
        child = os.fork()
        if child == 0:
            print("another loop" if run_sync(loop()) != before else "the same", flush=True)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        release()
        thread.join()
        print(status, answered, run_sync(loop()) == before)
        """
    )
    assert (done.stdout, done.stderr) == ("another loop\n0 ['answered'] True\n", "")


@needs_fork
def test_a_shared_resource_is_closed_while_the_process_forks() -> None:
    done = script(
        """
        import asyncio, os
        from flyte_sidecar._sync import SharedResource, run_sync

        log = []

        async def close(resource):
            log.append(f"closing {resource}")
            await asyncio.sleep(0.01)
            log.append("closed")

        async def use():
            async with shared.use() as resource:
                await asyncio.sleep(0)
                log.append(f"using {resource}")

        shared = SharedResource(lambda: len(log), close)
        os.register_at_fork(before=lambda: log.append("before"))
        run_sync(use())
        child = os.fork()
        if child == 0:
            run_sync(use())
            print(log, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        run_sync(use())
        print(log)
        """
    )
    assert (done.stdout, done.stderr) == (
        "['using 0', 'before', 'closing 0', 'closed', 'using 4']\n" * 2,
        "",
    )


@needs_fork
def test_forks_in_quick_succession_do_not_deadlock() -> None:
    done = script(
        """
        import asyncio, os, threading
        from flyte_sidecar._sync import run_sync

        def fork():
            for _ in range(50):
                child = os.fork()
                if child == 0:
                    os._exit(0)
                os.waitpid(child, 0)

        run_sync(asyncio.sleep(0))
        threads = [threading.Thread(target=fork) for _ in range(4)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            run_sync(asyncio.sleep(0))
        """
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_interpreter_exits_quietly_during_calls() -> None:
    done = script(
        """
        import asyncio, atexit, threading
        from flyte_sidecar._sync import PageIterator, run_async, run_sync

        entered = [threading.Event() for _ in range(2)]

        async def wait(number):
            entered[number].set()
            await asyncio.Event().wait()

        async def pages():
            yield [1]
            yield [2]

        async def answer():
            return "answered"

        for work in (lambda: run_sync(wait(0)), lambda: asyncio.run(run_async(wait(1)))):
            threading.Thread(target=work, daemon=True).start()
        for event in entered:
            event.wait()
        suspended = PageIterator(pages())
        next(suspended)
        atexit.register(lambda: print(run_sync(answer())))
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "answered\n", "")


def test_a_daemon_thread_that_calls_after_the_exit_is_stopped_quietly() -> None:
    done = script(
        """
        import asyncio, atexit, threading

        ended = threading.Event()

        def work():
            ended.wait()
            run_sync(asyncio.sleep(0))

        def late():
            ended.set()
            thread.join(0.2)  # an error would end it
            print(thread.is_alive())

        atexit.register(late)  # before the import: so after the end of the loop
        from flyte_sidecar._sync import run_sync
        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        """
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "True\n", "")


def test_a_call_after_the_exit_raises() -> None:
    done = script(
        """
        import atexit

        def late():
            try:
                run_sync(work())
            except RuntimeError as error:
                print(error)

        async def work():
            pass

        atexit.register(late)  # before the import: so after the end of the loop
        from flyte_sidecar._sync import run_sync
        run_sync(work())
        """
    )
    assert (done.stdout, done.stderr) == ("the interpreter is exiting\n", "")


def test_a_pause_cancels_work_that_was_started_until_then_and_awaits_other_work() -> None:
    log = []

    async def close(resource: str) -> None:
        log.append(f"closed {resource}")

    async def main() -> None:
        shared = SharedResource(lambda: "a", close)
        release = asyncio.Event()

        async def cancellable() -> None:
            async with shared.use():
                work = shared.start_until_pause(asyncio.Event().wait())
                await asyncio.wait([work])
                log.append("left" if work.cancelled() else "done")

        async def steady() -> None:
            async with shared.use():
                await release.wait()
                late_work = shared.start_until_pause(asyncio.Event().wait())
                await asyncio.wait([late_work])
                log.append("finished" if late_work.cancelled() else "done")

        async def late() -> None:
            async with shared.use() as resource:
                log.append(f"using {resource}")

        users = [asyncio.create_task(work()) for work in (cancellable, steady)]
        await asyncio.sleep(0)
        changing = asyncio.create_task(shared.replace(lambda: "b"))
        await asyncio.wait([users[0]])
        users.append(asyncio.create_task(late()))
        await asyncio.sleep(0)
        assert log == ["left"]
        release.set()
        await asyncio.gather(changing, *users)

    run_sync(main())
    assert log == ["left", "finished", "closed a", "using b"]


def test_run_sync_returns_the_result_of_a_plain_coroutine() -> None:
    async def work() -> str:
        return threading.current_thread().name

    assert run_sync(work()) == "flyte-sidecar-loop"
