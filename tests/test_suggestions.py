from __future__ import annotations

import pytest

from flyte_sidecar._suggestions import suggestion


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("pendign", "pending"),
        ("wiat", "wait"),
        ("runname", "runName"),
        ("run_nam", "runName"),
        ("pe", "pending"),
    ],
)
def test_the_most_similar_name_is_suggested(name: str, meant: str) -> None:
    candidates = ["pending", "watch", "wait", "runName"]
    assert suggestion(name, candidates) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("name", ["zzz", "", "wa", "x" * 101, "runName" * 100])
def test_a_name_without_similar_ones_gets_no_suggestion(name: str) -> None:
    assert suggestion(name, ["runName", "limit", "watch", "wait"]) == ""


def test_a_suggested_name_of_other_people_is_escaped() -> None:
    hostile = "deploy\x1b[2J\u202e\n"
    assert suggestion("deploy[2J", [hostile]) == r"; did you mean 'deploy\x1b[2J\u202e\n'?"
