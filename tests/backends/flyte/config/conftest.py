from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flyte_sidecar.backends.flyte.config import Config, Overrides, load

Load = Callable[..., Config]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder; the current folder is an empty one beside it."""
    home, work = tmp_path / "home", tmp_path / "work"
    (home / ".flyte").mkdir(parents=True)
    work.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    return home


@pytest.fixture
def file(home: Path) -> Path:
    """The path of the config file in the home folder, which does not exist yet."""
    return home / ".flyte" / "config.yaml"


@pytest.fixture
def load_config(home: Path) -> Load:
    """Load the config of the home folder, with environment variables and options."""

    def load_config(environment: dict[str, str] | None = None, **overrides: object) -> Config:
        return load(Overrides(**overrides), {"HOME": str(home), **(environment or {})})  # type: ignore[arg-type]

    assert not os.path.exists("config.yaml")
    return load_config
