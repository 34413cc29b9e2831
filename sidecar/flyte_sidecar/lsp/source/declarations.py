"""The events that a file declares: calls of `flyte.new_condition`, before SDK 2.5 `new_event`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast, get_args

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.events.model import DEFAULT_EXPECTED_TYPE, ExpectedType, PromptType
from flyte_sidecar.lsp.source.calls import Arguments, Call, arguments, find_call
from flyte_sidecar.lsp.source.syntax import Span, span
from flyte_sidecar.lsp.source.tasks import Task, Tasks
from flyte_sidecar.lsp.source.values import Values

FUNCTIONS = ("new_condition", "new_event")
PARAMETERS = ("name", "prompt", "prompt_type", "data_type", "description", "timeout", "webhook")
EXPECTED_TYPES = get_args(ExpectedType)
PROMPT_TYPES = get_args(PromptType)

_TARGETS = frozenset(
    f"{target}{version}"
    for target in (
        *("flyte.new_condition", "flyte._condition.new_condition"),
        *("flyte.new_event", "flyte._event.new_event"),
    )
    for version in ("", ".aio")
)


class Declaration(Struct, frozen=True):
    """A call that creates an event each time it runs.

    `name` is None if it is computed at run time. `expected_type`, `prompt`, `prompt_type` and
    `description` are None if they are not certain; the texts also if they are absent. `task` is
    the task that contains the call, or None for the module level and helper functions. `name_span`
    is the argument with the name, including quotes.
    """

    name: str | None
    expected_type: ExpectedType | None
    prompt: str | None
    prompt_type: PromptType | None
    description: str | None
    task: Task | None
    call: Span
    callee: Span
    name_span: Span | None


class DeclaringCall(Struct, frozen=True):
    """A declaration and its syntax."""

    declaration: Declaration
    call: Call
    arguments: Arguments


def find_declarations(values: Values) -> list[DeclaringCall]:
    """Return the declarations of a file in their order."""
    tasks = Tasks(values)
    found = [
        _declaring(values, tasks, call)
        for call in _calls(values)
        if not _TARGETS.isdisjoint(values.names.targets(call.names, call.path))
    ]
    return sorted(found, key=lambda declaring: declaring.declaration.call.start)


def _calls(values: Values) -> Iterator[Call]:
    """Yield the calls of names that may be those of the functions."""
    names = {alias for function in FUNCTIONS for alias in values.names.aliases(function)}
    for name in names:
        for offset in values.syntax.words(name):
            call = find_call(values.syntax, offset)
            if call is not None:
                yield call


def _declaring(values: Values, tasks: Tasks, call: Call) -> DeclaringCall:
    given = arguments(values.syntax, call, PARAMETERS)

    def text(parameter: str) -> str | None:
        node = given.values.get(parameter)
        return None if node is None else values.text(node, call.path)

    prompt_type = text("prompt_type")
    name = given.values.get("name")
    declaration = Declaration(
        name=text("name"),
        expected_type=_expected_type(values, call, given),
        prompt=text("prompt"),
        prompt_type=cast(PromptType, prompt_type) if prompt_type in PROMPT_TYPES else None,
        description=text("description"),
        task=tasks.enclosing(call.path),
        call=span(call.node),
        callee=span(call.callee),
        name_span=None if name is None else span(name),
    )
    return DeclaringCall(declaration, call, given)


def _expected_type(values: Values, call: Call, given: Arguments) -> ExpectedType | None:
    node = given.values.get("data_type")
    if node is None:
        return DEFAULT_EXPECTED_TYPE if given.certain else None
    name = builtin_name(values, node, call)
    return cast(ExpectedType, name) if name in EXPECTED_TYPES else None


def builtin_name(values: Values, node: Node, call: Call) -> str | None:
    """Return the name of an expression that the file does not bind; None for any other."""
    if node.type != "identifier":
        return None
    name = values.syntax.source(node).decode("utf-8", "replace")
    return name if values.names.resolve(name, call.path) is None else None
