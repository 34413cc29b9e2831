"""Which events match the options."""

from __future__ import annotations

import fnmatch
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from flyte_sidecar.cli.bulk.arguments import Choice
from flyte_sidecar.schema.examples import DEPLOY

NOW = datetime(2026, 3, 2, tzinfo=UTC)
ANY = Choice(run_glob=None, name_glob=None, older_than=None, yes=True, dry_run=False)
NAMES = st.text("ab?*[]!\n", max_size=5)


@pytest.mark.parametrize(
    ("options", "names", "matches"),
    [
        ({}, ("", ""), True),
        ({"run_glob": "nightly-*"}, ("nightly-7", "x"), True),
        ({"run_glob": "nightly-*"}, ("Nightly-7", "x"), False),
        ({"run_glob": "nightly"}, ("nightly-7", "x"), False),
        ({"name_glob": "[dr]e*"}, ("r", "deploy"), True),
        ({"name_glob": "[!d]*"}, ("r", "deploy"), False),
        ({"run_glob": "r", "name_glob": "x"}, ("r", "deploy"), False),
        ({"run_glob": "r?", "name_glob": "de*"}, ("r1", "deploy"), True),
    ],
)
def test_names_match_patterns(
    options: dict[str, Any], names: tuple[str, str], matches: bool
) -> None:
    event = replace(DEPLOY, run_name=names[0], name=names[1])
    assert replace(ANY, **options).matches(event, NOW) is matches


@given(NAMES, NAMES)
def test_a_pattern_matches_the_whole_name(pattern: str, name: str) -> None:
    whole = re.compile(fnmatch.translate(pattern)).fullmatch(name) is not None
    assert replace(ANY, name_glob=pattern).matches(replace(DEPLOY, name=name), NOW) is whole


@pytest.mark.parametrize(("age", "matches"), [(59, False), (60, True), (61, True), (None, False)])
def test_events_are_old_by_the_time_of_their_creation(age: int | None, matches: bool) -> None:
    created_at = None if age is None else NOW - timedelta(seconds=age)
    event = replace(DEPLOY, created_at=created_at)
    assert replace(ANY, older_than=60.0).matches(event, NOW) is matches
