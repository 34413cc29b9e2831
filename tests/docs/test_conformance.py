"""docs/conformance.md lists the checks that there are, and explains results that it has."""

from __future__ import annotations

from benchmarks.conformance import EXPLANATIONS, PAGE, list_of_checks, replaced
from flyte_sidecar.conformance.checks import CHECKS


def test_the_list_of_checks_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert replaced(page, "checks", list_of_checks()) == page, (
        "run python -m benchmarks.conformance --list"
    )


def test_only_checks_that_exist_are_explained() -> None:
    explained = {name for reasons in EXPLANATIONS.values() for name in reasons}
    assert explained <= {check.id for check in CHECKS}
