r"""The text of a file in blocks of lines, so that an edit costs as little as the block it is in.

The text is stored as UTF-8. An unpaired surrogate, which an editor may send between two keystrokes,
has the three bytes of `surrogatepass` and counts as one character in every encoding. A line ends
with ``\n``, ``\r\n`` or ``\r``, as in LSP: never with a form feed or U+2028.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from functools import cached_property
from itertools import accumulate
from typing import Literal

Encoding = Literal["utf-8", "utf-16", "utf-32"]
"""The unit of a character offset: bytes, UTF-16 code units or code points."""

BLOCK_SIZE = 1 << 14
"""The bytes of a block, except for one that has a longer line."""

_LINE_END = re.compile(rb"\r\n?|\n")
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")


class _Block:
    """Lines with their line ends, except for the last block of a text.

    The last block contains the last line, which has no line end and may be empty.
    """

    __slots__ = ("_starts", "data", "lines")

    def __init__(self, data: bytes) -> None:
        self.data = data
        ends = data.count(b"\n")
        if b"\r" in data:
            ends += data.count(b"\r") - data.count(b"\r\n")
        self.lines = 1 + ends - (1 if data.endswith((b"\n", b"\r")) else 0)
        self._starts: list[int] | None = None

    @property
    def starts(self) -> list[int]:
        """The offsets of the lines, which are found when they are first needed."""
        if self._starts is None:
            ends = (found.end() for found in _LINE_END.finditer(self.data))
            self._starts = [0, *ends][: self.lines]
        return self._starts


class SourceText:
    """An immutable text.

    Offsets are in bytes of `data`, lines are counted from 0, and characters are counted in the
    units of an encoding. Positions outside the text are clamped to it.
    """

    def __init__(self, text: str = "") -> None:
        self._assign(_split(text.encode("utf-8", "surrogatepass"), last=True))

    def _assign(self, blocks: Sequence[_Block]) -> None:
        self._blocks = blocks
        self._offsets = [0, *accumulate(len(block.data) for block in blocks)]
        self._lines = [0, *accumulate(block.lines for block in blocks)]

    @cached_property
    def data(self) -> bytes:
        """The text in UTF-8, in one piece."""
        return b"".join(block.data for block in self._blocks)

    def __len__(self) -> int:
        """Return the length in bytes."""
        return self._offsets[-1]

    def __str__(self) -> str:
        return self.data.decode("utf-8", "surrogatepass")

    def contains(self, part: bytes) -> bool:
        """Return whether `part`, which must not contain a line end, occurs in the text."""
        return any(part in block.data for block in self._blocks)

    def offset(self, line: int, character: int, encoding: Encoding) -> int:
        """Return the offset of a position.

        A character beyond the end of its line means the end of the line, before its line end. A
        line beyond the last one means the end of the text. A position inside a character means
        the start of the character.
        """
        if line < 0:
            return 0
        if line >= self._lines[-1]:
            return len(self)
        index = bisect_right(self._lines, line) - 1
        start, data = self._line(index, line - self._lines[index])
        return self._offsets[index] + start + _length(data, max(character, 0), encoding)

    def position(self, offset: int, encoding: Encoding) -> tuple[int, int]:
        """Return the line and character of an offset.

        An offset inside a line end means the end of the line, and one inside a character means the
        start of the character.
        """
        index, line, column = self._locate(offset)
        _, data = self._line(index, line)
        return self._lines[index] + line, _units(data[: _character_start(data, column)], encoding)

    def point(self, offset: int) -> tuple[int, int]:
        """Return the line and the byte in it, also for an offset inside a line end."""
        index, line, column = self._locate(offset)
        return self._lines[index] + line, column

    def replaced(self, start: int, end: int, new: str) -> SourceText:
        """Return a text in which the bytes from `start` to `end` are replaced."""
        end = min(max(end, 0), len(self))
        start = min(max(start, 0), end)
        blocks = self._blocks
        first, last = self._block(start), self._block(end)
        data = b"".join(
            (
                blocks[first].data[: start - self._offsets[first]],
                new.encode("utf-8", "surrogatepass"),
                blocks[last].data[end - self._offsets[last] :],
            )
        )
        if first and blocks[first - 1].data.endswith(b"\r") and data.startswith(b"\n"):
            first -= 1
            data = blocks[first].data + data
        split = _split(data, last=last == len(blocks) - 1)
        text = SourceText.__new__(SourceText)
        text._assign([*blocks[:first], *split, *blocks[last + 1 :]])
        return text

    def _block(self, offset: int) -> int:
        """Return the index of the block that contains an offset."""
        return min(bisect_right(self._offsets, offset), len(self._blocks)) - 1

    def _locate(self, offset: int) -> tuple[int, int, int]:
        """Return the block of an offset, the line in the block, and the byte in the line."""
        offset = min(max(offset, 0), len(self))
        index = self._block(offset)
        starts = self._blocks[index].starts
        inside = offset - self._offsets[index]
        line = bisect_right(starts, inside) - 1
        return index, line, inside - starts[line]

    def _line(self, index: int, line: int) -> tuple[int, bytes]:
        """Return the start of a line in its block, and the line without its line end."""
        block = self._blocks[index]
        start, *following = block.starts[line : line + 2]
        end = following[0] if following else len(block.data)
        return start, block.data[start:end].rstrip(b"\r\n")


def _split(data: bytes, *, last: bool) -> list[_Block]:
    """Split data into blocks. If it ends the text, its last line belongs to the last of them."""
    blocks = []
    start = 0
    while len(data) - start > BLOCK_SIZE:
        found = _LINE_END.search(data, start + BLOCK_SIZE)
        if found is None:
            break
        blocks.append(_Block(data[start : found.end()]))
        start = found.end()
    if last:
        end = max(data.rfind(b"\n"), data.rfind(b"\r"), start - 1) + 1
        if start < end:
            blocks.append(_Block(data[start:end]))
        blocks.append(_Block(data[end:]))
    elif start < len(data):
        blocks.append(_Block(data[start:]))
    return blocks


def _length(line: bytes, units: int, encoding: Encoding) -> int:
    """Return the bytes of the characters that fit into a number of units."""
    if encoding == "utf-8" or line.isascii():
        return _character_start(line, units)
    text = line.decode("utf-8", "surrogatepass")
    if encoding == "utf-16":
        for found in _ASTRAL.finditer(text):
            if found.start() >= units:
                break
            units -= 1
    return len(text[:units].encode("utf-8", "surrogatepass"))


def _units(characters: bytes, encoding: Encoding) -> int:
    """Return the length of whole characters in units."""
    if encoding == "utf-8" or characters.isascii():
        return len(characters)
    text = characters.decode("utf-8", "surrogatepass")
    return len(text) + (len(_ASTRAL.findall(text)) if encoding == "utf-16" else 0)


def _character_start(line: bytes, offset: int) -> int:
    """Return the start of the character at an offset, or the end of the line."""
    if offset >= len(line):
        return len(line)
    while line[offset] & 0xC0 == 0x80:
        offset -= 1
    return offset
