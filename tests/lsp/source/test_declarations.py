"""Which calls declare events, and the values of their arguments."""

from __future__ import annotations

import textwrap

import pytest

from flyte_sidecar.lsp.source.declarations import Declaration
from flyte_sidecar.lsp.source.parser import SourceFile
from flyte_sidecar.lsp.source.tasks import Task
from flyte_sidecar.lsp.source.text import SourceText


def declarations(code: str) -> tuple[Declaration, ...]:
    return SourceFile(SourceText(textwrap.dedent(code))).snapshot().parse().declarations


def names(code: str) -> list[str | None]:
    return [declaration.name for declaration in declarations(code)]


def only(code: str) -> Declaration:
    [declaration] = declarations(code)
    return declaration


@pytest.mark.parametrize(
    "code",
    [
        "import flyte\nflyte.new_condition('a')",
        "import flyte\nflyte.new_event('a')",
        "import flyte\nawait flyte.new_condition.aio('a')",
        "import flyte\nawait flyte.new_condition(name='a')",
        "import flyte\nflyte . new_condition ( # comment\n 'a' )",
        "import flyte as fl\nfl.new_condition('a')",
        "import os, flyte.remote, sys\nflyte.new_condition('a')",
        "from flyte import new_condition\nnew_condition('a')",
        "from flyte import TaskEnvironment, new_condition as nc\nnc.aio('a')",
        "from flyte import (\n    new_event as ask,  # before 2.5\n)\nask('a')",
        "from flyte import *\nnew_condition('a')",
        "from flyte._condition import new_condition\nnew_condition('a')",
        "def f():\n    import flyte as fl\n    fl.new_condition('a')",
        "try:\n    import flyte\nexcept ImportError:\n    flyte = None\nflyte.new_condition('a')",
        "try:\n    from flyte import new_condition as nc\n"
        "except ImportError:\n    from flyte import new_event as nc\nnc('a')",
        "flyte.new_condition('a')",  # the import is yet to be written
        "import flyte\nc = (await flyte.new_condition.aio('a')).wait()",
        "import flyte\nx = [flyte.new_condition('a') for i in y]",
        "import flyte\nf = lambda: flyte.new_condition('a')",
        "import flyte\nclass A:\n    def flyte(self):\n        flyte.new_condition('a')",
        "def f(x=1):\n    flyte.new_condition('a')\nimport flyte",
        "def f():\n    global nc\n    from flyte import new_condition as nc\n    nc('a')",
        "import flyte\nflyte.new_condition('a')\nflyte = None",
        "import flyte\ndef f():\n    global flyte\n    flyte.new_condition('a')",
        "import flyte\nx and (flyte := y)\nflyte.new_condition('a')",
    ],
)
def test_a_call_of_the_function_is_found_by_any_of_its_names(code: str) -> None:
    assert names(code) == ["a"]


@pytest.mark.parametrize(
    "code",
    [
        "import flyte\ndef f(flyte):\n    flyte.new_condition('a')",
        "import flyte\ndef f(flyte: int = 1):\n    flyte.new_condition('a')",
        "import flyte\ndef f(*, flyte: int):\n    flyte.new_condition('a')",
        "import flyte\ndef f(*flyte):\n    flyte.new_condition('a')",
        "import flyte\nf = lambda flyte: flyte.new_condition('a')",
        "import flyte\ndef f():\n    flyte = object()\n    flyte.new_condition('a')",
        "import flyte\ndef f():\n    (flyte, x) = object()\n    flyte.new_condition('a')",
        "import flyte\ndef f():\n    for flyte in x:\n        flyte.new_condition('a')",
        "import flyte\ndef f():\n    with x as flyte:\n        flyte.new_condition('a')",
        "import flyte\ndef f():\n    match x:\n        case flyte:\n            flyte.new_event(1)",
        "import flyte\n[flyte.new_condition('a') for flyte in x]",
        "import flyte\ndef f():\n    [(flyte := y) for y in x]\n    flyte.new_condition('a')",
        "import flyte\ndef f():\n    global flyte\n    flyte = x\n    flyte.new_condition('a')",
        "import flyte\nimport other as flyte\nflyte.new_condition('a')",
        "import flyte\nflyte = object()\ndef f():\n    flyte.new_condition('a')",
        "from flyte import new_condition\nfrom other import new_condition\nnew_condition('a')",
        "from other import new_condition\nnew_condition('a')",
        "from . import flyte\nflyte.new_condition('a')",
        "from .flyte import new_condition\nnew_condition('a')",
        "import other\nother.new_condition('a')",
        "new_condition('a')",
        "import flyte\nflyte.remote.new_condition('a')",
        "import flyte\nflyte.new_condition",
        "import flyte\nflyte.new_condition.other('a')",
        "import flyte\n'flyte.new_condition(1)'  # flyte.new_condition('a')",
        'import flyte\n"""\nflyte.new_condition("a")\n"""',
        "import flyte\ndef new_condition(): ...\nnew_condition('a')",
    ],
)
def test_a_call_of_something_else_is_none(code: str) -> None:
    assert names(code) == []


