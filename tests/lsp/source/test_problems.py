"""Mistakes that are certain, and code that may be right."""

from __future__ import annotations

import textwrap

import pytest
from buf.validate import validate_pb2
from flyteidl2.workflow.run_definition_pb2 import ConditionAction

from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.problems import MAX_LENGTHS
from flyte_sidecar.lsp.source.text import SourceText


def problems(code: str) -> list[tuple[str, str]]:
    """Return the code and the text of each problem."""
    code = textwrap.dedent(code)
    found = SourceFile(SourceText(code)).snapshot().parse().problems
    data = code.encode()
    return [
        (problem.code, data[problem.span.start : problem.span.end].decode()) for problem in found
    ]


def in_call(arguments: str, before: str = "") -> list[tuple[str, str]]:
    return problems(f"import flyte\n{before}\nflyte.new_condition('a', {arguments})")


@pytest.mark.parametrize(
    "expression",
    [
        *("'bool'", "1", "True", "None", "[bool]", "(bool, int)", "{}", "lambda: bool", "f'int'"),
        *("list", "dict", "bytes", "object", "complex", "(tuple)"),
        *("list[int]", "dict[str, int]", "tuple[int, ...]"),
    ],
)
def test_a_data_type_that_the_sdk_rejects_is_reported(expression: str) -> None:
    assert in_call(f"data_type={expression}") == [("invalid-data-type", expression)]


@pytest.mark.parametrize(
    "expression",
    [
        *("bool", "int", "float", "str", "(str)", "kind", "types.kind", "kind()", "list()"),
        *("Optional[int]", "bool if x else int", "int or 1", "x[0]", "int | int"),
    ],
)
def test_a_data_type_that_may_be_valid_is_not(expression: str) -> None:
    assert in_call(f"data_type={expression}") == []


def test_a_type_whose_name_is_bound_may_be_valid() -> None:
    assert in_call("data_type=list", "list = bool") == []
    assert in_call("data_type=list[0]", "from x import list") == []


def test_a_prompt_type_other_than_text_and_markdown_is_reported() -> None:
    assert in_call("prompt_type='html'") == [("invalid-prompt-type", "'html'")]
    assert in_call("prompt_type='text'") == []
    assert in_call("prompt_type='markdown'") == []
    assert in_call("prompt_type=kind") == []


@pytest.mark.parametrize(("parameter", "limit"), MAX_LENGTHS.items())
def test_a_text_over_the_limit_of_flyte_is_reported(parameter: str, limit: int) -> None:
    assert in_call(f"{parameter}='{'é' * limit}'") == []
    text = "'" + "é" * limit + "' 'x'"
    assert in_call(f"{parameter}={text}") == [("text-too-long", text)]
    assert in_call(f"{parameter}={text} + name") == []


def test_the_limits_are_those_of_flyte() -> None:
    fields = ConditionAction.DESCRIPTOR.fields_by_name
    limits = {
        name: fields[name].GetOptions().Extensions[validate_pb2.field].string.max_len
        for name in MAX_LENGTHS
    }
    if not any(limits.values()):
        pytest.skip("this release of flyteidl2 has no limits")
    assert limits == MAX_LENGTHS


TASK = """
import flyte
env = flyte.TaskEnvironment("env")
@env.task
async def task(x):
"""


def in_task(body: str) -> list[tuple[str, str]]:
    return problems(TASK + textwrap.indent(textwrap.dedent(body), "    "))


@pytest.mark.parametrize(
    "body",
    [
        "a = flyte.new_condition('x')\nb = flyte.new_condition('x')",
        "a = await flyte.new_condition.aio('x')\nb = await flyte.new_condition.aio('x')",
        "a = await flyte.new_event('x')\nprint(1)\nb = (await flyte.new_event('x'))\na.wait()",
        "flyte.new_condition('x')\nb = flyte.new_condition('x')",
        "for i in x:\n    a = flyte.new_condition('x')\n    b = flyte.new_condition('x')",
    ],
)
def test_a_condition_that_overwrites_another_one_of_the_task_is_reported(body: str) -> None:
    assert in_task(body) == [("duplicate-name", "'x'")]


@pytest.mark.parametrize(
    "body",
    [
        "a = flyte.new_condition('x')\nb = flyte.new_condition('y')",
        "a = flyte.new_condition('x')\na.wait()\nb = flyte.new_condition('x')",
        "a = flyte.new_condition('x')\nawait a.wait.aio()\nb = flyte.new_condition('x')",
        "a = flyte.new_condition('x')\nanswer(a)\nb = flyte.new_condition('x')",
        "flyte.new_condition('x').wait()\nflyte.new_condition('x').wait()",
        "answer(flyte.new_condition('x'))\nanswer(flyte.new_condition('x'))",
        "def f():\n    a.wait()\na = flyte.new_condition('x')\nf()\nb = flyte.new_condition('x')",
        "if x:\n    a = flyte.new_condition('x')\nelse:\n    a = flyte.new_condition('x')",
        "if x:\n    a = flyte.new_condition('x')\nb = flyte.new_condition('x')",
        "a = flyte.new_condition('x')\nreturn a\nb = flyte.new_condition('x')",
        "flyte.new_condition('x')\nwait(y)\nflyte.new_condition('x')",
        "flyte.new_condition('x')\nreturn\nflyte.new_condition('x')",
        "a = flyte.new_condition(x)\nb = flyte.new_condition(x)",
        "a = flyte.new_condition.aio('x')\nb = flyte.new_condition.aio('x')",
        "def f():\n    a = flyte.new_condition('x')\ndef g():\n    b = flyte.new_condition('x')",
    ],
)
def test_conditions_that_may_not_be_open_together_are_not(body: str) -> None:
    assert in_task(body) == []


def test_conditions_outside_of_tasks_are_not() -> None:
    assert (
        problems(
            "import flyte\ndef f():\n    a = flyte.new_event('x')\n    b = flyte.new_event('x')"
        )
        == []
    )


def test_messages_are_in_the_terms_of_the_user() -> None:
    code = "import flyte\nflyte.new_condition('a', data_type=list, prompt_type='x')"
    found = SourceFile(SourceText(code)).snapshot().parse().problems
    assert [(problem.severity, problem.message) for problem in found] == [
        ("error", "`data_type` must be one of bool, int, float, str"),
        ("error", '`prompt_type` must be "text" or "markdown"'),
    ]
