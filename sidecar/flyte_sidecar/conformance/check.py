"""A check, its rule, and its result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from msgspec import Struct

from flyte_sidecar.conformance.connection import Connection
from flyte_sidecar.conformance.evidence import Entry
from flyte_sidecar.conformance.target import Framing

Level = Literal["must", "should"]
Outcome = Literal["pass", "fail", "warn", "skip", "n/a"]
Need = Literal["call", "invalid", "slow", "lsp"]

ROBUSTNESS = "robustness"
"""The source of rules that no specification has, but that those who start servers rely on."""


class Check(Struct, frozen=True, kw_only=True):
    """A check.

    Attributes
    ----------
    id
        `group/name`.
    title
        The rule that the server follows if it passes.
    source
        The section of the specification that has the rule, or `robustness`.
    level
        `must` if a specification says so with this word, or in an example; else `should`.
    perform
        Raises `Violation`, `Warn` or `Skip`, or returns.
    is_fresh
        Whether it needs a process of its own.
    framing
        The framing that it is about; None: both.
    not_in_lsp
        Why it does not apply to language servers; None: it does.
    needs
        What the target has to have.
    """

    id: str
    title: str
    source: str
    level: Level
    perform: Callable[[Connection], None]
    is_fresh: bool = False
    framing: Framing | None = None
    not_in_lsp: str | None = None
    needs: Need | None = None

    @property
    def group(self) -> str:
        return self.id.partition("/")[0]


class Result(Struct, frozen=True, kw_only=True):
    """The result of a check.

    Attributes
    ----------
    detail
        What was expected and what came, or why it was not made; empty if it passed.
    evidence
        What was sent and received last; empty if it passed or was not made.
    stderr
        The end of what the server wrote to stderr, in the same cases.
    """

    check: str
    title: str
    source: str
    level: Level
    outcome: Outcome
    detail: str = ""
    evidence: Sequence[Entry] = ()
    stderr: str = ""


Perform = Callable[["Connection"], None]


class Group:
    """The checks of a module, in their order.

    Parameters
    ----------
    common
        Attributes that all checks of the group have, unless one differs.
    """

    def __init__(self, name: str, **common: Any) -> None:
        self.name = name
        self.checks: list[Check] = []
        self._common = {"source": ROBUSTNESS, **common}

    def must(self, name: str, title: str, **more: Any) -> Callable[[Perform], Perform]:
        """Return a decorator that adds a check to the group."""
        return self._adder(name, {"title": title, "level": "must", **more})

    def should(self, name: str, title: str, **more: Any) -> Callable[[Perform], Perform]:
        """Return a decorator that adds a check to the group."""
        return self._adder(name, {"title": title, "level": "should", **more})

    def _adder(self, name: str, attributes: dict[str, Any]) -> Callable[[Perform], Perform]:
        def add(perform: Perform) -> Perform:
            known = {**self._common, **attributes}
            self.checks.append(Check(id=f"{self.name}/{name}", perform=perform, **known))
            return perform

        return add