@pytest.mark.parametrize(
    "expression",
    [
        "'name'",
        '"name"',
        "('na' 'me')",
        "'na' + \"me\"",
        "'n' + ('a' + 'me')",
        "r'name'",
        "u'name'",
        "'''name'''",
        r"'\x6eam\145'",
        r"'\N{LATIN SMALL LETTER N}ame'",
        "'na\\\nme'",
        "f'name'",
        "f'{NAME}'",
        "f'na{ME}'",
        "F'n{A}' + ME",
        "f'{NA}' 'me'",
        "NAME",
        "ANNOTATED",
        "BUILT",
        "FIRST_ANNOTATED",
        "(\n# comment\nNAME)",
    ],
)
def test_a_certain_name_is_evaluated_as_python_does(expression: str) -> None:
    code = f"""\
NAME = "name"
ANNOTATED: Final[str] = "name"
A = "a"
NA = "n" + A
ME = "me"
BUILT = f"{{NA}}{{ME}}"
FIRST_ANNOTATED: str
FIRST_ANNOTATED = "name"
import flyte
flyte.new_condition({expression})
"""
    assert names(code) == ["name"]


@pytest.mark.parametrize(
    "literal",
    [
        *(r"'a\d\'\"\t\\'", r"r'\d\''", r"'\400\777'", r"'\8'", "f'{{x}}}}'", r"f'\x41{{'"),
        *('"""a\n"b" """', "'''a\\\nb'''", '"é😀\\u00e9\\U0001F600"', "'a' f'b' r'\\c'", "''"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid")
def test_a_literal_has_the_value_that_python_gives_it(literal: str) -> None:
    assert names(f"import flyte\nflyte.new_condition({literal})") == [eval(literal)]


@pytest.mark.parametrize(
    "expression",
    [
        "name",
        "PARAMETER",
        "b'name'",
        "f'{NAME!r}'",
        "f'{NAME:>9}'",
        "f'{NAME=}'",
        "f'{1}'",
        "f'{other}'",
        "f'{NAME}{other()}'",
        "NAME * 2",
        "NAME - 'e'",
        "NAME if x else NAME",
        "NAME.upper()",
        "'a' 'b'.upper()",
        "str(1)",
        "1",
        "None",
        "TWICE",
        "BRANCH",
        "IMPORTED",
        "LOOP",
        "GROWN",
        "OUTER",
        "DELETED",
        "ITSELF",
        "UNPACKED",
        "DECLARED",
        "WALRUS",
        "*['name']",
        r"'\N{NO SUCH NAME}'",
        "HUGE",
    ],
)
def test_a_name_that_is_not_certain_is_not_guessed(expression: str) -> None:
    code = f"""\
from other import IMPORTED
import flyte
NAME = "name"
TWICE = "a"
TWICE = "b"
if x:
    BRANCH = "a"
for LOOP in "ab": pass
GROWN = "a"
GROWN += "b"
OUTER = "a"
DELETED = "a"
del DELETED
ITSELF = ITSELF + ITSELF
UNPACKED, B = "a", "b"
DECLARED: str
WALRUS = "a"
(WALRUS := "b")
HUGE = "a" + B0
{chr(10).join(f"B{n} = B{n + 1} + B{n + 1}" for n in range(40))}
B40 = "long"
def other():
    global OUTER
    OUTER = "b"
def f(PARAMETER):
    flyte.new_condition({expression})
"""
    assert names(code) == [None]


def test_a_local_constant_is_certain_and_hides_that_of_the_module() -> None:
    assert names("""
        import flyte
        NAME = "module"
        def f():
            NAME = "local"
            flyte.new_condition(NAME)
        def g(NAME):
            flyte.new_condition(NAME)
        class A:
            NAME = "class"
            def h(self):
                flyte.new_condition(NAME)
    """) == ["local", None, "module"]


def test_arguments_are_found_by_position_and_by_name() -> None:
    by_position = only(
        "import flyte\nflyte.new_condition('a', 'Ship?', 'markdown', float, 'now', 3, None)"
    )
    by_name = only("""
        import flyte
        flyte.new_condition("a", description="now", data_type=float, prompt_type="markdown",
                            prompt="Ship?", timeout=3)
    """)
    for found in (by_position, by_name):
        assert found.name == "a"
        assert found.prompt == "Ship?"
        assert found.prompt_type == "markdown"
        assert found.expected_type == "float"
        assert found.description == "now"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("'a'", "bool"),
        ("'a', data_type=str", "str"),
        ("'a', data_type=int,", "int"),
        ("'a', data_type=kind", None),
        ("'a', data_type=list", None),
        ("'a', **options", None),
        ("*options", None),
        ("'a', *options, data_type=int", "int"),
    ],
)
def test_the_type_is_bool_by_default_and_none_if_it_is_not_certain(
    arguments: str, expected: str | None
) -> None:
    assert only(f"import flyte\nflyte.new_condition({arguments})").expected_type == expected


@pytest.mark.parametrize(
    "code",
    [
        "int = str",
        "from x import int",
        "def int(): ...",
        "class int: ...",
        "from x import a as int",
    ],
)
def test_a_type_whose_name_is_bound_is_not_certain(code: str) -> None:
    found = only(f"import flyte\n{code}\nflyte.new_condition('a', data_type=int)")
    assert found.expected_type is None


def test_unpacked_arguments_before_the_name_make_it_uncertain() -> None:
    assert names("import flyte\nflyte.new_condition(*a, 'x')\nflyte.new_condition('y', *a)") == [
        None,
        "y",
    ]


def test_the_spans_are_those_of_the_code() -> None:
    code = "import flyte\né = await flyte.new_condition.aio('a', prompt='?')\n"
    found = only(code)
    data = code.encode()
    assert found.name_span is not None
    assert data[found.call.start : found.call.end] == b"flyte.new_condition.aio('a', prompt='?')"
    assert data[found.callee.start : found.callee.end] == b"flyte.new_condition.aio"
    assert data[found.name_span.start : found.name_span.end] == b"'a'"


def test_declarations_are_in_the_order_of_the_code() -> None:
    assert names("""
        import flyte
        from flyte import new_condition as nc
        flyte.new_event("a")
        nc("b")
        flyte.new_condition("c")
        nc("d")
    """) == ["a", "b", "c", "d"]


TASKS = """
import flyte
NAME = "second"
env = flyte.TaskEnvironment("first")
named: flyte.TaskEnvironment = flyte.TaskEnvironment(image="auto", name=NAME)
clone = env.clone_with("third", cache="auto")
deep = clone.clone_with(name="fourth")
branch = flyte.TaskEnvironment("a") if x else env
other = Other("fifth")
this = that.clone_with("sixth")
that = this.clone_with("seventh")
"""


@pytest.mark.parametrize(
    ("decorators", "task"),
    [
        ("@env.task", Task("f", "first")),
        ("@env.task(cache='auto')\n@flyte.trace", Task("f", "first")),
        ("@flyte.trace\n@named.task()", Task("f", "second")),
        ("@clone.task", Task("f", "third")),
        ("@deep.task", Task("f", "fourth")),
        ("@branch.task", Task("f", None)),
        ("@other.task", Task("f", None)),
        ("@this.task", Task("f", None)),
        ("@imported.task", Task("f", None)),
        ("@envs.main.task", Task("f", None)),
        ("@flyte.trace", None),
        ("@task", None),
        ("", None),
    ],
)
@pytest.mark.parametrize("unfinished", ["", "\n    x = (\n"])
def test_the_task_is_the_decorated_function(
    decorators: str, task: Task | None, unfinished: str
) -> None:
    code = f"{TASKS}\n{decorators}\nasync def f():\n    flyte.new_condition('a')\n{unfinished}"
    assert only(code).task == task


def test_a_function_within_a_task_belongs_to_the_task() -> None:
    found = declarations("""
        import flyte
        env = flyte.TaskEnvironment("env")
        flyte.new_condition("module")
        @env.task
        def outer():
            def helper(x=flyte.new_condition("default")):
                flyte.new_condition("nested")
            f = lambda: flyte.new_condition("lambda")
        def after():
            flyte.new_condition("helper")
        class A:
            @env.task
            def method(self):
                flyte.new_condition("method")
    """)
    outer, method = Task("outer", "env"), Task("method", "env")
    assert {each.name: each.task for each in found} == {
        "module": None,
        "default": outer,
        "nested": outer,
        "lambda": outer,
        "helper": None,
        "method": method,
    }


def test_lines_may_end_with_a_carriage_return_only() -> None:
    code = TASKS + "@env.task\ndef f():\n    flyte.new_condition('a')\n"
    assert only(code.replace("\n", "\r")).task == Task("f", "first")


def test_a_file_that_does_not_mention_flyte_is_not_parsed() -> None:
    parsed = SourceFile(SourceText("new_condition('a')\n")).snapshot().parse()
    assert parsed.tree is None
    assert parsed.declarations == ()
