"""Mistakes in declarations that are certain before the program runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.lsp.source.calls import Call
from flyte_sidecar.lsp.source.declarations import (
    EXPECTED_TYPES,
    PROMPT_TYPES,
    DeclaringCall,
    builtin_name,
)
from flyte_sidecar.lsp.source.syntax import Span, span
from flyte_sidecar.lsp.source.values import Values

MAX_LENGTHS = {"prompt": 4096, "description": 2048}
"""Flyte's limits in characters: `max_len` of `flyteidl2.workflow.ConditionAction`."""

_OVERWRITES = (
    "this task has created a condition of this name already, and has not waited for it: the SDK"
    " overwrites it, so that waiting for it waits for this one, and waiting for this one fails"
)
_WAITS_OR_LEAVES = re.compile(rb"\b(?:wait|return|raise|break|continue|yield|nonlocal|global)\b")

_GENERICS = frozenset(("dict", "frozenset", "list", "set", "tuple", "type"))
_BUILTINS = _GENERICS | {"bytearray", "bytes", "complex", "object", "range"}
_LITERALS = frozenset(
    (
        *("string", "concatenated_string", "integer", "float", "true", "false", "none", "ellipsis"),
        *("list", "tuple", "dictionary", "set", "lambda"),
        *("list_comprehension", "dictionary_comprehension", "set_comprehension"),
    )
)
"""Expressions whose value is not a type."""

Severity = Literal["error", "warning"]
Code = Literal["duplicate-name", "invalid-data-type", "invalid-prompt-type", "text-too-long"]


class Problem(Struct, frozen=True):
    """A mistake, and the code that contains it."""

    span: Span
    message: str
    severity: Severity
    code: Code


def find_problems(values: Values, declared: Sequence[DeclaringCall]) -> list[Problem]:
    """Return the problems of the declarations of a file, in the order of the declarations."""
    problems = [problem for one in declared for problem in _wrong_arguments(values, one)]
    return problems + list(_overwritten(values, declared))


def _wrong_arguments(values: Values, declaring: DeclaringCall) -> Iterator[Problem]:
    call, given = declaring.call, declaring.arguments.values
    data_type = given.get("data_type")
    if data_type is not None and _is_no_payload_type(values, data_type, call):
        message = f"`data_type` must be one of {', '.join(EXPECTED_TYPES)}"
        yield Problem(span(data_type), message, "error", "invalid-data-type")
    prompt_type = given.get("prompt_type")
    if prompt_type is not None:
        value = values.text(prompt_type, call.path)
        if value is not None and value not in PROMPT_TYPES:
            expected = " or ".join(f'"{known}"' for known in PROMPT_TYPES)
            message = f"`prompt_type` must be {expected}"
            yield Problem(span(prompt_type), message, "error", "invalid-prompt-type")
    texts = {
        "prompt": declaring.declaration.prompt,
        "description": declaring.declaration.description,
    }
    for parameter, text in texts.items():
        node, limit = given.get(parameter), MAX_LENGTHS[parameter]
        if node is not None and text is not None and len(text) > limit:
            message = f"`{parameter}` has {len(text):,} characters; Flyte accepts at most {limit:,}"
            yield Problem(span(node), message, "warning", "text-too-long")


def _is_no_payload_type(values: Values, node: Node, call: Call) -> bool:
    """Return whether an expression is certainly not `bool`, `int`, `float` or `str`."""
    if node.has_error:
        return False
    match node.type:
        case "parenthesized_expression":
            inner = node.named_child(0)
            return inner is not None and _is_no_payload_type(values, inner, call)
        case "identifier":
            name = builtin_name(values, node, call)
            return name not in EXPECTED_TYPES and name in _BUILTINS
        case "subscript":  # list[int]
            generic = node.child_by_field_name("value")
            name = None if generic is None else builtin_name(values, generic, call)
            return name in _GENERICS
        case _:
            return node.type in _LITERALS


class _Statement(Struct, frozen=True):
    """A declaration that is a statement of a block, and the variable that it is assigned to."""

    declaring: DeclaringCall
    block: Node
    node: Node
    variable: bytes | None


def _overwritten(values: Values, declared: Sequence[DeclaringCall]) -> Iterator[Problem]:
    """Yield the declarations that overwrite another one of the same task.

    Until the task waits for a condition, the SDK's controller keeps it under its name. This is only
    certain if both are statements of one block, and if nothing between them can wait for the first
    one or end the block.
    """
    latest: dict[tuple[str | None, int], _Statement] = {}
    for declaring in declared:
        declaration = declaring.declaration
        statement = None if declaration.task is None else _statement(values, declaring)
        if declaration.name is None or declaration.name_span is None or statement is None:
            continue
        key = (declaration.name, statement.block.id)
        first = latest.get(key)
        latest[key] = statement
        if first is not None and not _may_wait(values.syntax.data, first, statement):
            yield Problem(declaration.name_span, _OVERWRITES, "warning", "duplicate-name")


def _statement(values: Values, declaring: DeclaringCall) -> _Statement | None:
    path = declaring.call.path
    if any(node.is_error for node in path[1:]) or declaring.call.node not in path:
        return None
    depth = path.index(declaring.call.node) - 1
    awaited = declaring.call.names[-1] != "aio"
    while path[depth].type in ("await", "parenthesized_expression"):
        awaited = awaited or path[depth].type == "await"
        depth -= 1
    variable = None
    if path[depth].type == "assignment":
        left = path[depth].child_by_field_name("left")
        if left is None or left.type != "identifier":
            return None
        variable = values.syntax.source(left)
        depth -= 1
    if not awaited or path[depth].type != "expression_statement" or path[depth - 1].type != "block":
        return None
    return _Statement(declaring, path[depth - 1], path[depth], variable)


def _may_wait(data: bytes, first: _Statement, second: _Statement) -> bool:
    """Return whether code between two statements of a block may wait, or not reach the second."""
    between = data[first.node.end_byte : second.node.start_byte]
    if _WAITS_OR_LEAVES.search(between):
        return True
    if first.variable is None:
        return False
    # A function that is defined before the first statement may use its variable.
    variable = re.compile(rb"(?<!\w)%b(?!\w)" % re.escape(first.variable))
    before = data[first.block.start_byte : first.node.start_byte]
    return bool(variable.search(between) or variable.search(before))
