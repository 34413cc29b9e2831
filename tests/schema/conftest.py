"""Fixtures for the tests of the schemas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from flyte_sidecar import schema

Matches = Callable[[dict[str, Any], Any], None]
"""Fails unless a value matches a schema, which may refer to the types."""


@pytest.fixture(scope="session")
def matches() -> Matches:
    types = schema.events_schema()

    def check(expected: dict[str, Any], value: Any) -> None:
        jsonschema.Draft202012Validator({**types, **expected}).validate(value)

    return check
