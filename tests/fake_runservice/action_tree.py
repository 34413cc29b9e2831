"""The tree of actions of one WatchActions stream, and which of them match its filter."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from tests.fake_runservice.actions import PHASES, Action, StatusError
from tests.fake_runservice.listing import Filter


class Update(NamedTuple):
    action: Action
    meets: bool
    counts: dict[str, int]


@dataclass(eq=False)
class Node:
    action: Action
    parent: Node | None
    counts: dict[str, int] = field(default_factory=dict)  # of its descendants, by phase
    matching: bool = False
    matching_below: int = 0
    visible: bool = False

    def ancestors(self) -> Iterator[Node]:
        node = self.parent
        while node is not None:
            yield node
            node = node.parent


class ActionTree:
    """Returns the updates that a watcher receives for changed actions, in random order.

    `exists` returns whether the run has an action of this id. The service fails on a child whose
    parent exists but has not been added to the tree yet.
    """

    def __init__(
        self, filters: list[Filter], exists: Callable[[str], bool], random: Random
    ) -> None:
        self._phases, self._text = _parse(filters)
        self._exists = exists
        self._random = random
        self._nodes: dict[str, Node] = {}

    def update(self, actions: Iterable[Action]) -> list[Update]:
        changed: dict[str, Node] = {}
        for action in actions:
            self._upsert(action, changed)
        for node in changed.values():
            matches = self._matches(node.action)
            if matches != node.matching:
                node.matching = matches
                for ancestor in node.ancestors():
                    ancestor.matching_below += 1 if matches else -1
        shown: dict[str, Node] = {}
        for node in changed.values():
            self._show(node, shown)
        found = [Update(node.action, node.visible, dict(node.counts)) for node in shown.values()]
        self._random.shuffle(found)
        return found

    def _upsert(self, action: Action, changed: dict[str, Node]) -> None:
        node = self._nodes.get(action.id)
        previous = None
        if node is None:
            parent = self._nodes.get(action.parent)
            if parent is None and action.parent and self._exists(action.parent):
                message = f"parent node [{action.parent}] not found for action [{action.id}]"
                raise StatusError("UNKNOWN", message)
            node = self._nodes[action.id] = Node(action, parent)
        else:
            previous, node.action = node.action.phase, action
        changed[action.id] = node
        for ancestor in node.ancestors():
            ancestor.counts[action.phase] = ancestor.counts.get(action.phase, 0) + 1
            if previous is not None:
                ancestor.counts[previous] -= 1
            changed[ancestor.action.id] = ancestor

    def _show(self, node: Node, shown: dict[str, Node]) -> None:
        if node.matching:
            for ancestor in node.ancestors():
                if not ancestor.visible:
                    ancestor.visible = True
                    shown[ancestor.action.id] = ancestor
            node.visible = True
            shown[node.action.id] = node
        elif node.visible:
            shown[node.action.id] = node
            if node.matching_below:
                return
            node.visible = False
            for ancestor in node.ancestors():
                if not ancestor.visible or ancestor.matching or ancestor.matching_below:
                    break
                ancestor.visible = False
                shown.setdefault(ancestor.action.id, ancestor)

    def _matches(self, action: Action) -> bool:
        if self._phases and PHASES[action.phase] not in self._phases:
            return False
        name = action.name if action.condition is None else action.id
        return self._text in name.lower()


def _parse(filters: list[Filter]) -> tuple[frozenset[int], str]:
    supported = {"PHASE": "VALUE_IN", "NAME": "CONTAINS_CASE_INSENSITIVE"}
    phases: set[int] = set()
    text = ""
    for filter_ in filters:
        if supported.get(filter_.field) != filter_.function:
            wrong = f"function {filter_.function} is not supported for filter {filter_.field}"
            raise StatusError("INVALID_ARGUMENT", wrong)
        if filter_.field == "NAME":
            text = filter_.values[0].lower() if filter_.values else text
            continue
        for value in filter_.values:
            digits = value.removeprefix("-") if value.startswith("-") else value.removeprefix("+")
            if not (digits.isascii() and digits.isdigit()):
                raise StatusError("INVALID_ARGUMENT", f"invalid phase value: {value}")
            phases.add(int(value))
    return frozenset(phases), text
