"""The places of a file that bind a name."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Literal

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.lsp.source.syntax import Path, Syntax, dotted

_COMPREHENSIONS = frozenset(
    (
        *("list_comprehension", "set_comprehension"),
        *("dictionary_comprehension", "generator_expression"),
    )
)
_PATTERNS = frozenset(
    (
        *("pattern_list", "tuple_pattern", "list_pattern", "list_splat_pattern"),
        *("dictionary_splat_pattern", "as_pattern_target", "expression_list", "tuple", "list"),
    )
)
_DEFINITIONS = frozenset(("function_definition", "class_definition"))
_UNCONDITIONAL = _DEFINITIONS | {
    *("decorated_definition", "expression_statement"),
    *("import_statement", "import_from_statement"),
}
_ASSIGNMENT = re.compile(rb"[ \t]*(?::[^=\r\n]*)?=(?!=)")

MODULE_SCOPE = -1

Kind = Literal["import", "assignment", "annotation", "outer", "other"]


class Binding(Struct, frozen=True):
    """A place that binds a name.

    `outer` stands for ``global`` and ``nonlocal``, whose scope binds the name for another one.
    `always` is true for a statement that is executed whenever its scope is. `target` is what an
    import imports, and `value` the right side of an assignment to the name alone.
    """

    kind: Kind
    path: Path
    scope: int
    always: bool
    target: str | None = None
    value: Node | None = None

    @property
    def offset(self) -> int:
        """The offset of the name."""
        return self.path[-1].start_byte


def scopes_of(path: Path) -> list[Node]:
    """Return the nodes whose scope contains the last node of a path, the module first."""
    scopes = [path[0]]
    for node, child in pairwise(path):
        if (
            (node.type in _DEFINITIONS and child.type == "block")
            or (node.type == "lambda" and child.type != "lambda_parameters")
            or node.type in _COMPREHENSIONS
        ):
            scopes.append(node)
    return scopes


def scope_id(path: Path, scope: Node) -> int:
    """Return what identifies a scope on a path, also in the tree of a part of the file."""
    return MODULE_SCOPE if scope == path[0] else scope.start_byte


def binding_of(syntax: Syntax, path: Path) -> Binding | None:
    """Return what the identifier at the end of a path binds, or None if it is only used."""
    depth = len(path) - 2
    if path[depth].type == "dotted_name":
        return _import(syntax, path) or _capture(path)
    while depth > 0 and path[depth].type in _PATTERNS:
        depth -= 1
    parent, child = path[depth], path[depth + 1]
    alone = child is path[-1]
    scopes = scopes_of(path)
    match parent.type:
        case "assignment":
            if parent.child_by_field_name("left") != child:
                return None
            value = parent.child_by_field_name("right")
            if value is None:
                return _bind("annotation", path, scopes[-1])
            while value is not None and value.type == "assignment":  # a = b = value
                value = value.child_by_field_name("right")
            return _bind("assignment", path, scopes[-1], value=value if alone else None)
        case "augmented_assignment" | "for_statement" | "for_in_clause":
            bound = parent.child_by_field_name("left") == child
        case "named_expression":
            bound = parent.child_by_field_name("name") == child
            while scopes[-1].type in _COMPREHENSIONS:
                scopes.pop()
        case "parameters" | "lambda_parameters" | "typed_parameter":
            return _parameter(path)
        case "default_parameter" | "typed_default_parameter":
            return _parameter(path) if parent.child_by_field_name("name") == child else None
        case "function_definition" | "class_definition":
            bound = parent.child_by_field_name("name") == child
        case "aliased_import":
            return _import(syntax, path)
        case "global_statement" | "nonlocal_statement":
            return _bind("outer", path, scopes[-1])
        case "as_pattern":
            bound = parent.child_by_field_name("alias") == child
        case "delete_statement" | "splat_pattern":
            bound = True
        case "keyword_argument":  # a statement after a parenthesis that was not closed yet
            bound = parent.child_by_field_name("name") == child and syntax.is_damaged(path)
        case "ERROR":
            bound = _ASSIGNMENT.match(syntax.data, child.end_byte) is not None
        case _:
            return None
    return _bind("other", path, scopes[-1]) if bound else None


def _bind(
    kind: Kind, path: Path, scope: Node, *, target: str | None = None, value: Node | None = None
) -> Binding:
    body = next(
        (child for node, child in pairwise(path) if node == scope and child.type == "block"), scope
    )
    statement = next((child for node, child in pairwise(path) if node == body), path[-1])
    always = statement.type in _UNCONDITIONAL and path[-2].type != "named_expression"
    return Binding(kind, path, scope_id(path, scope), always, target, value)


def _parameter(path: Path) -> Binding | None:
    """Return the binding of a parameter, whose scope is the body of its function."""
    for node in reversed(path):
        if node.type in ("function_definition", "lambda"):
            return Binding("other", path, scope_id(path, node), always=True)
    return None


def _capture(path: Path) -> Binding | None:
    """Return the binding of a name in a ``case`` pattern."""
    is_capture = path[-2].named_child_count == 1 and path[-3].type in (
        "case_pattern",
        "keyword_pattern",
    )
    return _bind("other", path, scopes_of(path)[-1]) if is_capture else None


def _import(syntax: Syntax, path: Path) -> Binding | None:
    """Return the binding of an imported name, or None if it is imported under another one."""
    depth = len(path) - 2 if path[-2].type == "aliased_import" else len(path) - 3
    parent, child = path[depth], path[depth + 1]
    statement = parent if parent.type != "aliased_import" else path[depth - 1]
    if parent.type == "aliased_import":
        name = parent.child_by_field_name("name")
        if name is None or parent.child_by_field_name("alias") != child:
            return None
    else:
        name = child
    names = dotted(syntax.data, name) or ()
    scope = scopes_of(path)[-1]
    if statement.type == "import_statement":
        if parent.type != "aliased_import":
            if path[-1].start_byte != name.start_byte:
                return None
            names = names[:1]  # `import flyte.remote` binds `flyte`
        return _bind("import", path, scope, target=".".join(names))
    if statement.type != "import_from_statement":
        return None
    module = statement.child_by_field_name("module_name")
    if module is None or module == name:
        return None
    prefix = dotted(syntax.data, module)
    if _is_split(syntax, statement, module):
        return _bind("import", path, scope, target=".".join(names))
    if prefix is None:  # a relative import
        return _bind("other", path, scope)
    return _bind("import", path, scope, target=".".join((*prefix, *names)))


def _is_split(syntax: Syntax, statement: Node, module: Node) -> bool:
    """Return whether a half-typed ``from x`` was joined to an import in another line."""
    keyword = next((node for node in statement.children if node.type == "import"), module)
    between = syntax.data[module.end_byte : keyword.start_byte]
    return b"\n" in between and b"\\" not in between
