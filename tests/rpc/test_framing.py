"""Decoding bytes into messages: any bytes, however they are split."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import json as fast

from flyte_sidecar.rpc.framing import Framing, Malformed
from flyte_sidecar.rpc.header_framing import MAX_HEADER_BYTES
from flyte_sidecar.rpc.line_framing import LineDecoder
from flyte_sidecar.rpc.stream_decoder import StreamDecoder

LIMIT = 64
FRAMINGS: tuple[Framing, ...] = ("auto", "header", "line")
BOM = b"\xef\xbb\xbf"

Summary = tuple[str, bytes | None, str, bool]


def summary(frame: bytes | Malformed) -> bytes | Summary:
    if isinstance(frame, bytes):
        return frame
    return (frame.error.kind, frame.id, frame.error.message, frame.fatal)


def frames(
    pieces: Iterable[bytes], framing: Framing = "auto", limit: int = LIMIT
) -> list[bytes | Summary]:
    """Return what the pieces decode to, up to a fatal error, as the connection does."""
    decoder = StreamDecoder(framing, limit)
    found: list[bytes | Summary] = []
    for piece in pieces:
        decoder.feed(piece)
        while (frame := decoder.next()) is not None:
            found.append(summary(frame))
            if isinstance(frame, Malformed) and frame.fatal:
                return found
    frame = decoder.end()
    if frame is not None:
        found.append(summary(frame))
    return found


def kinds(found: list[bytes | Summary]) -> list[bytes | str]:
    return [one if isinstance(one, bytes) else one[0] for one in found]


def headed(body: bytes, *more: bytes) -> bytes:
    return b"".join((*more, b"Content-Length: %d\r\n\r\n" % len(body), body))


PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            BOM,
            b"\xef",
            b"\n",
            b"\r\n",
            b" \t",
            b"\r",
            b'{"id":1}',
            b'{"id":"a\\n","x":[1,{"id":2}]}',
            b"[1,2]",
            b'{"pad":"' + b"x" * LIMIT + b'","id":77}',
            headed(b'{"id":3}'),
            headed(b'{"id":4}', b"X-Y: z\r\n"),
            headed(b'{"id":5}', b"content-type: text/x; charset=latin1\r\n"),
            headed(b'{"id":6,"pad":"' + b"x" * LIMIT + b'"}'),
            b"Content-Length: 20\r\n\r\n",
            b"Content-Length: -1\r\n\r\n",
            b"Content-Length: 99999999999999999999\r\n\r\n",
            b"Content-Length: 0\r\n\r\n",
            b"CONTENT-LENGTH:2\n\n{}",
            b"X: " + b"y" * MAX_HEADER_BYTES,
        ]
    ),
)


@settings(max_examples=400)
@given(
    st.lists(PIECES, max_size=12).map(b"".join),
    st.sampled_from(FRAMINGS),
    st.lists(st.integers(1, 40), max_size=30),
)
def test_how_the_bytes_are_split_changes_nothing(
    data: bytes, framing: Framing, sizes: list[int]
) -> None:
    whole = frames([data], framing)
    assert frames((data[i : i + 1] for i in range(len(data))), framing) == whole
    pieces, at = [], 0
    for size in sizes:
        pieces.append(data[at : at + size])
        at += size
    assert frames([*pieces, data[at:]], framing) == whole


@settings(max_examples=300)
@given(st.lists(st.binary(max_size=200), max_size=8), st.sampled_from(FRAMINGS))
def test_any_bytes_can_be_decoded(pieces: list[bytes], framing: Framing) -> None:
    for frame in frames(pieces, framing):
        assert not isinstance(frame, bytes) or len(frame) <= LIMIT


@settings(max_examples=200)
@given(
    st.lists(st.binary(min_size=1, max_size=LIMIT), max_size=8),
    st.lists(st.sampled_from([b"", b"X-Other: 1\r\n", b"x:y\n"]), min_size=8, max_size=8),
)
def test_headers_carry_any_bytes(bodies: list[bytes], extra: list[bytes]) -> None:
    data = b"".join(headed(body, more) for body, more in zip(bodies, extra, strict=False))
    assert frames([data]) == bodies if data else frames([data]) == []


@pytest.mark.parametrize("mark", [b"", BOM, BOM + b"\r\n", b" \n" + BOM + b" "])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 1000])
def test_a_byte_order_mark_is_skipped_in_any_framing(mark: bytes, size: int) -> None:
    def split(data: bytes) -> list[bytes]:
        return [data[i : i + size] for i in range(0, len(data), size)]

    line = mark + b'{"id":1}\n'
    head = mark + headed(b'{"id":1}')
    assert frames(split(line)) == [b'{"id":1}']
    assert frames(split(line), "line") == [b'{"id":1}']
    assert frames(split(head)) == [b'{"id":1}']
    assert frames(split(head), "header") == [b'{"id":1}']


def test_lines_end_in_lf_or_crlf_and_blank_ones_are_skipped() -> None:
    assert frames([b'\r\n\n{"id":1}\r\n \t\n\r\n{"id":2}\n[3]\r\n4']) == [
        b'{"id":1}',
        b'{"id":2}',
        b"[3]",
        b"4",
    ]


@pytest.mark.parametrize("first", [b"{", b"["])
def test_the_first_byte_after_white_space_selects_the_framing(first: bytes) -> None:
    assert frames([b"  \r\n\t" + first + b"\n"]) == [first]


def test_output_has_the_framing_of_the_client() -> None:
    lines, headers, forced = StreamDecoder(), StreamDecoder(), StreamDecoder("header")
    lines.feed(b"{")
    headers.feed(b"C")
    forced.feed(b"{")
    assert lines.frame(b"12") == b"12\n"
    assert headers.frame(b"12") == b"Content-Length: 2\r\n\r\n12"
    assert forced.frame(b"12") == b"Content-Length: 2\r\n\r\n12"


@pytest.mark.parametrize(
    "head",
    [
        b"content-length: 2\r\n\r\n",
        b"CONTENT-LENGTH:2\r\n\r\n",
        b"Content-Length : 2 \n\n",
        b"X-A: 1\r\nContent-Length: 2\r\nX-B: \r\n\r\n",
        b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\nContent-Length: 2\r\n\r\n",
        b'Content-Length: 2\r\ncontent-type: x; CHARSET="UTF8"\r\n\r\n',
        b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n",
        b"Content-Length: 002\r\n\r\n",
        b"\r\n\r\nContent-Length: 2\r\n\r\n",
    ],
)
def test_headers_are_read_leniently(head: bytes) -> None:
    assert frames([head + b"{}" + head + b"[]"]) == [b"{}", b"[]"]


def test_another_charset_is_refused_and_the_next_message_served() -> None:
    other = b"Content-Type: text/plain; charset=utf-16\r\n"
    found = frames([headed(b'{"id":"x"}', other) + headed(b"{}")])
    assert isinstance(found[0], tuple)
    assert found[0][:2] == ("invalid_request", b'"x"')
    assert found[1:] == [b"{}"]


@pytest.mark.parametrize(
    "head",
    [
        b"X: 1\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: +5\r\n\r\n",
        b"Content-Length: 1_0\r\n\r\n",
        b"Content-Length: 5.0\r\n\r\n",
        b"Content-Length:\r\n\r\n",
        b"Content-Length: " + b"9" * 30 + b"\r\n\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n",
        b"hello\r\n",
        b"X: " + b"y" * MAX_HEADER_BYTES,
        b"X: y\r\n" * MAX_HEADER_BYTES,
        b"Content-Le",
        b"Content-Length: 2\r\n",
        b"\xef",
        BOM[:2] + b"x\r\n",
    ],
)
def test_headers_without_a_length_end_the_input(head: bytes) -> None:
    (found,) = frames([head])
    assert isinstance(found, tuple)
    assert (found[0], found[3]) == ("parse_error", True)


def test_an_empty_body_is_a_message() -> None:
    assert frames([headed(b"") + headed(b"{}")]) == [b"", b"{}"]


@pytest.mark.parametrize("came", [0, 1, 8, 9])
def test_the_error_of_a_truncated_body_has_its_id(came: int) -> None:
    data = headed(b'{"id":42}')
    (found,) = frames([data[: len(data) - 9 + came] if came < 9 else data])
    if came == 9:
        assert found == b'{"id":42}'
    else:
        assert found[0] == "parse_error"
        assert not found[3]


def test_the_id_of_a_truncated_body_is_recovered() -> None:
    (found,) = frames([b'Content-Length: 60\r\n\r\n{"id":42,"method":'])
    assert found[:2] == ("parse_error", b"42")


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 7, 1000])
def test_the_size_limit_does_not_include_the_framing(end: bytes, size: int) -> None:
    def pad(length: int) -> bytes:
        return b'{"id":1,"pad":"' + b"x" * (length - 17) + b'"}'

    for body, fits in ((pad(LIMIT), True), (pad(LIMIT + 1), False)):
        for data in (body + end + b"{}" + end, headed(body) + headed(b"{}")):
            found = frames(data[i : i + size] for i in range(0, len(data), size))
            assert kinds(found) == [body if fits else "message_too_large", b"{}"]


WHERE = [
    b'{"id":%b,"pad":"%b"}',
    b'{"pad":"%b","id":%b}',
    b'{"pad":{"id":9,"x":["%b"]},"id":%b,"more":{"id":8}}',
    b'{"pad":"\\\\\\"id\\":3,%b", "id" : %b }',
    b'[{"id":3}],{"pad":"%b","id":%b}',
]


@pytest.mark.parametrize("request_id", [b"7", b"null", b'"a\\"b"', b"-12345678901234567890"])
@pytest.mark.parametrize("shape", WHERE[:4])
def test_the_id_of_a_message_too_large_is_recovered(shape: bytes, request_id: bytes) -> None:
    pad = b"x{}[],:" * 40
    body = shape % ((request_id, pad) if shape.startswith(b'{"id"') else (pad, request_id))
    for data in (body + b"\n", headed(body)):
        for size in (1, 3, 10_000):
            (found,) = frames(data[i : i + size] for i in range(0, len(data), size))
            assert found[:2] == ("message_too_large", request_id)


@pytest.mark.parametrize("with_head", [False, True])
def test_a_message_of_17_mib_is_refused_in_bounded_memory(with_head: bool) -> None:
    chunk = b"x" * (1 << 16)
    length = 17 << 20
    start, end = b'{"pad":"', b'","id":5}'
    decoder = StreamDecoder(max_bytes=16 << 20)
    tracemalloc.start()
    if with_head:
        decoder.feed(b"Content-Length: %d\r\n\r\n" % (len(start) + length + len(end)))
    decoder.feed(start)
    assert decoder.next() is None
    for _ in range(length // len(chunk)):
        decoder.feed(chunk)
        assert decoder.next() is None
    decoder.feed(end + b"\n" + (headed(b"{}") if with_head else b"{}\n"))
    frame = decoder.next()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(frame, Malformed)
    assert (frame.error.kind, frame.id) == ("message_too_large", b"5")
    assert decoder.next() == b"{}"
    assert peak < 1 << 20 if with_head else peak < 40 << 20


def test_a_message_that_arrives_byte_by_byte_takes_a_few_times_its_size_at_most() -> None:
    size = 1 << 18
    for head, tail in ((b"Content-Length: %d\r\n\r\n" % size, b""), (b"[", b"\n")):
        decoder = StreamDecoder(max_bytes=1 << 20)
        decoder.feed(head)
        tracemalloc.start()
        for _ in range(size):
            decoder.feed(b"a")
            frame = decoder.next()
        if tail:
            decoder.feed(tail)
            frame = decoder.next()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert isinstance(frame, bytes)
        assert peak < 4 * size


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_lines_contain_no_character_that_a_reader_treats_as_a_line_end(character: str) -> None:
    text = json.dumps({"é“x”": f"{character}a{character * 3}\u2027\x84"}, ensure_ascii=False)
    lines, headers = StreamDecoder(), StreamDecoder()
    lines.feed(b"{")
    headers.feed(b"C")
    for decoder in (lines, StreamDecoder()):
        sent = decoder.escape(text.encode())
        assert len(sent.decode().splitlines()) == 1
        assert json.loads(sent) == json.loads(text)
        assert sent.count(b"\\u") == 4
    assert headers.escape(text.encode()) == text.encode()


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_survives_line_framing(text: str) -> None:
    sent = LineDecoder().escape(fast.encode(text))
    assert json.loads(sent) == text
    assert len(sent.decode().splitlines()) == 1


def test_headers_that_arrive_byte_by_byte_are_read_once() -> None:
    decoder = StreamDecoder()
    block = b"x:\r\n" * (MAX_HEADER_BYTES // 4 - 10) + b"Content-Length: 2\r\n\r\n"
    for _ in range(20):
        for byte in block:
            decoder.feed(bytes([byte]))
            assert decoder.next() is None
        decoder.feed(b"{}")
        assert decoder.next() == b"{}"
