"""The schema of the editor settings."""

from __future__ import annotations

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from flyte_sidecar import schema
from flyte_sidecar.lsp.settings import Settings, parse_settings
from tests.lsp.test_settings import INVALID

SCHEMA = json.loads(schema.files()["settings.schema.json"])
PROPERTIES: dict[str, dict[str, Any]] = SCHEMA["properties"]
DECIDES_WHO_IS_ANSWERED = {"backend", "store", "config", "endpoint", "insecure", "caCertFile"}


def test_the_schema_is_valid_json_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_setting_has_a_description_a_default_and_a_type_for_a_settings_page() -> None:
    assert len(PROPERTIES) == len(Settings.__struct_fields__)
    for name, setting in PROPERTIES.items():
        assert name.startswith("flyteSidecar.")
        assert setting["description"].endswith(".")
        assert "default" in setting
        assert setting["type"] in ("boolean", "array", ["boolean", "null"], ["string", "null"])


def test_the_defaults_are_valid_and_those_of_the_settings() -> None:
    defaults = {name: setting["default"] for name, setting in PROPERTIES.items()}
    Draft202012Validator(SCHEMA).validate(defaults)
    assert parse_settings(defaults, Settings()) == (Settings(), [])


def test_every_value_of_an_enum_is_described() -> None:
    backend = PROPERTIES["flyteSidecar.backend"]
    assert dict(zip(backend["enum"], backend["enumDescriptions"], strict=True)) == {
        "all": "both",
        "flyte": "a Flyte deployment",
        "local": "the embedded store",
        None: "the default",
    }


def test_every_transport_is_described() -> None:
    transport = PROPERTIES["flyteSidecar.transport"]
    described = dict(zip(transport["enum"], transport["enumDescriptions"], strict=True))
    assert described["grpc"] == "gRPC"
    assert described["connect"] == "Connect"
    assert described["auto"].startswith("gRPC, or Connect")
    assert described[None] == "the default"


def test_a_workspace_cannot_choose_to_whom_the_answers_go() -> None:
    scoped = {name for name, setting in PROPERTIES.items() if setting.get("scope") == "machine"}
    assert scoped == {f"flyteSidecar.{key}" for key in DECIDES_WHO_IS_ANSWERED}


IN_A_SCHEMA = [(key, value) for key, value, _ in INVALID if value != "\ud800"]
"""The invalid values that JSON Schema can express."""


@pytest.mark.parametrize(("key", "value"), IN_A_SCHEMA)
def test_the_schema_rejects_what_the_sidecar_rejects(key: str, value: object) -> None:
    assert not Draft202012Validator(SCHEMA).is_valid({f"flyteSidecar.{key}": value})
