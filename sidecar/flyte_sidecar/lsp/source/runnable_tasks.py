"""The tasks of a file that ``flyte run FILE NAME`` accepts: functions of the module."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.lsp.source.bindings import scopes_of
from flyte_sidecar.lsp.source.calls import Callee, callee_at
from flyte_sidecar.lsp.source.syntax import Path, Span, Syntax, parse_range, span
from flyte_sidecar.lsp.source.tasks import Tasks
from flyte_sidecar.lsp.source.tokens import closing_brackets
from flyte_sidecar.lsp.source.values import Values

MAX_HEADER = 1 << 12
"""The bytes within which the header of a function ends that contains a syntax error."""

_DEFINITION = re.compile(
    rb"@[^\n]*\n(?:(?:[@ \t)#\r][^\n]*)?\n)*?"  # decorators
    rb"(?P<name>(?:async[ \t]+)?def[ \t]+\w+)[^\n\r]*"
)
_HEADER = re.compile(rb"[^\n]*?(?:\n[ \t)#\r][^\n]*?)*?:[ \t]*(?:#[^\n]*)?\r?(?=\n|\Z)")
"""The rest of a header, after the name: its lines, of which the last one ends in a colon."""

_REQUIRED = frozenset(("identifier", "typed_parameter"))


class RunnableTask(Struct, frozen=True):
    """A task that can be run by its name.

    `parameters` are the names of those without a default, and `decorator` is what makes the
    function a task.
    """

    name: str
    parameters: tuple[str, ...]
    decorator: Span


def find_runnable_tasks(values: Values) -> list[RunnableTask]:
    """Return the tasks of a file in their order; of several with one name, the last."""
    found = {task.name: task for task in _tasks(values)}
    return sorted(found.values(), key=lambda task: task.decorator.start)


def _tasks(values: Values) -> Iterator[RunnableTask]:
    syntax, tasks = values.syntax, Tasks(values)
    for offset in syntax.words("task"):
        path = syntax.path(offset)
        callee = callee_at(syntax, path)
        depth = None if callee is None else _decorator(callee)
        if callee is None or depth is None or not _is_of_module(syntax, path, path[depth]):
            continue
        if not tasks.may_be_environment(callee.names[:-1], path):
            continue
        function = _function(syntax, path, depth)
        name = function and function.child_by_field_name("name")
        if function is not None and name is not None:
            yield RunnableTask(
                syntax.source(name).decode("utf-8", "replace"),
                tuple(_parameters(syntax, function)),
                span(path[depth]),
            )


def _decorator(callee: Callee) -> int | None:
    """Return the depth of the decorator ``@x.task`` or ``@x.task(...)`` in the path of a name."""
    path = callee.path
    if len(callee.names) < 2 or callee.node.end_byte != path[-1].end_byte:
        return None
    depth = path.index(callee.parent)
    if callee.parent.type == "call" and callee.parent.child(0) == callee.node:
        depth -= 1
    return depth if path[depth].type == "decorator" else None


def _is_of_module(syntax: Syntax, path: Path, decorator: Node) -> bool:
    """Return whether a decorator is that of a function of the module.

    With a syntax error, only functions that are not indented certainly are.
    """
    if syntax.is_damaged(path):
        return syntax.data[: decorator.start_byte][-1:] in (b"", b"\n")
    return len(scopes_of(path)) == 1


def _function(syntax: Syntax, path: Path, depth: int) -> Node | None:
    """Return the function of a decorator; with a syntax error around it, its header alone."""
    definition = path[depth - 1]
    if definition.type == "decorated_definition":
        return _of_definition(definition)
    start = path[depth].start_byte
    found = _DEFINITION.match(syntax.data, start, start + MAX_HEADER)
    if found is None:
        return None
    header = _HEADER.match(syntax.data, found.end("name"), start + MAX_HEADER)
    if header is not None:
        root = parse_range(syntax.data[start : header.end()] + b" ...", start)
        if not root.has_error:
            return _of_definition(root.child(0))
    # The parameters are being typed.
    code = found[0]
    root = parse_range(code + closing_brackets(code) + b": ...", start)
    return _of_definition(root.child(0))


def _of_definition(definition: Node | None) -> Node | None:
    function = None if definition is None else definition.child_by_field_name("definition")
    return function if function is not None and function.type == "function_definition" else None


def _parameters(syntax: Syntax, function: Node) -> Iterator[str]:
    listed = function.child_by_field_name("parameters")
    for parameter in () if listed is None else listed.named_children:
        name = parameter.child(0) if parameter.type == "typed_parameter" else parameter
        if parameter.type not in _REQUIRED or name is None or name.is_missing:
            continue
        if name.type == "identifier":
            yield syntax.source(name).decode("utf-8", "replace")
