"""The standard streams: pipes, files, sockets and terminals, on the loop or in threads."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from flyte_sidecar.rpc.backlog import HIGH_WATER
from flyte_sidecar.rpc.poll_hangup import on_hangup
from flyte_sidecar.rpc.read_fd import FdReader, PolledFdReader, ThreadedFdReader, read_fd
from flyte_sidecar.rpc.stdio import StdioTransport
from flyte_sidecar.rpc.write_fd import FdWriter, ThreadedFdWriter, write_fd
from tests.conftest import TEST_TIMEOUT

if sys.platform != "win32":
    import fcntl
    import pty
    import tty

    from flyte_sidecar.rpc.polled_writer import PolledFdWriter

WAYS: list[Any] = [ThreadedFdReader]
WRITINGS: list[Any] = [ThreadedFdWriter]
if sys.platform != "win32":
    WAYS.append(PolledFdReader)
    WRITINGS.append(PolledFdWriter)


class Recorder:
    """Records the calls of the transport, and lets a test wait for them."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.ended = False
        self.lost = False
        self.full = False
        self.pauses = 0
        self.resumed_within_write = False
        self._changed = asyncio.Event()
        self.on_data: Callable[[], None] = lambda: None

    def connection_made(self, transport: StdioTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert not self.ended
        self.data += data
        self._changed.set()
        self.on_data()

    def eof_received(self) -> None:
        assert not self.ended
        self.ended = True
        self._changed.set()

    def pause_writing(self) -> None:
        assert not self.full
        self.full = True
        self.pauses += 1

    def resume_writing(self) -> None:
        assert self.full
        self.full = False
        self._changed.set()

    def connection_lost(self, error: Exception | None) -> None:
        assert not self.lost
        self.lost = True
        self._changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        async def wait() -> None:
            while not condition():
                self._changed.clear()
                await self._changed.wait()

        await asyncio.wait_for(wait(), TEST_TIMEOUT)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        with suppress(OSError):
            os.close(end)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield master, slave
    for end in (master, slave):
        with suppress(OSError):
            os.close(end)


def in_a_thread(work: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def read_all(descriptor: int, into: bytearray) -> None:
    with suppress(OSError):
        while data := os.read(descriptor, 1 << 16):
            into += data


# Reading.


@pytest.mark.parametrize("way", WAYS)
async def test_all_bytes_are_delivered_before_the_end_of_input(
    way: Any, pipe: tuple[int, int]
) -> None:
    sent = os.urandom(3 << 20)

    def feed() -> None:
        with os.fdopen(pipe[1], "wb", closefd=True) as file:
            file.write(sent)

    recorder = Recorder()
    reading: FdReader = way(pipe[0], recorder)
    reading.resume()
    in_a_thread(feed)
    await recorder.until(lambda: recorder.ended)
    assert recorder.data == sent
    reading.resume()
    reading.pause()


@pytest.mark.parametrize("way", WAYS)
async def test_a_paused_reader_reads_at_most_one_chunk_and_loses_nothing(
    way: Any, pipe: tuple[int, int]
) -> None:
    sent = os.urandom(1 << 20)

    def feed() -> None:
        with os.fdopen(pipe[1], "wb", closefd=True) as file:
            file.write(sent)

    recorder = Recorder()
    reading: FdReader = way(pipe[0], recorder)

    def toggle() -> None:
        # Pausing and resuming while the thread reads must not make it read twice.
        reading.pause()
        reading.resume()
        reading.pause()
        asyncio.get_running_loop().call_soon(reading.resume)

    recorder.on_data = toggle
    reading.resume()
    in_a_thread(feed)
    await recorder.until(lambda: recorder.ended)
    assert recorder.data == sent


async def test_a_thread_that_is_asked_twice_reads_once(pipe: tuple[int, int]) -> None:
    recorder = Recorder()
    reading = ThreadedFdReader(pipe[0], recorder)
    reading.resume()
    reading.pause()
    reading.resume()
    recorder.on_data = reading.pause
    os.write(pipe[1], b"one")
    await recorder.until(lambda: bool(recorder.data))
    os.write(pipe[1], b"two")
    os.write(pipe[1], b"three")
    recorder.on_data = lambda: None
    reading.resume()
    os.close(pipe[1])
    await recorder.until(lambda: recorder.ended)
    assert recorder.data == b"onetwothree"


async def test_files_are_read_in_a_thread_and_others_on_the_loop(
    tmp_path: Path, pipe: tuple[int, int], pair: tuple[socket.socket, socket.socket]
) -> None:
    path = tmp_path / "requests"
    path.write_bytes(b"x" * 200_000)

    recorder = Recorder()
    with path.open("rb") as file:
        reading = read_fd(file.fileno(), recorder)
        assert isinstance(reading, ThreadedFdReader)
        reading.resume()
        await recorder.until(lambda: recorder.ended)
    assert len(recorder.data) == 200_000
    assert isinstance(read_fd(pipe[0], recorder), PolledFdReader)
    assert isinstance(read_fd(pair[0].fileno(), recorder), PolledFdReader)


async def test_a_socket_that_is_reset_has_ended(pair: tuple[socket.socket, socket.socket]) -> None:
    recorder = Recorder()
    read_fd(pair[0].fileno(), recorder).resume()
    pair[0].send(b"never read")
    pair[1].close()
    await recorder.until(lambda: recorder.ended)


# Writing.


@pytest.mark.parametrize("way", WRITINGS)
@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal"])
async def test_all_bytes_are_written_however_slowly_they_are_read(
    way: Any, kind: str, request: pytest.FixtureRequest
) -> None:
    sent = os.urandom(3 << 20)
    if kind == "pipe":
        source, target = request.getfixturevalue("pipe")
    elif kind == "terminal":
        source, target = request.getfixturevalue("terminal")
    else:
        source, target = (one.fileno() for one in request.getfixturevalue("pair"))
    got = bytearray()

    def read() -> None:
        while len(got) < len(sent):
            got.extend(os.read(source, 1 << 16))

    reader = threading.Thread(target=read, daemon=True)

    recorder = Recorder()
    writing: FdWriter = way(target, recorder)
    if kind == "terminal":
        writing = write_fd(target, recorder)
        assert isinstance(writing, ThreadedFdWriter)
    for at in range(0, len(sent), 100_000):
        writing.write(sent[at : at + 100_000])
    assert recorder.pauses == 1
    reader.start()
    await asyncio.wait_for(writing.drained(), TEST_TIMEOUT)
    assert (recorder.full, recorder.pauses) == (False, 1)
    writing.stop()
    reader.join(TEST_TIMEOUT)
    assert got == sent


@pytest.mark.parametrize("way", WRITINGS)
async def test_a_large_message_that_is_written_at_once_does_not_pause_the_sender(
    way: Any, tmp_path: Path
) -> None:
    with (tmp_path / "out").open("wb") as file:
        recorder = Recorder()
        writing: FdWriter = way(file.fileno(), recorder)
        for _ in range(5):
            writing.write(b"x" * (3 * HIGH_WATER))
        await writing.drained()
        assert not recorder.full
        if way is not ThreadedFdWriter:
            assert recorder.pauses == 0
        writing.stop()
    assert (tmp_path / "out").stat().st_size == 15 * HIGH_WATER


@pytest.mark.parametrize("way", WRITINGS)
@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_the_loss_of_the_reader_is_detected_before_a_write(
    way: Any, kind: str, pipe: tuple[int, int], pair: tuple[socket.socket, socket.socket]
) -> None:
    recorder = Recorder()
    writing: FdWriter = way(pipe[1] if kind == "pipe" else pair[0].fileno(), recorder)
    # Bytes that arrive on the socket are not a hangup.
    pair[1].send(b"x")
    for _ in range(5):
        await asyncio.sleep(0)
    assert not recorder.lost
    if kind == "pipe":
        os.close(pipe[0])
    else:
        pair[1].close()
    await recorder.until(lambda: recorder.lost)
    writing.write(b"into the void")
    await writing.drained()
    writing.stop()


@pytest.mark.parametrize("way", WRITINGS)
@pytest.mark.parametrize("kind", ["pipe", "socket"])
async def test_the_loss_of_the_reader_drops_unwritten_data(
    way: Any, kind: str, pipe: tuple[int, int], pair: tuple[socket.socket, socket.socket]
) -> None:
    recorder = Recorder()
    writing: FdWriter = way(pipe[1] if kind == "pipe" else pair[0].fileno(), recorder)
    writing.write(b"x" * (2 * HIGH_WATER))
    waiting = asyncio.ensure_future(writing.drained())
    await asyncio.sleep(0)
    assert not waiting.done()
    if kind == "pipe":
        os.close(pipe[0])
    else:
        pair[1].close()
    await recorder.until(lambda: recorder.lost)
    await asyncio.wait_for(waiting, TEST_TIMEOUT)
    writing.stop()


@pytest.mark.posix
@pytest.mark.parametrize("way", WRITINGS)
async def test_a_non_blocking_pipe_can_be_written(way: Any, pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    sent, got = os.urandom(1 << 20), bytearray()

    writing: FdWriter = way(pipe[1], Recorder())
    writing.write(sent)
    thread = in_a_thread(lambda: read_all(pipe[0], got))
    await asyncio.wait_for(writing.drained(), TEST_TIMEOUT)
    writing.stop()
    os.close(pipe[1])
    thread.join(TEST_TIMEOUT)
    assert got == sent


async def test_a_file_has_no_hangup(tmp_path: Path) -> None:
    with (tmp_path / "out").open("wb") as file:
        on_hangup(file.fileno(), lambda: pytest.fail("it has no reader"))()


# Both.


@pytest.mark.posix
async def test_one_socket_can_be_stdin_and_stdout(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    ours, theirs = pair
    flags = fcntl.fcntl(ours.fileno(), fcntl.F_GETFL)

    recorder = Recorder()
    transport = StdioTransport(os.dup(ours.fileno()), os.dup(ours.fileno()), recorder)
    theirs.send(b"ping")
    await recorder.until(lambda: recorder.data == b"ping")
    transport.write(b"pong")
    await transport.drained()
    assert theirs.recv(10) == b"pong"
    assert fcntl.fcntl(ours.fileno(), fcntl.F_GETFL) == flags
    theirs.shutdown(socket.SHUT_WR)
    await recorder.until(lambda: recorder.ended)
    assert not recorder.lost
    transport.write(b"last")
    assert theirs.recv(10) == b"last"
    theirs.close()
    await recorder.until(lambda: recorder.lost)
    transport.close()


async def test_closing_reports_the_connection_as_lost_and_drops_the_rest(
    pipe: tuple[int, int], pair: tuple[socket.socket, socket.socket]
) -> None:
    recorder = Recorder()
    transport = StdioTransport(pair[0].fileno(), pipe[1], recorder)
    transport.write(b"x" * (4 * HIGH_WATER))
    waiting = asyncio.ensure_future(transport.drained())
    await asyncio.sleep(0)
    transport.close()
    assert recorder.lost
    await asyncio.wait_for(waiting, TEST_TIMEOUT)
    assert select.select([], [pipe[1]], [], 0)[1] == []
