"""Where the names of a file are bound, and which imported objects they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
_MODULES = frozenset(("flyte", "flyte_sidecar"))

Kind = Literal["import", "assignment", "annotation", "outer", "other"]


class Binding(Struct, frozen=True):
    """A place that binds a name.

    `outer` stands for ``global`` and ``nonlocal``. `always` is true for a statement that is
    executed whenever its scope is. `target` is what an import imports, and `value` the right side
    of an assignment to the name alone.
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


class Names:
    """The names of a file. Scopes are identified by their node."""

    def __init__(self, syntax: Syntax) -> None:
        self.syntax = syntax
        self._bindings: dict[str, list[Binding]] = {}

    def targets(self, names: tuple[str, ...], path: Path) -> frozenset[str]:
        """Return what a dotted name may refer to, as dotted names of imported objects.

        A name that is bound nowhere may refer to a module that is yet to be imported, or come from
        an import of all names.
        """
        first, *rest = names
        found = self.resolve(first, path)
        if found is not None:
            targets = {binding.target for binding in found if binding.target is not None}
        else:
            targets = {f"{module}.{first}" for module in self._imported_whole()}
            if first in _MODULES:
                targets.add(first)
        return frozenset(".".join((target, *rest)) for target in targets)

    def aliases(self, name: str) -> set[str]:
        """Return the names under which an object of this name may be used."""
        return {name} | {
            alias
            for offset in self.syntax.words(name)
            if (alias := _alias(self.syntax, self.syntax.path(offset))) is not None
        }

    def is_bound(self, name: str, path: Path) -> bool:
        """Return whether the file may bind a name that is used at a path."""
        return self.resolve(name, path) is not None or bool(self._imported_whole())

    def resolve(self, name: str, path: Path) -> list[Binding] | None:
        """Return the bindings that may determine a name at a path; None if nothing binds it."""
        bindings = self._bound(name)
        scopes = _scopes(path)
        for depth, scope in enumerate(reversed(scopes)):
            if depth and scope.type == "class_definition":
                continue
            here = [binding for binding in bindings if binding.scope == scope.id]
            if any(binding.kind == "outer" for binding in here):
                continue
            if here:
                return _latest(here, path[-1].start_byte if depth == 0 else None)
        return None

    def constant(self, name: str, path: Path) -> Binding | None:
        """Return the only assignment to a name, if nothing else can change its value."""
        found = self.resolve(name, path)
        if found is None:
            return None
        scope = found[0].scope
        bindings = self._bound(name)
        here = [
            binding
            for binding in bindings
            if binding.scope == scope and binding.kind != "annotation"
        ]
        if any(binding.kind == "outer" for binding in bindings) or len(here) != 1:
            return None
        return here[0] if here[0].value is not None and here[0].always else None

    def _bound(self, name: str) -> list[Binding]:
        if name not in self._bindings:
            self._bindings[name] = list(self._find(name))
        return self._bindings[name]

    def _find(self, name: str) -> Iterator[Binding]:
        word = re.escape(name.encode())
        # Most uses of a name are followed by a dot or a parenthesis, which no binding is, except
        # for imports and definitions.
        pattern = re.compile(
            rb"(?<![\w.])%b(?!\w)(?![ \t]*[.(])" % word
            + rb"|(?:\bimport|\bdef|\bclass|,)[\s\\]+(?P<word>%b)(?!\w)(?=[ \t]*[.(])" % word
        )
        size = len(name.encode())
        for found in pattern.finditer(self.syntax.data):
            path = self.syntax.path(found.start("word") if found["word"] else found.start())
            leaf = path[-1]
            if leaf.type == "identifier" and leaf.end_byte - leaf.start_byte == size:
                binding = _binding(self.syntax, path)
                if binding is not None:
                    yield binding

    def _imported_whole(self) -> set[str]:
        """Return the modules of Flyte whose names are all imported, as in ``from x import *``."""
        pattern = re.compile(rb"\bfrom[ \t]+(flyte(?:_sidecar)?(?:\.\w+)*)[ \t]+import[ \t]*\*")
        return {
            found[1].decode()
            for found in pattern.finditer(self.syntax.data)
            if self.syntax.path(found.end() - 1)[-1].type in ("*", "wildcard_import")
        }


def _latest(bindings: list[Binding], before: int | None) -> list[Binding]:
    """Return the bindings that may be in effect before an offset, or after all of them."""
    possible: list[Binding] = []
    for binding in reversed(bindings):
        if before is not None and binding.offset > before:
            continue
        possible.append(binding)
        if binding.always:
            break
    return possible or bindings


def _scopes(path: Path) -> list[Node]:
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


def _binding(syntax: Syntax, path: Path) -> Binding | None:
    """Return what the identifier at the end of a path binds, or None if it is only used."""
    depth = len(path) - 2
    if path[depth].type == "dotted_name":
        return _import(syntax, path) or _capture(path)
    while depth > 0 and path[depth].type in _PATTERNS:
        depth -= 1
    parent, child = path[depth], path[depth + 1]
    alone = child is path[-1]
    scopes = _scopes(path)
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
            bound = parent.child_by_field_name("name") == child and any(
                node.is_error for node in path
            )
        case "ERROR":
            following = child.next_sibling
            bound = following is not None and following.type == "="
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
    return Binding(kind, path, scope.id, always, target, value)


def _parameter(path: Path) -> Binding | None:
    """Return the binding of a parameter, whose scope is the body of its function."""
    for node in reversed(path):
        if node.type in ("function_definition", "lambda"):
            return Binding("other", path, node.id, always=True)
    return None


def _capture(path: Path) -> Binding | None:
    """Return the binding of a name in a ``case`` pattern."""
    is_capture = path[-2].named_child_count == 1 and path[-3].type in (
        "case_pattern",
        "keyword_pattern",
    )
    return _bind("other", path, _scopes(path)[-1]) if is_capture else None


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
    scope = _scopes(path)[-1]
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
    if prefix is None:  # a relative import
        return _bind("other", path, scope)
    return _bind("import", path, scope, target=".".join((*prefix, *names)))


def _alias(syntax: Syntax, path: Path) -> str | None:
    """Return the name under which the imported name at the end of a path is bound."""
    for node in reversed(path):
        if node.type == "aliased_import":
            alias = node.child_by_field_name("alias")
            return None if alias is None else syntax.source(alias).decode("utf-8", "replace")
    return None
