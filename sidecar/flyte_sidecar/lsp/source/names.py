"""What the names of a file refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property

from flyte_sidecar.lsp.source.bindings import MODULE_SCOPE, Binding, binding_of, scope_id, scopes_of
from flyte_sidecar.lsp.source.syntax import Path, Syntax

_MODULES = frozenset(("flyte", "flyte_sidecar"))
_CONTEXT = 40
_ASSIGNED = re.compile(rb"[ \t]*:?=(?!=)")
_USED = re.compile(rb"[ \t]*[.(]")
_INTRODUCED = re.compile(rb"(?:\bimport|\bdef|\bclass|,)[\s\\]+\Z")
_VALUE = re.compile(rb"(?:[:=|] ?|-> ?|\.)\Z")


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
            targets = {f"{module}.{first}" for module in self._imported_whole}
            if first in _MODULES:
                targets.add(first)
        return frozenset(".".join((target, *rest)) for target in targets)

    def aliases(self, name: str) -> set[str]:
        """Return the names under which an object of this name may be used."""
        pattern = re.compile(rb"%b[\s\\]+as[\s\\]+(\w+)" % re.escape(name.encode()))
        found = pattern.finditer(self.syntax.data)
        return {name, *(match[1].decode("utf-8", "replace") for match in found)}

    def resolve(self, name: str, path: Path) -> list[Binding] | None:
        """Return the bindings that may determine a name at a path; None if nothing binds it."""
        bindings = self._bound(name)
        if not bindings:
            return None
        if len(bindings) == 1 and bindings[0].scope == MODULE_SCOPE:
            return bindings
        scopes = scopes_of(path)
        for depth, scope in enumerate(reversed(scopes)):
            if depth and scope.type == "class_definition":
                continue
            here = [
                binding
                for binding in bindings
                if binding.scope == scope_id(path, scope) and binding.kind != "outer"
            ]
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
        size = len(name.encode())
        for offset in self.syntax.words(name):
            if not _may_bind(self.syntax.data, offset, offset + size):
                continue
            path = self.syntax.path(offset)
            leaf = path[-1]
            if leaf.type == "identifier" and leaf.end_byte - leaf.start_byte == size:
                binding = binding_of(self.syntax, path)
                if binding is not None:
                    yield binding

    @cached_property
    def _imported_whole(self) -> set[str]:
        """Return the modules of Flyte whose names are all imported, as in ``from x import *``."""
        pattern = re.compile(rb"from[ \t]+(flyte(?:_sidecar)?(?:\.\w+)*)[ \t]+import[ \t]*\*")
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


def _may_bind(data: bytes, start: int, end: int) -> bool:
    """Return whether a word may be bound where it is, as far as the text around it shows.

    Most uses of a name are followed by a dot or a parenthesis, or are annotations, arguments or
    values, which can be seen faster than by a look at the tree. A tuple of targets in the line of
    an ``if`` is missed.
    """
    if _ASSIGNED.match(data, end) is not None:
        return True
    before = data[max(start - _CONTEXT, 0) : start]
    if _USED.match(data, end) is not None:
        return _INTRODUCED.search(before) is not None
    return _VALUE.search(before) is None
