"""Incremental parsing: the same result as parsing the text anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Node

from flyte_sidecar.lsp.source.parser import ParsedSource, SourceFile
from flyte_sidecar.lsp.source.text import SourceText

WORKFLOW = '''\
import flyte
from flyte.remote import Condition

APPROVE = "approve"
env = flyte.TaskEnvironment(name="env")


@env.task
async def deploy(stage: str) -> bool:
    """Deploys é 😀."""
    condition = await flyte.new_condition.aio(
        f"{APPROVE}-deploy", prompt="Deploy?", data_type=bool
    )
    return await condition.wait.aio()


def answer(run: str) -> None:
    Condition.get("approve-deploy", run_name=run).signal(True)
'''

PIECES = [
    *("a", " ", "    ", "\n", "\r", "\r\n", "é", "😀", "\ud83d", "\ude00", "\f", "(", ")", '"'),
    *("'''", ":", ",", "=", "#", "\\", "\n    x = 1\n", "flyte.new_condition('x')", "def f():\n"),
    'Condition.get("',
]
NEW = st.lists(st.sampled_from(PIECES), max_size=3).map("".join)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), NEW), min_size=1, max_size=10)


def parsed(text: str) -> ParsedSource:
    return SourceFile(SourceText(text)).snapshot().parse()


def shape(node: Node) -> list[object]:
    """Return the types, offsets and points of all nodes."""
    found: list[object] = []
    nodes = [node]
    while nodes:
        node = nodes.pop()
        found.append((node.type, node.byte_range, node.start_point, node.end_point))
        nodes += node.children
    return found


def offset_in(text: SourceText, place: float) -> int:
    """Return the start of a character."""
    return text.offset(*text.position(round(place * len(text)), "utf-16"), "utf-16")


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@given(edits=EDITS, data=st.data())
def test_a_tree_after_edits_is_that_of_the_new_text(
    line_end: str, edits: list[tuple[float, int, str]], data: st.DataObject
) -> None:
    file = SourceFile(SourceText(WORKFLOW.replace("\n", line_end)))
    file.accept(file.snapshot().parse())
    for place, size, new in edits:
        start = offset_in(file.text, place)
        end = offset_in(file.text, min((start + size) / len(file.text), 1)) if file.text else 0
        file.edit(start, max(start, end), new)
        if data.draw(st.booleans()):
            file.accept(file.snapshot().parse())
    incremental, fresh = file.snapshot().parse(), parsed(str(file.text))
    if fresh.tree is None:
        assert incremental.tree is None
        return
    assert incremental.tree is not None
    if not fresh.tree.root_node.has_error:
        assert shape(incremental.tree.root_node) == shape(fresh.tree.root_node)
    assert incremental.declarations == fresh.declarations
    assert incremental.references == fresh.references
    assert incremental.problems == fresh.problems
