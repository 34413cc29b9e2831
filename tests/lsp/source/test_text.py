"""The text of a file: positions in every encoding, and edits."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flyte_sidecar.lsp.source import text as text_module
from flyte_sidecar.lsp.source.text import Encoding, SourceText

ENCODINGS: tuple[Encoding, ...] = ("utf-8", "utf-16", "utf-32")

PIECES = ["a", "bc", "é", "€", "😀", "\ud83d", "\ude00", "\n", "\r", "\r\n", "\f", "\u2028", "\x85"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_module, "BLOCK_SIZE", 5)


def encode(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def width(character: str, encoding: Encoding) -> int:
    """Return the units of a character."""
    if encoding == "utf-8":
        return len(encode(character))
    return 2 if encoding == "utf-16" and ord(character) > 0xFFFF else 1


def places(text: str, encoding: Encoding) -> Iterator[tuple[int, int, int]]:
    """Yield the offset, line and character of each place between characters, and of both ends."""
    offset = line = character = 0
    for index, each in enumerate(text):
        yield offset, line, character
        offset += len(encode(each))
        if each == "\n" or (each == "\r" and text[index + 1 : index + 2] != "\n"):
            line, character = line + 1, 0
        else:
            character += width(each, encoding)
    yield offset, line, character


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS)
def test_an_offset_and_its_position_are_converted_into_one_another(
    text: str, encoding: Encoding
) -> None:
    source = SourceText(text)
    for offset, line, character in places(text, encoding):
        assert source.point(offset) == (line, offset - len(encode("".join(lines(text)[:line]))))
        if encode(text)[max(offset - 1, 0) : offset + 1] == b"\r\n":  # inside a line end
            assert source.position(offset, encoding) == (line, character - 1)
        else:
            assert source.position(offset, encoding) == (line, character)
            assert source.offset(line, character, encoding) == offset


def lines(text: str) -> list[str]:
    """Return the lines with their line ends."""
    return re.findall(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+\Z", text)


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(text=TEXTS, units=st.integers(0, 45))
def test_a_character_outside_its_line_or_inside_another_is_clamped(
    text: str, units: int, encoding: Encoding
) -> None:
    source = SourceText(text)
    start = 0
    for number, line in enumerate(lines(text)):
        fitting = ""
        for character in line.rstrip("\r\n"):
            if sum(width(each, encoding) for each in fitting + character) > units:
                break
            fitting += character
        assert source.offset(number, units, encoding) == start + len(encode(fitting))
        start += len(encode(line))


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_line_after_the_last_one_means_the_end(encoding: Encoding) -> None:
    assert SourceText("a\nb\n").offset(2, 0, encoding) == 4
    assert SourceText("a\nb\n").offset(3, 7, encoding) == 4
    assert SourceText("a\nbc").offset(2, 0, encoding) == 4
    assert SourceText().offset(1, 1, encoding) == 0


def test_an_offset_inside_a_character_has_the_position_of_its_start() -> None:
    source = SourceText("é😀")
    assert [source.position(offset, "utf-16") for offset in range(7)] == [
        *[(0, 0)] * 2,  # é
        *[(0, 1)] * 4,  # 😀
        (0, 3),
    ]


@given(text=TEXTS, edits=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 12), TEXTS)))
@example("abcd\r\nefgh\r", [(5, 1, "")])  # a line end becomes another one
@example("abcde\rfghij\r", [(6, 0, "\nx")])  # at the border of two blocks
@example("abcde\nfghij\nk", [(5, 1, "")])  # two blocks become one line
@example("abcde\r\nfghij\nk", [(6, 1, "")])
@example("abcdef\rxbcdef\n", [(7, 1, "\n")])
def test_edits_have_the_result_of_a_new_text(text: str, edits: list[tuple[int, int, str]]) -> None:
    source = SourceText(text)
    for place, size, new in edits:
        start = min(place, len(text))
        end = min(start + size, len(text))
        before, after = text[:start], text[end:]
        source = source.replaced(len(encode(before)), len(encode(text[:end])), new)
        text = before + new + after
        fresh = SourceText(text)
        assert source.data == fresh.data == encode(text)
        assert len(source) == len(fresh.data)
        for offset in range(len(source) + 1):
            assert source.point(offset) == fresh.point(offset)
            assert source.position(offset, "utf-16") == fresh.position(offset, "utf-16")


def test_edits_outside_the_text_are_clamped() -> None:
    assert str(SourceText("abc").replaced(2, 9, "x")) == "abx"
    assert str(SourceText("abc").replaced(-1, 1, "x")) == "xbc"
    assert str(SourceText("abc").replaced(2, 1, "x")) == "axbc"


def test_an_edit_leaves_the_text_before_it_unchanged() -> None:
    source = SourceText("a\nb")
    source.replaced(0, 3, "")
    assert source.data == b"a\nb"


def test_a_part_is_found_in_any_block() -> None:
    source = SourceText("first\nsecond\nflyte")
    assert source.contains(b"flyte")
    assert source.contains(b"second")
    assert not source.contains(b"third")
