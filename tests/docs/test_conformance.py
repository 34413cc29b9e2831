"""docs/conformance.md lists the checks that there are, and explains results that it has."""

from __future__ import annotations

import re

from benchmarks.conformance import EXPLANATIONS, PAGE, list_of_checks, replaced


def test_the_list_of_checks_is_up_to_date() -> None:
    page = PAGE.read_text()
    assert replaced(page, "checks", list_of_checks()) == page, (
        "run python -m benchmarks.conformance --list"
    )


def results() -> dict[str, list[str]]:
    """Return the lines about each server, by its name."""
    _, *sections = PAGE.read_text().partition("<!-- results begin -->")[2].split("\n#### ")
    found = [section.partition("\n") for section in sections]
    return {name: re.findall(r"^- .*", lines, re.MULTILINE) for name, _, lines in found}


def test_the_table_counts_the_results_that_are_listed() -> None:
    row = r"^\| ([^|]+) \| [\d.]+ \| \d+ \| (\d+) \| (\d+) \| (\d+) \| \d+ \|$"
    rows = re.findall(row, PAGE.read_text(), re.MULTILINE)
    listed = results()
    assert listed.keys() <= {server for server, *_ in rows}
    for server, *counts in rows:
        assert sum(map(int, counts)) == len(listed.get(server, [])), server


def test_only_results_that_are_listed_are_explained() -> None:
    for name, reasons in EXPLANATIONS.items():
        lines = [line for key, value in results().items() if key.startswith(name) for line in value]
        assert reasons.keys() <= {line.split("`")[1] for line in lines}, name
