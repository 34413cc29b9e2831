"""Calls of dotted names."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.lsp.source.syntax import Path, Syntax, dotted


class Call(Struct, frozen=True):
    """A call of a dotted name.

    `complete` is false if the call contains a syntax error. `path` leads to the called name.
    """

    node: Node
    callee: Node
    names: tuple[str, ...]
    path: Path
    complete: bool


class Callee(Struct, frozen=True):
    """A dotted name: its node, the node that contains it, and the path to its last identifier."""

    node: Node
    parent: Node
    names: tuple[str, ...]
    path: Path


def callee_at(syntax: Syntax, path: Path) -> Callee | None:
    """Return the dotted name that contains the identifier at the end of a path."""
    if path[-1].type != "identifier":
        return None
    index = len(path) - 1
    while path[index - 1].type in ("attribute", "dotted_name"):
        index -= 1
    names = dotted(syntax.data, path[index])
    return None if names is None else Callee(path[index], path[index - 1], names, path)


def find_call(syntax: Syntax, offset: int) -> Call | None:
    """Return the call of the dotted name that has an identifier at an offset."""
    callee = callee_at(syntax, syntax.path(offset))
    if callee is None:
        return None
    node, parent = callee.node, callee.parent
    if parent.type != "call" or parent.child_by_field_name("function") != node:
        return None
    return Call(parent, node, callee.names, callee.path, complete=not parent.has_error)


def call_of(syntax: Syntax, node: Node | None, path: Path) -> Call | None:
    """Return an expression at a path as the call of a dotted name, or None if it is none."""
    if node is None or node.type != "call" or node.has_error:
        return None
    function = node.child_by_field_name("function")
    names = None if function is None else dotted(syntax.data, function)
    return Call(node, function, names, path, complete=True) if function and names else None


class Arguments(Struct, frozen=True):
    """The arguments of a call by the names of the parameters.

    `certain` is false if the call may have further arguments, as in ``f(*args)``.
    """

    values: dict[str, Node]
    certain: bool


def arguments(syntax: Syntax, call: Call, parameters: Sequence[str]) -> Arguments:
    """Return the arguments of a call of a function that has these positional parameters."""
    listed = call.node.child_by_field_name("arguments")
    if listed is None or listed.type != "argument_list":
        return Arguments({}, certain=False)
    if not call.complete:
        return Arguments(_first_argument(listed, parameters), certain=False)
    values: dict[str, Node] = {}
    positional = iter(parameters)
    certain = True
    for node in listed.named_children:
        match node.type:
            case "comment":
                pass
            case "keyword_argument":
                name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
                if name is not None and value is not None:
                    values.setdefault(syntax.source(name).decode("utf-8", "replace"), value)
            case "list_splat" | "dictionary_splat" | "parenthesized_list_splat":
                positional = iter(())
                certain = False
            case _:
                parameter = next(positional, None)
                if parameter is not None:
                    values[parameter] = node
    return Arguments(values, certain)


def _first_argument(listed: Node, parameters: Sequence[str]) -> dict[str, Node]:
    """Return the first argument of a call that contains a syntax error, if it is a whole string."""
    opening, first, following = (*listed.children, None, None, None)[:3]
    if opening is None or first is None or following is None:
        return {}
    whole = first.type == "string" and not first.has_error and following.type in (",", ")")
    return {parameters[0]: first} if opening.type == "(" and whole else {}
