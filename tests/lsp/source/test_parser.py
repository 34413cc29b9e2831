"""Incremental parsing: the same result as parsing the text anew."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tree_sitter import Node

from flyte_sidecar.lsp.source import parser as parser_module
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


def test_an_edit_can_complete_the_line_end_before_it() -> None:
    file = SourceFile(SourceText("flyte = [\r1]\rx = 1\r"))
    for position in (len("flyte = [\r"), len("flyte = [\r\n1]\r")):
        file.accept(file.snapshot().parse())
        file.edit(position, position, "\n")
    incremental, fresh = file.snapshot().parse().tree, parsed(str(file.text)).tree
    assert incremental is not None
    assert fresh is not None
    assert shape(incremental.root_node) == shape(fresh.root_node)


def test_edits_during_a_parse_are_part_of_the_next_one() -> None:
    file = SourceFile(SourceText(WORKFLOW))
    first = file.snapshot()
    file.edit(0, 0, "# comment\n")
    second = file.snapshot()
    file.edit(0, 0, "flyte.new_condition('new')\n")
    file.accept(first.parse())
    file.accept(second.parse())
    assert [found.name for found in file.snapshot().parse().declarations] == [
        "new",
        "approve-deploy",
    ]


def test_an_older_result_does_not_replace_a_newer_one() -> None:
    file = SourceFile(SourceText(WORKFLOW))
    old = file.snapshot()
    file.edit(0, 0, "flyte.new_condition('new')\n")
    new = file.snapshot().parse()
    file.accept(new)
    file.accept(old.parse())
    assert file.parsed is new
    assert file.snapshot().parse().declarations == new.declarations


def test_a_result_is_outdated_after_another_edit() -> None:
    file = SourceFile(SourceText(WORKFLOW))
    result = file.snapshot().parse()
    assert result.text is file.text
    file.edit(0, 0, "x")
    assert result.text is not file.text


def test_a_replaced_text_is_parsed_anew() -> None:
    file = SourceFile(SourceText(WORKFLOW))
    file.accept(file.snapshot().parse())
    late = file.snapshot()
    file.replace(SourceText("import flyte\nflyte.new_condition('other')\n"))
    file.accept(late.parse())
    assert [found.name for found in file.snapshot().parse().declarations] == ["other"]


def test_more_edits_than_are_kept_lead_to_a_new_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_module, "MAX_EDITS", 3)
    file = SourceFile(SourceText(WORKFLOW))
    file.accept(file.snapshot().parse())
    for _ in range(5):
        file.edit(0, 0, "flyte.new_condition('new')\n")
    assert len(file.snapshot().edits) <= 3
    assert len(file.snapshot().parse().declarations) == 6


def test_a_file_over_the_limit_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_module, "MAX_PARSED_BYTES", len(WORKFLOW.encode()) - 1)
    assert parsed(WORKFLOW).tree is None
    assert parsed(WORKFLOW.replace("Deploys ", "")).tree is not None


def test_a_parse_reads_the_text_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parser_module, "CHUNK_SIZE", 3)
    assert [found.name for found in parsed(WORKFLOW).declarations] == ["approve-deploy"]


@pytest.mark.parametrize(
    "code", ["(flyte\n" * 2_000, "x = [\n'flyte\n" * 2_000, "def f(\n" * 2_000]
)
def test_deeply_nested_code_is_parsed(code: str) -> None:
    assert [found.name for found in parsed(f"flyte.new_event('a')\n{code}").declarations] == ["a"]
