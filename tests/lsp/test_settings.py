"""The settings of an editor, in the forms in which editors send them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins
from msgspec.structs import replace

from flyte_sidecar.lsp.settings import Settings, parse_settings

DEFAULTS = Settings()


def parsed(value: object, previous: Settings = DEFAULTS) -> Settings:
    settings, problems = parse_settings(value, previous)
    assert problems == []
    return settings


@pytest.mark.parametrize(
    "value",
    [
        {"runs": ["train-*"], "asking": False},
        {"flyteSidecar": {"runs": ["train-*"], "asking": False}},
        {"flyteSidecar.runs": ["train-*"], "flyteSidecar.asking": False},
        {"flyteSidecar": {"runs": ["train-*"]}, "flyteSidecar.asking": False},
        {"python": {"runs": ["x"]}, "flyteSidecar": {"runs": ["train-*"], "asking": False}},
        {"pylsp": 1, "flyteSidecar.runs": ["train-*"], "flyteSidecar.asking": False},
    ],
)
def test_every_form_of_the_section_is_accepted(value: object) -> None:
    assert parsed(value) == Settings(runs=("train-*",), asking=False)


@pytest.mark.parametrize(
    "value",
    [
        {"flyteSidecar": {"trace": {"server": "off"}, "asking": False}},
        {"flyteSidecar.trace.server": "off", "flyteSidecar.asking": False},
    ],
)
def test_the_trace_setting_of_vs_code_is_not_unknown(value: object) -> None:
    assert parsed(value) == Settings(asking=False)


def test_every_setting_is_read_from_its_key() -> None:
    section = {
        "backend": "flyte",
        "store": "/tmp/ä 😀.db",
        "config": "~/flyte.yaml",
        "endpoint": "flyte.example.com:443",
        "insecure": True,
        "caCertFile": "~/ca.pem",
        "transport": "connect",
        "org": "o",
        "project": "p",
        "domain": "d",
        "runs": ["a*"],
        "asking": False,
        "askingRuns": ["b*"],
        "lenses": False,
    }
    settings = parsed(section)
    assert to_builtins(settings) == {**section, "runs": ("a*",), "askingRuns": ("b*",)}
    assert all(
        getattr(settings, name) != getattr(DEFAULTS, name) for name in Settings.__struct_fields__
    )


@pytest.mark.parametrize(
    "value", [None, {"flyteSidecar": None}, {"flyteSidecar": "x"}, "x", 3, ["x"], True]
)
def test_a_value_without_the_section_changes_nothing(value: object) -> None:
    previous = Settings(project="p", asking=False)
    settings, problems = parse_settings(value, previous)
    assert settings == previous
    assert len(problems) == (value not in (None, {"flyteSidecar": None}))


@pytest.mark.parametrize(
    "value", [{}, [], {"flyteSidecar": {}}, {"flyteSidecar": []}, {"pylsp": {"plugins": {}}}]
)
def test_absent_settings_take_the_value_that_the_session_began_with(value: object) -> None:
    base = Settings(project="p")
    assert parse_settings(value, Settings(domain="d"), base) == (base, [])


@pytest.mark.parametrize("empty", [None, {}, []])
def test_an_empty_list_has_the_forms_of_lua_and_emacs(empty: object) -> None:
    assert parsed({"runs": empty}, Settings(runs=("r",))) == DEFAULTS


def test_a_cleared_text_is_the_default() -> None:
    assert parsed({"endpoint": ""}, Settings(endpoint="h")) == DEFAULTS


INVALID = [
    ("backend", "remote", '"local", "flyte", "all" or null'),
    ("backend", 1, '"local", "flyte", "all" or null'),
    ("endpoint", ["h"], "a string"),
    ("endpoint", "h\n", "without control characters"),
    ("store", "a\0b", "without control characters"),
    ("store", "\ud800", "a string"),
    ("insecure", "yes", "true, false or null"),
    ("transport", "http", '"auto", "grpc", "connect" or null'),
    ("asking", 1, "true or false"),
    ("asking", "false", "true or false"),
    ("runs", "train-*", "a list"),
    ("runs", [1], "a list"),
    ("runs", ["x" * 1001], "1000"),
    ("runs", ["x"] * 101, "100"),
    ("askingRuns", {"a": "b"}, "a list"),
    ("lenses", {}, "true or false"),
    ("lenses", "", "true or false"),
    ("endpoint", {}, "a string"),
]


@pytest.mark.parametrize(("key", "value", "expected"), INVALID)
def test_an_invalid_value_is_reported_and_the_others_apply(
    key: str, value: object, expected: str
) -> None:
    previous = Settings(backend="flyte", endpoint="h", insecure=True, runs=("r",), asking=False)
    settings, problems = parse_settings({"project": "p", key: value}, previous, base=previous)
    assert settings == replace(previous, project="p")
    [problem] = problems
    assert f"`flyteSidecar.{key}`" in problem
    assert expected in problem


def test_a_problem_does_not_repeat_the_value() -> None:
    _, problems = parse_settings({"asking": "secret"}, DEFAULTS)
    assert "secret" not in problems[0]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("run", "runs"),
        ("asking_runs", "askingRuns"),
        ("Lenses", "lenses"),
        ("endpiont", "endpoint"),
    ],
)
def test_an_unknown_key_is_reported_with_the_nearest_known_one(key: str, meant: str) -> None:
    for value in ({key: True}, {"flyteSidecar": {key: True}}, {f"flyteSidecar.{key}": True}):
        settings, problems = parse_settings(value, DEFAULTS)
        assert settings == DEFAULTS
        assert problems == [
            f"unknown setting 'flyteSidecar.{key}'; did you mean 'flyteSidecar.{meant}'?"
        ]


def test_problems_are_bounded_in_number_and_length() -> None:
    _, problems = parse_settings({f"{n}" + "x" * 10_000: 1 for n in range(100)}, DEFAULTS)
    assert len(problems) == 11
    assert max(map(len, problems)) < 200
    assert problems[-1].startswith("90 more")


keys = st.text(max_size=5) | st.sampled_from(
    [
        "flyteSidecar",
        *(to_builtins(DEFAULTS)),
        *(f"flyteSidecar.{k}" for k in to_builtins(DEFAULTS)),
    ]
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("key", ["backend", "store", "lenses", "asking", "runs"])
def test_an_unpaired_surrogate_is_reported(key: str) -> None:
    settings, problems = parse_settings({key: "\ud800"}, DEFAULTS)
    assert settings == DEFAULTS
    assert [f"flyteSidecar.{key}" in problem for problem in problems] == [True]


@given(json_values)
def test_any_json_is_accepted_or_reported(value: Any) -> None:
    settings, problems = parse_settings(value, DEFAULTS)
    assert parse_settings(to_builtins(settings), DEFAULTS) == (settings, [])
    assert all(isinstance(problem, str) for problem in problems)


@pytest.mark.parametrize(
    ("settings", "shown", "asked"),
    [
        (Settings(), True, True),
        (Settings(runs=("train-*",)), True, True),
        (Settings(runs=("eval-*", "train-7")), True, True),
        (Settings(runs=("eval-*",)), False, False),
        (Settings(runs=("TRAIN-*",)), False, False),
        (Settings(asking=False), True, False),
        (Settings(asking_runs=("eval-*",)), True, False),
        (Settings(runs=("eval-*",), asking_runs=("train-*",)), False, False),
    ],
)
def test_patterns_select_the_runs_that_are_shown_and_asked_about(
    settings: Settings, shown: bool, asked: bool
) -> None:
    assert settings.shows_run("train-7") is shown
    assert settings.asks_about_run("train-7") is asked
