"""What the names of a file refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flyte_sidecar.lsp.source.bindings import Binding, binding_of, scope_id, scopes_of
from flyte_sidecar.lsp.source.syntax import Path, Syntax

_MODULES = frozenset(("flyte", "flyte_sidecar"))


class Names:
    """The names of a file."""

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
        scopes = scopes_of(path)
        for depth, scope in enumerate(reversed(scopes)):
            if depth and scope.type == "class_definition":
                continue
            here = [binding for binding in bindings if binding.scope == scope_id(path, scope)]
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
                binding = binding_of(self.syntax, path)
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


def _alias(syntax: Syntax, path: Path) -> str | None:
    """Return the name under which the imported name at the end of a path is bound."""
    for node in reversed(path):
        if node.type == "aliased_import":
            alias = node.child_by_field_name("alias")
            return None if alias is None else syntax.source(alias).decode("utf-8", "replace")
    return None
