"""The task that a line of code belongs to.

A call in a function that is nested in a task, or in a lambda, belongs to the task, whose action is
the parent of the events that the call creates.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import cached_property

from msgspec import Struct
from tree_sitter import Node

from flyte_sidecar.lsp.source.bindings import Binding
from flyte_sidecar.lsp.source.calls import arguments, call_of
from flyte_sidecar.lsp.source.syntax import TEXT, Path, dotted
from flyte_sidecar.lsp.source.values import Values

MAX_CLONES = 20
"""How many environments may be cloned from one another."""

_ENVIRONMENT = frozenset(("flyte.TaskEnvironment",))
_FUNCTION = re.compile(rb"\n([ \t]*)(?:async[ \t]+)?def[ \t]+(\w+)")
_BLANKS = re.compile(rb"[ \t]*")
_STATEMENT = re.compile(rb"^([ \t]*)[^\s#)\]}]", re.MULTILINE)
_DECORATOR = re.compile(rb"[ \t]*@[ \t]*(\w+(?:\.\w+)*)\.task\b")


class Task(Struct, frozen=True):
    """A function that is decorated as a task.

    `environment` is the name of its `TaskEnvironment`, or None if that is not certain.
    """

    function: str
    environment: str | None


class Tasks:
    """Finds the tasks of a file."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._environments: dict[int, str | None] = {}

    def enclosing(self, path: Path) -> Task | None:
        """Return the task that contains the last node of a path."""
        if self._values.syntax.is_damaged(path):
            return self._by_indentation(path[-1].start_byte)
        for depth in range(len(path) - 2, 0, -1):
            function, outer = path[depth], path[depth - 1]
            if function.type != "function_definition" or path[depth + 1].type != "block":
                continue
            if outer.type == "decorated_definition":
                task = self._decorated(function, outer, path[:depth])
                if task is not None:
                    return task
        return None

    def may_be_environment(self, names: tuple[str, ...], path: Path) -> bool:
        """Return whether a dotted name at a path may be a `TaskEnvironment`.

        One that is imported from another file may be; a module is none.
        """
        return any(
            "." in ".".join((binding.target, *names[1:]))
            if binding.target is not None
            else len(names) == 1 and self._is_environment(binding)
            for binding in self._values.names.resolve(names[0], path) or ()
        )

    def _decorated(self, function: Node, definition: Node, path: Path) -> Task | None:
        name = function.child_by_field_name("name")
        for decorator in definition.named_children:
            expression = decorator.named_child(0) if decorator.type == "decorator" else None
            if expression is not None and expression.type == "call":
                expression = expression.child_by_field_name("function")
            if expression is None or expression.type != "attribute":
                continue
            names = dotted(self._values.syntax.data, expression)
            if names and name is not None and names[-1] == "task":
                environment = self._environment(names[:-1], (*path, decorator))
                return Task(
                    self._values.syntax.source(name).decode("utf-8", "replace"), environment
                )
        return None

    def _environment(self, names: tuple[str, ...], path: Path) -> str | None:
        """Return the name of the environment that a variable refers to."""
        binding = self._values.names.constant(names[0], path) if len(names) == 1 else None
        if binding is None:
            return None
        if binding.offset not in self._environments:
            self._environments[binding.offset] = self._environment_name(binding)
        return self._environments[binding.offset]

    def _environment_name(self, binding: Binding) -> str | None:
        if not self._is_environment(binding):
            return None
        call = call_of(self._values.syntax, binding.value, binding.path)
        assert call is not None
        name = arguments(self._values.syntax, call, ("name",)).values.get("name")
        return None if name is None else self._values.text(name, binding.path)

    def _is_environment(self, binding: Binding, depth: int = 0) -> bool:
        """Return whether a variable is certainly a `TaskEnvironment`, or a clone of one."""
        call = call_of(self._values.syntax, binding.value, binding.path)
        if call is None or depth > MAX_CLONES:
            return False
        if len(call.names) == 2 and call.names[1] == "clone_with":
            original = self._values.names.constant(call.names[0], binding.path)
            return original is not None and self._is_environment(original, depth + 1)
        return self._values.names.targets(call.names, binding.path) == _ENVIRONMENT

    @cached_property
    def _functions(self) -> list[tuple[int, int, bytes]]:
        """The offset, indentation and name of each function, also of those in strings."""
        found = _FUNCTION.finditer(self._values.syntax.data)
        return [(match.start(1), len(match[1].expandtabs()), match[2]) for match in found]

    def _by_indentation(self, offset: int) -> Task | None:
        """Return the task that contains an offset by the indentation of the lines before it.

        With a syntax error, the tree does not show which function a line belongs to.
        """
        data = self._values.syntax.data
        start = data.rfind(b"\n", 0, offset) + 1
        indentation = _indentation(data, start)
        for function, indented, name in reversed(
            self._functions[: bisect_left(self._functions, (start,))]
        ):
            if indentation == 0:
                break
            if indented >= indentation or not self._is_code(function + indented):
                continue
            if self._leaves_block(data.find(b"\n", function) + 1, start, indented):
                break
            indentation = indented
            environment = self._decorator_above(function, indented)
            if environment is not None:
                names = tuple(environment.decode("utf-8", "replace").split("."))
                path = self._values.syntax.path(function)
                return Task(name.decode("utf-8", "replace"), self._environment(names, path))
        return None

    def _is_code(self, offset: int) -> bool:
        return self._values.syntax.path(offset)[-1].type in ("async", "def", "identifier")

    def _leaves_block(self, start: int, end: int, indentation: int) -> bool:
        """Return whether a line between two offsets is outside the block of a function."""
        return any(
            len(found[1].expandtabs()) <= indentation
            and self._values.syntax.path(found.end() - 1)[-1].type not in TEXT
            for found in _STATEMENT.finditer(self._values.syntax.data, start, end)
        )

    def _decorator_above(self, offset: int, indentation: int) -> bytes | None:
        """Return the dotted name before ``.task`` in a decorator of the function at an offset."""
        data = self._values.syntax.data
        while offset > 0:
            end = offset
            offset = data.rfind(b"\n", 0, end - 1) + 1
            line = data[offset:end]
            if line.strip() and _indentation(data, offset) <= indentation:
                found = _DECORATOR.match(line)
                if found is not None:
                    return found[1]
                if not line.lstrip().startswith((b"@", b")", b"#")):
                    return None
        return None


def _indentation(data: bytes, start: int) -> int:
    """Return the indentation of the line that starts at an offset, in columns."""
    found = _BLANKS.match(data, start)
    assert found is not None
    return len(found[0].expandtabs())
