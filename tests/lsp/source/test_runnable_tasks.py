"""Which tasks of a file can be run by their names."""

from __future__ import annotations

import pytest

from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.text import SourceText

ENVIRONMENT = 'import flyte\nenv = flyte.TaskEnvironment("env")\n'


def tasks(code: str) -> list[tuple[str, ...]]:
    """Return the name and the parameters of each task."""
    parsed = SourceFile(SourceText(ENVIRONMENT + code)).snapshot().parse()
    return [(task.name, *task.parameters) for task in parsed.runnable_tasks]


@pytest.mark.parametrize(
    "code",
    [
        "@env.task\ndef f(): ...",
        "@env.task\nasync def f(): ...",
        "@env.task()\ndef f(): ...",
        "@env.task(\n    cache='auto',\n)\n# a comment\n\n@other\nasync def f():\n    return 1",
        "@other\n@env.task\ndef f(): ...",
        "if x:\n    @env.task\n    def f(): ...",
        "other = env.clone_with('other')\n@other.task\ndef f(): ...",
        "from environments import other\n@other.task\ndef f(): ...",
        "import environments\n@environments.env.task\ndef f(): ...",
        "@env.task\r\ndef f():\r\n    return 1\r\n",
    ],
)
def test_a_function_of_the_module_that_is_decorated_as_a_task_is_found(code: str) -> None:
    assert tasks(code) == [("f",)]


@pytest.mark.parametrize(
    "code",
    [
        "class A:\n    @env.task\n    def f(self): ...",
        "def g():\n    @env.task\n    def f(): ...",
        "class A:\n    @env.task\n    def f(self):\n        x = foo(\n",
        "x = 1: @env.task\n    def f():",
        "def f(): ...",
        "@env.task\nclass A: ...",
        "@env.task\nx = 1\ndef f(): ...",
        "@env.other\ndef f(): ...",
        "@env.task.other\ndef f(): ...",
        "@task\ndef f(): ...",
        "app = Celery()\n@app.task\ndef f(): ...",
        "@app.task\ndef f(): ...",
        "import prefect\n@prefect.task\ndef f(): ...",
        '"""\n@env.task\ndef f(): ...\n"""\n# @env.task\n',
        "print(env.task)\ndef f(): ...",
    ],
)
def test_other_functions_are_not(code: str) -> None:
    assert tasks(code) == []


def test_the_parameters_are_those_without_a_default() -> None:
    code = "@env.task\ndef f(a, /, b: dict[str, int], c=1, *args: int, d, e=2, **more: int): ..."
    assert tasks(code) == [("f", "a", "b", "d")]


def test_of_several_tasks_of_a_name_the_last_is_found() -> None:
    assert tasks("@env.task\ndef f(x): ...\n@env.task\ndef g(): ...\n@env.task\ndef f(): ...") == [
        ("g",),
        ("f",),
    ]


DAMAGED = """\
@env.task
async def first(a: int, b: dict[str,
    int]) -> int:
{}
    return 1


@env.task(cache="auto")
def second(c: str, d=1):
    pass
"""


@pytest.mark.parametrize(
    "line",
    [
        "    x = foo(",
        "    if a[",
        "    '",
        "    x = {'a': [",
        '    f("',
        "    class",
        "    await (",
    ],
)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_syntax_errors_in_the_bodies_change_nothing(line: str, line_end: str) -> None:
    code = DAMAGED.format(line).replace("\n", line_end)
    assert tasks(code) == [("first", "a", "b"), ("second", "c")]
    assert tasks(f"x = (\n{code}") == [("first", "a", "b"), ("second", "c")]


@pytest.mark.parametrize(
    ("header", "parameters"),
    [("", ()), ("a", ("a",)), ("a, b", ("a", "b")), ("a: int, b=", ("a",)), ("a={}, b,,*", ("b",))],
)
def test_a_task_stays_while_its_parameters_are_typed(
    header: str, parameters: tuple[str, ...]
) -> None:
    found = tasks(f"@env.task\ndef f({header}\n    return 1\n\n    if x:\n        pass\n")
    assert found[0][0] == "f"
    assert {*parameters} <= {*found[0][1:]}
    assert all(name.isidentifier() for name in found[0])


def test_a_task_is_found_while_a_type_is_typed_at_the_end() -> None:
    assert tasks("@env.task()\n@other\nasync def f(a:") == [("f", "a")]
