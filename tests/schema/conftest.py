"""What tests of the schemas share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from flyte_sidecar import schema

Fits = Callable[[dict[str, Any], Any], None]
"""Fails unless a value is of a schema, which may refer to the types."""


@pytest.fixture(scope="session")
def fits() -> Fits:
    types = schema.events_schema()

    def check(of: dict[str, Any], value: Any) -> None:
        jsonschema.Draft202012Validator({**types, **of}).validate(value)

    return check
