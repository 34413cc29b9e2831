"""Files in the middle of an edit: what is not being edited keeps its declarations."""

from __future__ import annotations

import pytest

from flyte_sidecar.lsp.source.declarations import Declaration
from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.text import SourceText

IMPORTS = """\
import flyte
from flyte import new_condition as nc
"""
FIRST = '''
NAME = "constant"
env = flyte.TaskEnvironment(name="env")


@env.task
async def first(x: int) -> bool:
    """Docs, it's one."""
'''
SECOND = """
    a = await flyte.new_condition.aio("before", prompt="Go?", data_type=int)
    return await a.wait.aio()

"""
THIRD = '''

@env.task
async def last(y: str) -> str:
    c = await nc.aio(NAME, data_type=str)
    d = await flyte.new_condition.aio(f"{NAME}-x", prompt="it's", description="""
Column 0.
""")
    return f"{y} {await d.wait.aio()}"


def helper():
    flyte.new_condition("helped", "Q?")
'''

TYPED = {
    "task": '''
@env.task(cache="auto", retries=3)
async def middle(a: dict[str, int], *, b=(1, 2)) -> bool:
    """Docs of "middle"."""
    if a["x"] > 3 and not (b or [1]):
        e = await flyte.new_condition.aio(
            "middle",
            prompt=f"Deploy {a}?",
            data_type=bool,
        )
    return {"x": await e.wait.aio()}
''',
    "imports": "from os import (path, sep)\nimport json as j\n",
    "constant": 'OTHER = """text"""\n',
    "statement": "    x = foo(bar['a'], {'k': 1})\n",
    "call": "    z = await flyte.new_condition.aio('t', prompt=\"it's\", data_type=float)\n",
}


def parse(code: str) -> tuple[Declaration, ...]:
    return SourceFile(SourceText(code)).snapshot().parse().declarations


def facts(declarations: tuple[Declaration, ...]) -> set[tuple[object, ...]]:
    """Return everything but the offsets."""
    return {
        (each.name, each.expected_type, each.prompt, each.prompt_type, each.description, each.task)
        for each in declarations
    }


@pytest.mark.parametrize(
    ("typed", "before", "after"),
    [
        ("task", IMPORTS + FIRST + SECOND, THIRD),
        ("task", IMPORTS + FIRST + SECOND + THIRD, ""),
        ("imports", IMPORTS, FIRST + SECOND + THIRD),
        ("imports", "", "\n" + IMPORTS + FIRST + SECOND + THIRD),
        ("constant", IMPORTS, FIRST + SECOND + THIRD),
        ("constant", IMPORTS + FIRST + SECOND, THIRD),
        ("statement", IMPORTS + FIRST, SECOND + THIRD),
        ("statement", IMPORTS + FIRST + SECOND, THIRD),
        ("call", IMPORTS + FIRST, SECOND + THIRD),
        ("call", IMPORTS + FIRST + SECOND, THIRD),
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_the_other_declarations_stay_while_code_is_typed(
    typed: str, before: str, after: str, line_end: str
) -> None:
    before, after = before.replace("\n", line_end), after.replace("\n", line_end)
    code = TYPED[typed].replace("\n", line_end)
    stay = facts(parse(before + after))
    whole = facts(parse(before + code + after))
    assert stay <= whole
    assert len(stay) == 4
    file = SourceFile(SourceText(before + after))
    position = len(before)
    for character in code:
        file.edit(position, position, character)
        position += 1
        parsed = file.snapshot().parse()
        file.accept(parsed)
        if code[: position - len(before)].count('"""') % 2:
            continue  # the following code may be part of a string
        assert stay <= facts(parsed.declarations) <= whole


def test_a_whole_file_can_be_typed() -> None:
    code = IMPORTS + FIRST + SECOND + TYPED["task"] + THIRD
    whole = facts(parse(code))
    file = SourceFile(SourceText())
    for position, character in enumerate(code):
        file.edit(position, position, character)
        parsed = file.snapshot().parse()
        file.accept(parsed)
        assert {fact[0] for fact in facts(parsed.declarations)} <= {fact[0] for fact in whole}
    assert facts(parsed.declarations) == whole


@pytest.mark.parametrize(
    "arguments", ["'a', prompt=", "'a', prompt=)", "'a', *)", "'a', data_type=int prompt='x')"]
)
def test_a_half_typed_argument_leaves_the_name_at_most(arguments: str) -> None:
    for found in parse(f"import flyte\nflyte.new_condition({arguments}\nx = 1\n"):
        assert (found.name, found.expected_type, found.prompt) == ("a", None, None)


BROKEN = "    x = foo(\n"
"""A line that swallows others."""

TASK = """\
import flyte
env = flyte.TaskEnvironment("env")
@env.task
def task():
"""


def tasks(code: str) -> list[tuple[str | None, str | None]]:
    return [(each.name, each.task.function if each.task else None) for each in parse(code)]


def test_text_at_the_start_of_a_line_is_no_code() -> None:
    text = '    """\nflyte.new_condition("text")\n"""\n'
    example = text.replace("flyte", "import flyte\nflyte", 1)
    assert tasks(f"{TASK}{example}\n\ndef f():\n{BROKEN}") == []
    call = "    flyte.new_condition('a')\n"
    assert tasks(f"{TASK}{text}{call}{BROKEN}") == [("a", "task")]


def test_an_example_in_a_docstring_is_no_task() -> None:
    docs = '    """\n    @env.task\n    def example(): ...\n    """\n'
    call = "    if x:\n        flyte.new_condition('a')\n"
    assert tasks(f"{TASK}{docs}{call}{BROKEN}") == [("a", "task")]


def test_code_after_a_task_does_not_belong_to_it() -> None:
    call = f"if x:\n    flyte.new_condition('a')\n{BROKEN}"
    assert tasks(f"{TASK}    pass\n{call}") == [("a", None)]


def test_a_string_that_is_being_opened_does_not_hide_the_next_definitions() -> None:
    task = TASK.replace("import flyte\n", "")
    body = '    """Docs."""\n    flyte.new_condition("a")\n'
    assert tasks(f'import flyte\nTEXT = """\n\n{task}{body}') == [("a", "task")]


@pytest.mark.parametrize("line", ["    NAME = 'local',\n", "    NAME = foo()\n"])
@pytest.mark.parametrize("broken", [BROKEN, "    (\n", "    x = [\n", "    if (\n"])
def test_an_assignment_within_a_syntax_error_makes_a_name_uncertain(line: str, broken: str) -> None:
    names = {
        found.name
        for found in parse(f"NAME = 'module'\n{TASK}{broken}{line}    flyte.new_condition(NAME)\n")
    }
    assert "module" not in names
